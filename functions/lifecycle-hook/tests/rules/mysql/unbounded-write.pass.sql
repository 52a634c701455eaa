UPDATE orders SET region = 'eu' WHERE region IS NULL LIMIT 1000;

DELETE FROM orders LIMIT 1000;

INSERT IGNORE INTO regions (code) VALUES ('eu'), ('us');

INSERT INTO regions (code) VALUES ('eu') ON DUPLICATE KEY UPDATE code = VALUES(code);

REPLACE INTO regions (code) VALUES ('eu');
