-- test/bench/avro.sql
--    the rows as Avro, in the form that test/servers/produce reads
--
-- Run by the part formats with the variable id, the number of the schema.

CREATE FUNCTION pg_temp.long(n bigint) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	rest numeric := CASE WHEN n < 0 THEN -2 * n::numeric - 1 ELSE 2 * n::numeric END;
	bytes bytea := '';
BEGIN
	WHILE rest >= 128 LOOP
		bytes := bytes || set_byte('\x00', 0, 128 + (rest % 128)::int);
		rest := div(rest, 128);
	END LOOP;
	RETURN bytes || set_byte('\x00', 0, rest::int);
END
$$;

CREATE FUNCTION pg_temp.string(t text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT pg_temp.long(octet_length(t)) || convert_to(t, 'UTF8')
$$;

CREATE FUNCTION pg_temp.micros(t timestamptz) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT pg_temp.long((extract(epoch FROM t) * 1000000)::bigint)
$$;

SELECT E'-\tsend\t-1\t0\t' || id || E'\t' || regexp_replace(encode(
		'\x00'::bytea || int4send(:id) || pg_temp.string(id::text) || pg_temp.string(first_name) || pg_temp.string(last_name)
		|| pg_temp.string(gender) || pg_temp.string(address) || pg_temp.string(email) || pg_temp.string(username)
		|| pg_temp.string(phone) || pg_temp.string(picture) || pg_temp.string(nationality)
		|| pg_temp.micros(dob) || pg_temp.micros(registered_at), 'hex'), '(..)', '\\x\1', 'g')
FROM bench.source;
