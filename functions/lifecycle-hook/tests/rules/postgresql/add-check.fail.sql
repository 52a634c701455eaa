ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0);

ALTER TABLE orders ADD CHECK (total > 0);

ALTER TABLE orders ADD COLUMN tip int CHECK (tip >= 0);

ALTER DOMAIN region ADD CONSTRAINT short CHECK (length(VALUE) < 9);

ALTER TABLE orders ATTACH PARTITION orders_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ADD COLUMN weight int, ADD CHECK (weight > 0);

CREATE TABLE all_orders (id bigint, at date) PARTITION BY RANGE (at);
ALTER TABLE all_orders ATTACH PARTITION orders DEFAULT;
