CREATE INDEX by_region ON orders (region);

CREATE UNIQUE INDEX IF NOT EXISTS one_number ON ONLY shop.orders USING btree (number) WHERE number IS NOT NULL;

REINDEX TABLE orders;

CREATE TABLE shop.orders (id bigint);
CREATE INDEX ON orders (id);

CREATE TABLE "Orders" (id bigint);
CREATE INDEX ON Orders (id);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ADD COLUMN IF NOT EXISTS weight int;
CREATE INDEX by_weight ON parcels (weight);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
CREATE INDEX by_region ON orders (region);

BEGIN;
CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ROLLBACK;
CREATE INDEX ON parcels (order_id);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
REINDEX TABLE parcels;
