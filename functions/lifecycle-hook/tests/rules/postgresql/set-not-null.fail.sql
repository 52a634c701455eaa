ALTER TABLE orders ALTER COLUMN region SET NOT NULL;

ALTER TABLE orders ALTER region SET NOT NULL;

ALTER TABLE orders ADD CONSTRAINT region_is_there NOT NULL region;

ALTER DOMAIN region SET NOT NULL;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ALTER COLUMN order_id SET NOT NULL;
