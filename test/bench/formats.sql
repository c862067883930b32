-- test/bench/formats.sql
--    the rows as change events
--
-- Run by the part formats.

INSERT INTO bench.expected
SELECT t.topic, e.n, e.checksum
FROM bench.expected e, (VALUES ('bench_avro'), ('bench_debezium'), ('bench_debezium_schema'), ('bench_csv')) t (topic);

CREATE FUNCTION bench.event(s bench.source) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT '{"before":null,"after":' || row_to_json(s)::text || ',"source":{"version":"3.6.1.Final",'
		'"connector":"postgresql","name":"bench","ts_ms":1796059459579,"snapshot":"false","db":"bench",'
		'"sequence":"[null,\"22303328\"]","ts_us":1796059459579353,"ts_ns":1796059459579353000,"schema":"bench",'
		'"table":"source","txId":745,"lsn":22303328,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,'
		'"op":"c","ts_ms":1796059460548,"ts_us":1796059460548944,"ts_ns":1796059460548944663}'
$$;

-- as Connect's converter puts it before the event
CREATE FUNCTION bench.event_schema() RETURNS text LANGUAGE sql STABLE AS $$
	SELECT format('{"type":"struct","fields":[%s,%s,{"type":"struct","fields":[%s],"optional":false,'
			'"name":"io.debezium.connector.postgresql.Source","version":1,"field":"source"},'
			'{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}],'
			'"optional":false,"name":"bench.bench.source.Envelope","version":2}',
		of_row || '"before"}', of_row || '"after"}', of_source)
	FROM (SELECT format('{"type":"struct","fields":[%s],"optional":true,"name":"bench.bench.source.Value","field":',
				string_agg(format('{"type":"string","optional":true%s,"field":"%s"}',
					CASE WHEN atttypid = 'timestamptz'::regtype THEN ',"name":"io.debezium.time.ZonedTimestamp","version":1'
						 WHEN atttypid = 'uuid'::regtype THEN ',"name":"io.debezium.data.Uuid","version":1' ELSE '' END,
					attname), ',' ORDER BY attnum)) AS of_row
		  FROM pg_attribute WHERE attrelid = 'bench.source'::regclass AND attnum > 0) AS r,
		 (SELECT string_agg(format('{"type":"string","optional":true,"field":"%s"}', name), ',') AS of_source
		  FROM unnest('{version,connector,name,ts_ms,snapshot,db,sequence,ts_us,ts_ns,schema,table,txId,lsn,xmin,origin,origin_lsn}'::text[]) name) AS s
$$;

CREATE FUNCTION bench.event_with_schema(s bench.source) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT '{"schema":' || (SELECT bench.event_schema()) || ',"payload":' || bench.event(s) || '}'
$$;
