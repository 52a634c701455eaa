ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id);

ALTER TABLE orders ADD FOREIGN KEY (buyer_id) REFERENCES people (id) ON DELETE CASCADE DEFERRABLE;

ALTER TABLE orders ADD COLUMN buyer_id bigint DEFAULT 1 REFERENCES people (id);

DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'buyer') THEN
    ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id);
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE orders ADD FOREIGN KEY (parcel_id) REFERENCES parcels (id);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ADD COLUMN buyer_id bigint DEFAULT 1 REFERENCES people (id);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ALTER COLUMN order_id DROP DEFAULT;
ALTER TABLE parcels ADD FOREIGN KEY (order_id) REFERENCES orders (id);
