ALTER TABLE orders ADD COLUMN key uuid;
ALTER TABLE orders ALTER COLUMN key SET DEFAULT gen_random_uuid();

ALTER TABLE orders ADD COLUMN seen timestamptz DEFAULT CURRENT_TIMESTAMP;

ALTER TABLE orders SET (fillfactor = 70, autovacuum_enabled = off);

VACUUM (ANALYZE) orders;

VACUUM ANALYZE orders;

CREATE TABLE parcels (id bigint);
ALTER TABLE parcels ADD COLUMN key uuid DEFAULT gen_random_uuid();
