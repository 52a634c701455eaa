CREATE UNIQUE INDEX CONCURRENTLY one_number ON orders (number);
ALTER TABLE orders ADD CONSTRAINT one_number UNIQUE USING INDEX one_number;

ALTER TABLE orders ADD CONSTRAINT orders_pkey PRIMARY KEY USING INDEX orders_ids;

CREATE TABLE parcels (id bigint);
ALTER TABLE parcels ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX one ON parcels (id);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ADD PRIMARY KEY (id), ADD UNIQUE (order_id);
