ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT buyer;

ALTER TABLE orders ADD COLUMN buyer_id bigint REFERENCES people (id);

CREATE TABLE parcels (order_id bigint);
ALTER TABLE parcels ADD FOREIGN KEY (order_id) REFERENCES orders (id);

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'of') THEN
    ALTER TABLE parcels ADD CONSTRAINT of FOREIGN KEY (order_id) REFERENCES orders (id);
  END IF;
END $$;
