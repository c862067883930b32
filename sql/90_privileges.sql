-- Who may do what.
--
-- Everybody may look at what is his and try to define a stream: the functions
-- themselves ask for USAGE on the server, INSERT on the target and membership
-- in the owner.  Nobody but the owner of this extension touches our tables.

GRANT USAGE ON SCHEMA userstream TO PUBLIC;

-- Nothing is granted by default, unless someone set default privileges.
-- Definitions name servers, topics and tables of others: only the views, which
-- filter by owner, may read stream and stream_position.
REVOKE ALL ON ALL TABLES IN SCHEMA userstream FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA userstream FROM PUBLIC;

-- Each asks for rights itself.  Those behind the views run as the reader, so
-- the reader needs EXECUTE; they answer about what the reader may see only.
GRANT EXECUTE ON FUNCTION
	create_stream(text, name, text, regclass, text, text, name[], jsonb, text, text, text, integer, jsonb, boolean),
	alter_stream(text, name, text, regclass, text, text, name[], jsonb, text, text, text, integer, jsonb, name),
	seek_stream(text, text),
	adopt(text),
	drop_stream(text, boolean),
	pause_stream(text),
	resume_stream(text),
	try_message(text, bytea, bytea),
	topics(name),
	peek(name, text, integer, bigint, timestamptz, integer, integer),
	create_feed(text, name, name, text, text, text, text, integer, jsonb, boolean),
	alter_feed(text, name, name, text, text, text, text, integer, jsonb, name),
	drop_feed(text, boolean),
	create_mirror(text, regclass, name, text, text, jsonb, boolean, boolean, jsonb, boolean),
	alter_mirror(text, name, text, text, jsonb, boolean, jsonb, name),
	drop_mirror(text, boolean),
	pause_mirror(text),
	resume_mirror(text),
	resync_mirror(text),
	retry_dead_letters(text, bigint[]),
	wait_for(text, integer, bigint, interval),
	_owns(text, oid, text),
	_sees(text, oid, text),
	_stream_live(),
	_partition_live(),
	_stage_live(),
	_feed_live(),
	_mirror_live()
TO PUBLIC;
GRANT EXECUTE ON PROCEDURE run_feed(text) TO PUBLIC;

-- dead letters hold the data of messages; each role sees those it owns, and
-- pg_monitor sees no more than that
ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE incident ENABLE ROW LEVEL SECURITY;
ALTER TABLE stream_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE feed_run ENABLE ROW LEVEL SECURITY;

CREATE POLICY own ON dead_letter FOR SELECT
	USING (userstream._owns(owner, owner_oid, home));
-- these are never carried to another database, so the oid counts
CREATE POLICY own ON incident FOR SELECT
	USING (userstream._owns(NULL, owner_oid, NULL));
CREATE POLICY own ON stream_history FOR SELECT
	USING (userstream._owns(NULL, owner_oid, NULL));
CREATE POLICY own ON feed_run FOR SELECT
	USING (userstream._owns(NULL, owner_oid, NULL));
COMMENT ON POLICY own ON dead_letter IS 'each role sees what it owns';
COMMENT ON POLICY own ON incident IS 'each role sees what it owns';
COMMENT ON POLICY own ON stream_history IS 'each role sees what it owns';
COMMENT ON POLICY own ON feed_run IS 'each role sees what it owns';

GRANT SELECT ON dead_letter, incident, stream_history, feed_run TO PUBLIC;
GRANT SELECT ON stream_status, stream_definition, partition_status, stream_stage, ledger, feed_status, mirror_status TO PUBLIC;
