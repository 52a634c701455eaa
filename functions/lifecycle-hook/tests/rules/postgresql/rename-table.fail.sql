ALTER TABLE orders RENAME TO purchases;

ALTER TABLE shop.orders SET SCHEMA store;

ALTER VIEW open_orders RENAME TO open_purchases;

ALTER SEQUENCE order_numbers RENAME TO numbers;

ALTER SCHEMA shop RENAME TO store;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels RENAME TO boxes;
