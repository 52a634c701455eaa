DROP TABLE orders;

DROP TABLE IF EXISTS shop.orders, shop.baskets CASCADE;

DROP VIEW open_orders;

DROP MATERIALIZED VIEW totals;

DROP SCHEMA shop CASCADE;

DROP SEQUENCE order_numbers;

CREATE TABLE IF NOT EXISTS orders (id bigint);
DROP TABLE orders;

CREATE TEMP TABLE orders (id bigint);
DROP TABLE orders;
DROP TABLE orders;

ALTER TABLE orders DETACH PARTITION orders_2019 CONCURRENTLY;
