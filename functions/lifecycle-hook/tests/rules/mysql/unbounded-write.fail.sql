UPDATE orders SET region = 'eu';

DELETE FROM orders;

DELETE FROM orders WHERE 1;

UPDATE orders SET region = 'eu' WHERE 1 = 1;
