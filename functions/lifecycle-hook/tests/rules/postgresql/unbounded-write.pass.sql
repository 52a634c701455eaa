UPDATE orders SET region = 'eu' WHERE region IS NULL AND id BETWEEN 1 AND 1000;

DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE region IS NULL LIMIT 1000);

INSERT INTO regions (code) VALUES ('eu'), ('us') ON CONFLICT DO NOTHING;

CREATE TABLE parcels AS SELECT * FROM orders;
UPDATE parcels SET region = 'eu';
