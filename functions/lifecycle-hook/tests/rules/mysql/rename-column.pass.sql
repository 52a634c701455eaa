ALTER TABLE orders ADD COLUMN area VARCHAR(8);

ALTER TABLE orders RENAME INDEX by_region TO by_area;

CREATE TABLE parcels (weight INT);
ALTER TABLE parcels RENAME COLUMN weight TO grams;
