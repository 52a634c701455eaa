UPDATE orders SET region = 'eu';

DELETE FROM orders;

DELETE FROM ONLY orders WHERE true;

UPDATE orders SET region = 'eu' WHERE 1 = 1;

WITH gone AS (DELETE FROM orders RETURNING *) INSERT INTO old_orders SELECT * FROM gone;

WITH a AS (SELECT 1) UPDATE orders SET region = 'eu';

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
UPDATE parcels SET order_id = 1;
