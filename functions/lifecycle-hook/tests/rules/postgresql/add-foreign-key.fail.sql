ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id);

ALTER TABLE orders ADD FOREIGN KEY (buyer_id) REFERENCES people (id) ON DELETE CASCADE DEFERRABLE;

ALTER TABLE orders ADD COLUMN buyer_id bigint DEFAULT 1 REFERENCES people (id);

DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'buyer') THEN
    ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id);
  END IF;
END $$;
