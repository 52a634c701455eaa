CREATE TABLE parcels (id bigint);
TRUNCATE TABLE parcels;

DELETE FROM orders WHERE region = 'none';
