DROP INDEX by_region;

DROP INDEX IF EXISTS shop.by_region CASCADE;
