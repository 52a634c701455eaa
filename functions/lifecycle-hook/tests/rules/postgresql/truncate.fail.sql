TRUNCATE orders;

TRUNCATE TABLE ONLY orders, baskets RESTART IDENTITY CASCADE;

CREATE TABLE parcels (id bigint PRIMARY KEY);
TRUNCATE parcels CASCADE;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
TRUNCATE parcels;
