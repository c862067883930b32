-- What is shown of streams.
--
-- Numbers that must be true after a crash come from stream_position; what
-- only a running worker knows comes from shared memory and is null without
-- one.  The views read our tables as their owner; _stream_live and _sees let
-- each role see only what is its own.

-- a negative lag is only a watermark that is older than the position
CREATE VIEW _partition WITH (security_barrier) AS
SELECT p.stream_id,
	   p.partition,
	   v.state,
	   p.stopped,
	   p.next_offset,
	   v.low_offset,
	   v.high_offset,
	   CASE WHEN v.high_offset IS NOT NULL
			THEN greatest(v.high_offset - p.next_offset, 0)
	   END AS lag_messages,
	   CASE WHEN v.high_offset <= p.next_offset THEN 0
			WHEN v.oldest_unread_at IS NOT NULL
			THEN greatest(extract(epoch FROM clock_timestamp() - v.oldest_unread_at), 0)
	   END::double precision AS lag_seconds,
	   p.messages_read,
	   p.messages_applied,
	   p.rows_written,
	   p.dead_letters,
	   p.skipped,
	   p.retried,
	   p.last_message_at,
	   p.last_error,
	   p.last_error_at,
	   v.worker
FROM userstream.stream_position p
LEFT JOIN userstream._partition_live() v ON v.stream_id = p.stream_id AND v.partition = p.partition;
COMMENT ON VIEW _partition IS 'private: positions and counters of partitions beside what their workers know';
COMMENT ON COLUMN _partition.stream_id IS 'stream.id';
COMMENT ON COLUMN _partition.partition IS 'number of the Kafka partition';
COMMENT ON COLUMN _partition.state IS 'state of the partition in its worker; null: no worker keeps it';
COMMENT ON COLUMN _partition.stopped IS 'whether the partition stopped and waits for a person';
COMMENT ON COLUMN _partition.next_offset IS 'Kafka offset to read next';
COMMENT ON COLUMN _partition.low_offset IS 'first offset in the log; null: unknown';
COMMENT ON COLUMN _partition.high_offset IS 'offset that the next message will get; null: unknown';
COMMENT ON COLUMN _partition.lag_messages IS 'offsets between next_offset and high_offset, never negative; null: unknown';
COMMENT ON COLUMN _partition.lag_seconds IS 'age of the oldest unread message in seconds, 0 at lag 0, never negative; null: unknown';
COMMENT ON COLUMN _partition.messages_read IS 'messages that Kafka gave in committed batches';
COMMENT ON COLUMN _partition.messages_applied IS 'messages of which at least one row reached the target';
COMMENT ON COLUMN _partition.rows_written IS 'rows written to the target';
COMMENT ON COLUMN _partition.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN _partition.skipped IS 'messages left out on purpose';
COMMENT ON COLUMN _partition.retried IS 'dead letters that a retry applied later';
COMMENT ON COLUMN _partition.last_message_at IS 'Kafka''s time of the last message read; null: none yet, or none with a time';
COMMENT ON COLUMN _partition.last_error IS 'last error of this partition, over or not; null: none yet';
COMMENT ON COLUMN _partition.last_error_at IS 'time of last_error; null: none yet';
COMMENT ON COLUMN _partition.worker IS 'number of the worker that reads it; null: none does';

-- The lag of a stream is known when that of each partition is; a sum of some
-- would look like progress.
CREATE VIEW stream_status WITH (security_barrier) AS
SELECT s.name AS stream,
	   l.owner,
	   CASE WHEN p.stopped THEN 'stopped' ELSE l.state END AS state,
	   l.target,
	   s.topic,
	   s.workers,
	   l.pids,
	   p.lag_messages,
	   p.lag_seconds,
	   l.rows_per_second,
	   p.messages_read,
	   p.rows_written,
	   p.dead_letters,
	   coalesce(l.problem, l.note, e.last_error) AS last_error,
	   CASE WHEN l.problem IS NOT NULL THEN s.stopped_at
			WHEN l.note IS NULL THEN e.last_error_at
	   END AS last_error_at,
	   least(s.stopped_at, p.stopped_at, l.failing_since) AS failing_since,
	   s.config_version,
	   coalesce(f.srvname::text COLLATE "default", s.server) AS server,
	   l.hint
FROM userstream.stream s
JOIN userstream._stream_live() l ON l.stream_id = s.id
LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = s.server_oid
CROSS JOIN LATERAL (
	SELECT coalesce(bool_or(stopped), false) AS stopped,
		   min(last_error_at) FILTER (WHERE stopped) AS stopped_at,
		   CASE WHEN bool_and(lag_messages IS NOT NULL)
				THEN sum(lag_messages)
		   END::bigint AS lag_messages,
		   CASE WHEN bool_and(lag_seconds IS NOT NULL)
				THEN max(lag_seconds)
		   END AS lag_seconds,
		   coalesce(sum(messages_read), 0)::bigint AS messages_read,
		   coalesce(sum(rows_written), 0)::bigint AS rows_written,
		   coalesce(sum(dead_letters), 0)::bigint AS dead_letters
	FROM userstream._partition
	WHERE stream_id = s.id
) p
LEFT JOIN LATERAL (
	-- of a partition that stopped, else the latest of partitions and workers
	SELECT last_error, last_error_at
	FROM (SELECT last_error, last_error_at, stopped
		  FROM userstream.stream_position
		  WHERE stream_id = s.id
		  UNION ALL
		  SELECT l.last_error, l.last_error_at, false) errors
	WHERE last_error IS NOT NULL
	ORDER BY stopped DESC, last_error_at DESC NULLS LAST
	LIMIT 1
) e ON true;
COMMENT ON VIEW stream_status IS 'streams of the current role (all of them for members of pg_monitor), one row each';
COMMENT ON COLUMN stream_status.stream IS 'name of the stream';
COMMENT ON COLUMN stream_status.owner IS 'role that owns the stream and as which its workers write';
COMMENT ON COLUMN stream_status.state IS 'starting, running, caught_up, waiting (for something outside), blocked (by something inside), paused, stopped (needs a person); the worst of its workers and partitions';
COMMENT ON COLUMN stream_status.target IS 'table that the rows go to, qualified and quoted';
COMMENT ON COLUMN stream_status.topic IS 'Kafka topic';
COMMENT ON COLUMN stream_status.workers IS 'number of workers wanted; no more than partitions are started';
COMMENT ON COLUMN stream_status.pids IS 'process ids of its workers, in the order of the workers; null: none runs';
COMMENT ON COLUMN stream_status.lag_messages IS 'messages in Kafka that were not read, all partitions; null: unknown for one of them, or no worker runs';
COMMENT ON COLUMN stream_status.lag_seconds IS 'age of the oldest unread message in seconds, 0 at lag 0, never negative; null: unknown';
COMMENT ON COLUMN stream_status.rows_per_second IS 'rows written a second lately, all workers; null: none runs';
COMMENT ON COLUMN stream_status.messages_read IS 'messages that Kafka gave in committed batches';
COMMENT ON COLUMN stream_status.rows_written IS 'rows written to the target';
COMMENT ON COLUMN stream_status.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN stream_status.last_error IS 'why the stream does not run and what continues it, else its last error, over or not; null: none';
COMMENT ON COLUMN stream_status.last_error_at IS 'time of last_error; null: none, or it is found anew at each look';
COMMENT ON COLUMN stream_status.failing_since IS 'time since which a worker or partition fails or is stopped; null: none does';
COMMENT ON COLUMN stream_status.config_version IS 'raised by every change of the definition';
COMMENT ON COLUMN stream_status.server IS 'Kafka server of its topic';
COMMENT ON COLUMN stream_status.hint IS 'while messages wait to be read: what takes at least half of a worker''s time lately, and the setting to change; null: nothing stands out';

CREATE VIEW partition_status WITH (security_barrier) AS
SELECT s.name AS stream,
	   p.partition,
	   CASE WHEN l.problem IS NOT NULL OR p.stopped THEN 'stopped'
			WHEN s.paused THEN 'paused'
			ELSE coalesce(p.state, 'starting')
	   END AS state,
	   p.next_offset,
	   p.low_offset,
	   p.high_offset,
	   p.lag_messages,
	   p.last_message_at,
	   p.messages_read,
	   p.rows_written,
	   p.dead_letters,
	   p.skipped,
	   coalesce(l.problem, l.note, p.last_error) AS last_error,
	   CASE WHEN l.problem IS NOT NULL THEN s.stopped_at
			WHEN l.note IS NULL THEN p.last_error_at
	   END AS last_error_at,
	   p.worker
FROM userstream.stream s
JOIN userstream._stream_live() l ON l.stream_id = s.id
JOIN userstream._partition p ON p.stream_id = s.id;
COMMENT ON VIEW partition_status IS 'partitions of the streams of the current role (of all streams for members of pg_monitor)';
COMMENT ON COLUMN partition_status.stream IS 'name of the stream';
COMMENT ON COLUMN partition_status.partition IS 'number of the Kafka partition';
COMMENT ON COLUMN partition_status.state IS 'as in stream_status, of this partition and its worker';
COMMENT ON COLUMN partition_status.next_offset IS 'Kafka offset to read next, as committed';
COMMENT ON COLUMN partition_status.low_offset IS 'first offset in the log; null: unknown, or no worker runs';
COMMENT ON COLUMN partition_status.high_offset IS 'offset that the next message will get; null: unknown, or no worker runs';
COMMENT ON COLUMN partition_status.lag_messages IS 'offsets between next_offset and high_offset, never negative; null: unknown';
COMMENT ON COLUMN partition_status.last_message_at IS 'Kafka''s time of the last message read; null: none yet, or none with a time';
COMMENT ON COLUMN partition_status.messages_read IS 'messages that Kafka gave in committed batches';
COMMENT ON COLUMN partition_status.rows_written IS 'rows written to the target';
COMMENT ON COLUMN partition_status.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN partition_status.skipped IS 'messages left out on purpose, such as tombstones';
COMMENT ON COLUMN partition_status.last_error IS 'why the partition does not run and what continues it, else its last error, over or not; null: none';
COMMENT ON COLUMN partition_status.last_error_at IS 'time of last_error; null: none, or it is found anew at each look';
COMMENT ON COLUMN partition_status.worker IS 'number of the worker that reads it, from 0, as in its application_name; null: none does';

CREATE VIEW stream_stage WITH (security_barrier) AS
SELECT s.name AS stream,
	   l.worker,
	   l.stage,
	   l.seconds,
	   l.seconds / nullif(sum(l.seconds) OVER (PARTITION BY l.stream_id, l.worker), 0) AS share
FROM userstream.stream s
JOIN userstream._stage_live() l ON l.stream_id = s.id
ORDER BY s.name, l.worker, l.place;
COMMENT ON VIEW stream_stage IS 'what the workers that run have spent their time on since they started, in the order of a message''s way; visible as stream_status';
COMMENT ON COLUMN stream_stage.stream IS 'name of the stream';
COMMENT ON COLUMN stream_stage.worker IS 'number of the worker, from 0, as in its application_name';
COMMENT ON COLUMN stream_stage.stage IS 'fetch_wait (for messages that are there), fetch (taking them from the library), decode (JSON), convert (values to columns), transform (filter, transform, explode), insert (rows; their indexes too unless rows go in directly), index (entries of rows that go in directly), commit (positions, dead letters, the commit), retry_wait (until a batch is tried again), idle (nothing to read)';
COMMENT ON COLUMN stream_stage.seconds IS 'seconds by the clock as of the worker''s last report, which comes with each batch and at least every ten seconds; how it is divided between decode and convert is learned from one message in 64';
COMMENT ON COLUMN stream_stage.share IS 'part of all the worker''s seconds, 0 to 1; null: nothing was reported yet';

CREATE VIEW ledger WITH (security_barrier) AS
SELECT s.name AS stream,
	   p.partition,
	   p.messages_read,
	   p.messages_applied,
	   p.dead_letters,
	   p.skipped,
	   p.retried,
	   p.messages_read = p.messages_applied + p.dead_letters + p.skipped AS balanced
FROM userstream.stream s
JOIN userstream.stream_position p ON p.stream_id = s.id
WHERE userstream._sees(s.owner, s.owner_oid, s.home);
COMMENT ON VIEW ledger IS 'the proof that every message read was applied, dead-lettered or skipped; by partition, visible as stream_status';
COMMENT ON COLUMN ledger.stream IS 'name of the stream';
COMMENT ON COLUMN ledger.partition IS 'number of the Kafka partition';
COMMENT ON COLUMN ledger.messages_read IS 'messages that Kafka gave in committed batches, again after a seek back';
COMMENT ON COLUMN ledger.messages_applied IS 'messages of which at least one row reached the target';
COMMENT ON COLUMN ledger.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN ledger.skipped IS 'messages left out on purpose, such as tombstones';
COMMENT ON COLUMN ledger.retried IS 'dead letters that a retry applied later; part of dead_letters';
COMMENT ON COLUMN ledger.balanced IS 'whether messages_read = messages_applied + dead_letters + skipped';

CREATE VIEW stream_definition WITH (security_barrier) AS
SELECT s.name AS stream,
	   l.owner,
	   coalesce(f.srvname::text COLLATE "default", s.server) AS server,
	   s.topic,
	   l.target,
	   s.format,
	   s.mode,
	   s.key,
	   s.columns,
	   s.transform,
	   s.start_at,
	   s.on_error,
	   s.workers,
	   s.options,
	   s.timezone,
	   s.config_version,
	   s.created_at
FROM userstream.stream s
JOIN userstream._stream_live() l ON l.stream_id = s.id
LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = s.server_oid;
COMMENT ON VIEW stream_definition IS 'what create_stream and alter_stream were told of each stream; visible as stream_status';
COMMENT ON COLUMN stream_definition.stream IS 'name of the stream';
COMMENT ON COLUMN stream_definition.owner IS 'role that owns the stream and as which its workers write';
COMMENT ON COLUMN stream_definition.server IS 'Kafka server of its topic';
COMMENT ON COLUMN stream_definition.topic IS 'Kafka topic';
COMMENT ON COLUMN stream_definition.target IS 'table that the rows go to, qualified and quoted';
COMMENT ON COLUMN stream_definition.format IS 'format of the messages';
COMMENT ON COLUMN stream_definition.mode IS 'append or upsert';
COMMENT ON COLUMN stream_definition.key IS 'columns that name a row in upsert; null: none given';
COMMENT ON COLUMN stream_definition.columns IS 'fields that columns take, beside those of their own name; null: none given';
COMMENT ON COLUMN stream_definition.transform IS 'signature of the function that makes rows of messages, as when last written; null: none';
COMMENT ON COLUMN stream_definition.start_at IS 'where a partition begins that has no position yet';
COMMENT ON COLUMN stream_definition.on_error IS 'what becomes of a message that cannot be taken: dead_letter, or stop';
COMMENT ON COLUMN stream_definition.workers IS 'number of workers wanted; no more than partitions are started';
COMMENT ON COLUMN stream_definition.options IS 'options as given, without those left at their default';
COMMENT ON COLUMN stream_definition.timezone IS 'TimeZone in which values are read: that of the creator''s session';
COMMENT ON COLUMN stream_definition.config_version IS 'raised by every change of the definition';
COMMENT ON COLUMN stream_definition.created_at IS 'time of create_stream';
