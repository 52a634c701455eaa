ALTER TABLE orders RENAME COLUMN region TO area;

ALTER TABLE orders RENAME region TO area;

ALTER VIEW open_orders RENAME COLUMN region TO area;
