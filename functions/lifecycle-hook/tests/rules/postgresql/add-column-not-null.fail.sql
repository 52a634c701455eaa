ALTER TABLE orders ADD COLUMN region text NOT NULL;

ALTER TABLE IF EXISTS ONLY shop.orders ADD region text NOT NULL DEFAULT NULL;

ALTER TABLE orders ADD COLUMN note text, ADD COLUMN region text CONSTRAINT wanted NOT NULL;

ALTER TABLE orders ADD COLUMN id bigint PRIMARY KEY;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ADD COLUMN weight int NOT NULL;
