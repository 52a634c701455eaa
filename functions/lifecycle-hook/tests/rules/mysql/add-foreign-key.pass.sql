SET foreign_key_checks = 0;
ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id), ALGORITHM=INPLACE;

ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id), LOCK=NONE;

CREATE TABLE parcels (order_id BIGINT);
ALTER TABLE parcels ADD FOREIGN KEY (order_id) REFERENCES orders (id);

CREATE TABLE IF NOT EXISTS parcels (id BIGINT, order_id BIGINT);
ALTER TABLE parcels ADD FOREIGN KEY (order_id) REFERENCES orders (id);
