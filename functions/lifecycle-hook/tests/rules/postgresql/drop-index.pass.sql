DROP INDEX CONCURRENTLY IF EXISTS shop.by_region;

CREATE TABLE parcels (id bigint);
CREATE INDEX by_id ON parcels (id);
DROP INDEX by_id;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
CREATE INDEX IF NOT EXISTS by_order ON parcels (order_id);
DROP INDEX by_order;
