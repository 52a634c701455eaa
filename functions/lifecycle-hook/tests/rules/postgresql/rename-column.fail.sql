ALTER TABLE orders RENAME COLUMN region TO area;

ALTER TABLE orders RENAME region TO area;

ALTER VIEW open_orders RENAME COLUMN region TO area;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels RENAME COLUMN order_id TO of;
