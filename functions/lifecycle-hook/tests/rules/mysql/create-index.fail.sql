CREATE FULLTEXT INDEX by_note ON orders (note);

ALTER TABLE orders ADD FULLTEXT INDEX by_note (note);

ALTER TABLE orders ADD SPATIAL INDEX by_place (place);

CREATE INDEX by_region ON orders (region) ALGORITHM=COPY;

CREATE INDEX by_region ON orders (region) LOCK=SHARED;

CREATE TABLE IF NOT EXISTS parcels (id BIGINT);
ALTER TABLE parcels ADD COLUMN note TEXT, ADD FULLTEXT INDEX by_note (note);
