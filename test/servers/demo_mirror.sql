-- test/servers/demo_mirror.sql
--    what a user would type to have the table in Cassandra too
--
-- Run by test/servers/demo with the variable address (host:port of Cassandra).

CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra
	OPTIONS (hosts :'address');
SELECT userstream.create_mirror('users', target => 'spark_streams.created_users', server => 'cassandra',
								keyspace => 'spark_streams', table_name => 'created_users');
