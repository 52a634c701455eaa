DROP TABLE orders;

DROP TABLE IF EXISTS `shop`.`orders`, `baskets`;

DROP VIEW open_orders;

DROP DATABASE shop;

CREATE TABLE IF NOT EXISTS orders (id BIGINT);
DROP TABLE orders;

/*!40000 DROP TABLE orders */;

CREATE INDEX orders ON parcels (order_id);
DROP TABLE orders;
