ALTER TABLE orders ADD CONSTRAINT one_number UNIQUE (number);

ALTER TABLE orders ADD PRIMARY KEY (id);

ALTER TABLE orders ADD COLUMN number text UNIQUE;

ALTER TABLE rooms ADD CONSTRAINT one_at_a_time EXCLUDE USING gist (room WITH =, during WITH &&);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ADD COLUMN code text UNIQUE;
