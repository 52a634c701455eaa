ALTER TABLE orders ADD COLUMN area text;

ALTER TABLE orders RENAME CONSTRAINT region_is_known TO area_is_known;

CREATE TABLE parcels (weight int);
ALTER TABLE parcels RENAME COLUMN weight TO grams;
