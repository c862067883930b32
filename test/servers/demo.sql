-- test/servers/demo.sql
--    what a user would type: server, table, stream
--
-- Run by test/servers/demo with the variable address (host:port of Kafka).

CREATE EXTENSION userstream;

CREATE SERVER kafka FOREIGN DATA WRAPPER userstream_kafka
	OPTIONS ("bootstrap.servers" :'address');

CREATE SCHEMA spark_streams;
CREATE TABLE spark_streams.created_users (
	id					uuid PRIMARY KEY,
	first_name			text,
	last_name			text,
	gender				text,
	address				jsonb,
	email				text,
	username			text,
	dob					date,
	registered_date		date,
	phone				text,
	picture				text,
	nationality			text
);

SELECT userstream.create_stream('users', server => 'kafka', topic => 'users_created',
								target => 'spark_streams.created_users');
