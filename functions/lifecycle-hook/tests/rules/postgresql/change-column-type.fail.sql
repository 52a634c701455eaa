ALTER TABLE orders ALTER COLUMN region TYPE varchar(20);

ALTER TABLE orders ALTER region SET DATA TYPE text COLLATE "C" USING region::text;

ALTER TYPE address ALTER ATTRIBUTE street TYPE text;

ALTER TABLE orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;

CREATE TABLE IF NOT EXISTS parcels (id bigint, order_id bigint);
ALTER TABLE parcels ALTER COLUMN order_id TYPE text;
