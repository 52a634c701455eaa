ALTER TABLE orders ADD COLUMN region text NOT NULL DEFAULT 'eu';

ALTER TABLE orders ADD COLUMN region text;

ALTER TABLE orders ADD COLUMN seen timestamptz NOT NULL DEFAULT now();

ALTER TABLE orders ADD COLUMN labels jsonb NOT NULL DEFAULT '{}'::jsonb;

ALTER TABLE orders ADD COLUMN tags text[] NOT NULL DEFAULT ARRAY[]::text[];

CREATE TABLE parcels (id bigint);
ALTER TABLE parcels ADD COLUMN weight int NOT NULL;
