-- test/bench/targets.sql
--    tables that give the executor more to do than rows and a key
--
-- Run by the part targets.  Each takes the rows of bench.source.

CREATE TABLE bench.foreign_key (LIKE bench.with_key INCLUDING INDEXES);
CREATE TABLE bench.nation (code text PRIMARY KEY);
INSERT INTO bench.nation SELECT DISTINCT nationality FROM bench.source;
ALTER TABLE bench.foreign_key ADD FOREIGN KEY (nationality) REFERENCES bench.nation;

CREATE TABLE bench.row_trigger (LIKE bench.with_key INCLUDING INDEXES);
CREATE FUNCTION bench.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.email := lower(NEW.email);
	RETURN NEW;
END
$$;
CREATE TRIGGER touch BEFORE INSERT ON bench.row_trigger FOR EACH ROW EXECUTE FUNCTION bench.touch();

CREATE TABLE bench.partitions (LIKE bench.with_key, PRIMARY KEY (id)) PARTITION BY HASH (id);
SELECT format('CREATE TABLE bench.partition%s PARTITION OF bench.partitions FOR VALUES WITH (modulus 4, remainder %1$s)', i)
FROM generate_series(0, 3) i \gexec

CREATE TABLE bench.generated (LIKE bench.with_key INCLUDING INDEXES,
	age_at_registration interval GENERATED ALWAYS AS (registered_at - dob) STORED);

CREATE TABLE bench.row_security (LIKE bench.with_key INCLUDING INDEXES);
ALTER TABLE bench.row_security ENABLE ROW LEVEL SECURITY;
CREATE POLICY known_gender ON bench.row_security FOR INSERT WITH CHECK (gender IN ('female', 'male'));
-- whom it applies to, unlike its owner, a superuser
CREATE ROLE clerk LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO clerk;
GRANT USAGE ON SCHEMA bench TO clerk;
GRANT INSERT ON bench.row_security TO clerk;
