ALTER TABLE orders DROP FOREIGN KEY orders_buyer;

ALTER TABLE orders ALTER COLUMN region SET DEFAULT NULL;

CREATE TABLE parcels (weight INT, height INT);
ALTER TABLE parcels DROP COLUMN height;
