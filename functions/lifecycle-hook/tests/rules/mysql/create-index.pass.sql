CREATE INDEX by_region ON orders (region);

ALTER TABLE orders ADD INDEX by_region (region), ADD KEY by_total (total DESC);

CREATE INDEX by_region ON orders (region(8)) ALGORITHM=INPLACE LOCK=NONE;

CREATE TABLE parcels (note TEXT);
ALTER TABLE parcels ADD FULLTEXT INDEX by_note (note);

CREATE TABLE IF NOT EXISTS parcels (note TEXT);
ALTER TABLE parcels ADD FULLTEXT INDEX by_note (note);
CREATE FULLTEXT INDEX by_text ON parcels (note);
