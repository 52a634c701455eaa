ALTER INDEX by_region RENAME TO by_area;

CREATE TABLE parcels_new (id bigint);
ALTER TABLE parcels_new RENAME TO parcels;
CREATE INDEX by_id ON parcels (id);

ALTER TABLE orders OWNER TO shop;
