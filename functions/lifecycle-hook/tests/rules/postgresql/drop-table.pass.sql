CREATE TABLE parcels (id bigint);
DROP TABLE parcels;

CREATE TEMP TABLE moved AS SELECT id FROM orders WHERE region IS NULL;
DROP TABLE moved;

DROP TRIGGER IF EXISTS stamp ON orders;

CREATE VIEW late AS SELECT 1;
DROP VIEW late;
