ALTER TYPE state OWNER TO shop;

CREATE TYPE colour AS ENUM ('red');
ALTER TYPE colour RENAME TO tint;
