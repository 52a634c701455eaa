ALTER TABLE orders ADD CONSTRAINT buyer FOREIGN KEY (buyer_id) REFERENCES people (id) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT buyer;

ALTER TABLE orders ADD COLUMN buyer_id bigint REFERENCES people (id);

CREATE TABLE parcels (order_id bigint);
ALTER TABLE parcels ADD FOREIGN KEY (order_id) REFERENCES orders (id);
