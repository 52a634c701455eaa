ALTER TABLE orders RENAME KEY by_region TO by_area;

CREATE TABLE parcels_new (id BIGINT);
RENAME TABLE parcels_new TO parcels;
DROP TABLE parcels;
