ALTER TYPE state RENAME TO status;

ALTER TYPE state RENAME VALUE 'sent' TO 'shipped';

ALTER TYPE address RENAME ATTRIBUTE street TO road;

ALTER DOMAIN region RENAME TO area;

ALTER FUNCTION total(bigint) RENAME TO sum_of;
