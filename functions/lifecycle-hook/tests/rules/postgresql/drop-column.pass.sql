ALTER TABLE orders ALTER COLUMN region DROP NOT NULL;

ALTER TABLE orders DROP CONSTRAINT region_is_known;

CREATE TABLE parcels (weight int, height int);
ALTER TABLE parcels DROP COLUMN height;
