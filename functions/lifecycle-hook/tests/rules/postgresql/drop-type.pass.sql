CREATE TYPE colour AS ENUM ('red', 'blue');
DROP TYPE colour;

ALTER TYPE state ADD VALUE IF NOT EXISTS 'lost' AFTER 'sent';
