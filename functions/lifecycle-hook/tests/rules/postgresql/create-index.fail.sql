CREATE INDEX by_region ON orders (region);

CREATE UNIQUE INDEX IF NOT EXISTS one_number ON ONLY shop.orders USING btree (number) WHERE number IS NOT NULL;

REINDEX TABLE orders;

CREATE TABLE IF NOT EXISTS orders (id bigint);
CREATE INDEX ON orders (id);

CREATE TABLE shop.orders (id bigint);
CREATE INDEX ON orders (id);

CREATE TABLE "Orders" (id bigint);
CREATE INDEX ON Orders (id);
