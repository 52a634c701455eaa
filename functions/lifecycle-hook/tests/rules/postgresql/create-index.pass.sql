CREATE INDEX CONCURRENTLY by_region ON orders (region);

CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_number ON shop.orders USING btree (number) INCLUDE (region) WHERE number IS NOT NULL;

REINDEX INDEX CONCURRENTLY by_region;

CREATE TABLE Parcels (id bigint);
CREATE INDEX ON parcels (id);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
CREATE INDEX IF NOT EXISTS by_order ON parcels (order_id);
CREATE UNIQUE INDEX ON parcels (id);
