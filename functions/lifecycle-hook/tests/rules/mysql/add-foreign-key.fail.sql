ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id);

SET foreign_key_checks = 0;
SET foreign_key_checks = 1;
ALTER TABLE orders ADD FOREIGN KEY (buyer_id) REFERENCES people (id) ON DELETE CASCADE;

CREATE TABLE IF NOT EXISTS parcels (id BIGINT, order_id BIGINT);
ALTER TABLE parcels DROP COLUMN weight;
ALTER TABLE parcels ADD FOREIGN KEY (order_id) REFERENCES orders (id);
