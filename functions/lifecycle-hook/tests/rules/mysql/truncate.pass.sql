CREATE TABLE parcels (id BIGINT);
TRUNCATE TABLE parcels;

DELETE FROM orders WHERE region = 'none' LIMIT 1000;
