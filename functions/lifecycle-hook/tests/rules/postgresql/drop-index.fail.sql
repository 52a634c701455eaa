DROP INDEX by_region;

DROP INDEX IF EXISTS shop.by_region CASCADE;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
DROP INDEX by_order;

CREATE INDEX CONCURRENTLY IF NOT EXISTS by_region ON orders (region);
DROP INDEX by_region;
