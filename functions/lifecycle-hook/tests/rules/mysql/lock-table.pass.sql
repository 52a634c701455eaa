CREATE TABLE parcels (id BIGINT);
LOCK TABLES parcels WRITE;
UNLOCK TABLES;

SET SESSION lock_wait_timeout = 2;
