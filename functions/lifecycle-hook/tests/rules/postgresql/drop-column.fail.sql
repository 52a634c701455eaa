ALTER TABLE orders DROP COLUMN region;

ALTER TABLE orders DROP IF EXISTS region CASCADE;

ALTER TABLE orders ADD COLUMN area text, DROP region;

DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM information_schema.columns WHERE column_name = 'region') THEN
    ALTER TABLE orders DROP COLUMN region;
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels DROP COLUMN order_id;
