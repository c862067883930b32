-- Connections: a foreign server without a handler is an address with options,
-- a user mapping the credentials of one role for it.
--
-- PostgreSQL asks for USAGE on the wrapper before someone may create a
-- server, and on the server before it is used.  Neither is granted here: a
-- server makes the database connect to wherever its owner says, so that is
-- for the administrator to give (GRANT USAGE ON FOREIGN DATA WRAPPER).

CREATE FUNCTION kafka_validator(options text[], catalog oid) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'us_kafka_validator';
COMMENT ON FUNCTION kafka_validator(text[], oid) IS
	'checks the options of servers and user mappings of userstream_kafka; called by CREATE and ALTER';

CREATE FUNCTION http_validator(options text[], catalog oid) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'us_http_validator';
COMMENT ON FUNCTION http_validator(text[], oid) IS
	'checks the options of servers and user mappings of userstream_http; called by CREATE and ALTER';

CREATE FUNCTION cassandra_validator(options text[], catalog oid) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'us_cassandra_validator';
COMMENT ON FUNCTION cassandra_validator(text[], oid) IS
	'checks the options of servers and user mappings of userstream_cassandra; called by CREATE and ALTER';

-- CREATE and ALTER call them without this right
REVOKE ALL ON FUNCTION kafka_validator(text[], oid),
	http_validator(text[], oid), cassandra_validator(text[], oid) FROM PUBLIC;

CREATE FOREIGN DATA WRAPPER userstream_kafka NO HANDLER VALIDATOR userstream.kafka_validator;
COMMENT ON FOREIGN DATA WRAPPER userstream_kafka IS
	'connections to Kafka; options of a server are the properties of librdkafka, options of a user mapping are credentials';

CREATE FOREIGN DATA WRAPPER userstream_http NO HANDLER VALIDATOR userstream.http_validator;
COMMENT ON FOREIGN DATA WRAPPER userstream_http IS
	'connections to HTTP APIs; options of a server are the address and limits, options of a user mapping are credentials';

CREATE FOREIGN DATA WRAPPER userstream_cassandra NO HANDLER VALIDATOR userstream.cassandra_validator;
COMMENT ON FOREIGN DATA WRAPPER userstream_cassandra IS
	'connections to Cassandra; options of a server are the nodes and how to speak to them, options of a user mapping are user and password';
