DROP INDEX CONCURRENTLY IF EXISTS shop.by_region;

CREATE TABLE parcels (id bigint);
CREATE INDEX by_id ON parcels (id);
DROP INDEX by_id;
