RENAME TABLE orders TO purchases;

ALTER TABLE orders RENAME TO purchases;

ALTER TABLE orders RENAME purchases;

RENAME TABLE parcels_new TO parcels, orders TO purchases;
