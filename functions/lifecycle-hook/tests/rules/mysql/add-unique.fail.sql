ALTER TABLE orders ADD UNIQUE KEY one_number (number);

CREATE UNIQUE INDEX one_number ON orders (number);

ALTER TABLE orders ADD PRIMARY KEY (id);

ALTER TABLE orders ADD COLUMN number VARCHAR(9) UNIQUE;

CREATE TABLE IF NOT EXISTS parcels (id BIGINT, order_id BIGINT);
ALTER TABLE parcels MODIFY order_id INT, ADD UNIQUE (order_id);
