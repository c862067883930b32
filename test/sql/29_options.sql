-- Options of a stream: each value that is taken or refused, and a definition
-- whose row holds what this version does not know.  All in transactions that
-- do not commit, so that no worker comes in between.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(59);

CREATE TABLE users (id uuid);

CREATE FUNCTION with_options(options text) RETURNS text LANGUAGE sql AS $$
	SELECT refusal(format(
		'SELECT userstream.create_stream(''s%s'', ''kafka'', ''pgtap_one'', ''users'', options => %L)',
		md5(options), options))
$$;

BEGIN;
SELECT is(with_options(o), 'none', o || ' is taken')
FROM unnest(ARRAY['{"metadata_refresh": 1}', '{"metadata_refresh": "1d"}', '{"metadata_refresh": "90 s"}',
				  '{"metadata_refresh": null}',
				  '{"on_offset_out_of_range": "stop"}', '{"on_offset_out_of_range": "earliest"}',
				  '{"on_offset_out_of_range": "latest"}',
				  '{"max_dead_letters_per_minute": 0}', '{"max_dead_letters_per_minute": "2147483647"}',
				  '{"max_dead_letters_per_minute": null}',
				  '{"tombstone": "ignore"}', '{"tombstone": "dead_letter"}', '{"tombstone": null}',
				  '{"on_conflict": "error"}', '{"on_conflict": "nothing"}', '{"explode": true}',
				  '{"unknown_fields": "ignore"}', '{"unknown_fields": "dead_letter"}',
				  '{"notify": true}', '{"notify": false}', '{"notify": "on"}', '{"notify": null}']) AS o;
SELECT is(split_part(with_options(o), ':', 1), '22023', o || ' is refused')
FROM unnest(ARRAY['{"metadata_refresh": 0}', '{"metadata_refresh": -1}', '{"metadata_refresh": "2d"}',
				  '{"metadata_refresh": 86401}', '{"metadata_refresh": "1 week"}', '{"metadata_refresh": 1.5}',
				  '{"metadata_refresh": true}', '{"metadata_refresh": "10ms"}',
				  '{"on_offset_out_of_range": "end"}', '{"on_offset_out_of_range": 0}',
				  '{"on_offset_out_of_range": "EARLIEST"}',
				  '{"max_dead_letters_per_minute": -1}', '{"max_dead_letters_per_minute": 1.5}',
				  '{"max_dead_letters_per_minute": "1min"}',
				  '{"tombstone": "keep"}', '{"tombstone": false}', '{"tombstone": {}}',
				  '{"unknown_fields": "delete"}', '{"unknown_fields": 1}',
				  '{"notify": 1}', '{"notify": "perhaps"}', '{"notify": [true]}']) AS o;
ROLLBACK;

-- ---------------------------------------------------------------------------
-- what someone else wrote into the row
-- ---------------------------------------------------------------------------
BEGIN;
SELECT userstream.create_stream('odd', 'kafka', 'pgtap_one', 'users');

-- state and last_error with another row than that
CREATE FUNCTION with_row(changes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE 'UPDATE userstream.stream SET ' || changes;
	SELECT state || ': ' || last_error INTO result FROM userstream.stream_status;
	UPDATE userstream.stream SET options = '{}', format = 'json', mode = 'append', on_error = 'stop',
		workers = 1, timezone = 'UTC';
	RETURN result;
END
$$;
SELECT is(with_row($$ options = '{"colour''s": 1}' $$),
	$$stopped: invalid option "colour's"; userstream.alter_stream('odd', options => '{"colour''s": null}') takes it out$$,
	'an option that is not known stops the stream and says what to call');
SELECT is(with_row($$ options = '{"batch_rows": "many"}' $$),
	$$stopped: invalid value for option "batch_rows": "many"; userstream.alter_stream('odd', options => '{"batch_rows": null}') takes it out$$,
	'a value that is none as well');
SELECT is(with_row($$ options = '[1]' $$),
	$$stopped: options must be a JSON object; userstream.drop_stream('odd') and userstream.create_stream() define the stream anew$$,
	'options that are none as well');
SELECT is(with_row($$ format = 'protobuf' $$),
	$$stopped: format "protobuf" is not known to this version; userstream.alter_stream('odd', format => 'json') continues$$,
	'a format of a newer version as well');
SELECT is(with_row($$ mode = 'merge' $$),
	$$stopped: mode "merge" is not known to this version; userstream.alter_stream('odd', mode => 'append') continues$$,
	'a mode as well');
SELECT is(with_row($$ on_error = 'ignore' $$),
	$$stopped: on_error "ignore" is not known to this version; userstream.alter_stream('odd', on_error => 'dead_letter') continues$$,
	'what it does with bad messages as well');
UPDATE userstream.stream SET on_error = 'ignore';
SELECT matches(refusal($$ SELECT userstream.alter_stream('odd', workers => 2) $$), '^22023: invalid on_error "ignore"',
	'altering something else does not choose for it');
UPDATE userstream.stream SET on_error = 'stop';
SELECT is(with_row(format('workers = %s', workers)),
	format($$stopped: a stream cannot have %s workers; userstream.alter_stream('odd', workers => %s) continues$$,
		   workers, possible),
	format('%s workers as well', workers))
FROM (VALUES (0, 1), (65, 64)) AS v (workers, possible);
SELECT is(with_row($$ timezone = 'Nowhere/Far' $$),
	$$stopped: time zone "Nowhere/Far" is not known; userstream.drop_stream('odd') and userstream.create_stream() define the stream anew$$,
	'a time zone as well');
SELECT is(with_row($$ workers = 2 $$), NULL, 'a row as create_stream writes it has no problem');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- what a refusal says
-- ---------------------------------------------------------------------------
SELECT is(with_options('{"metadata_refresh": "2d"}'),
	E'22023: invalid value for option "metadata_refresh": "2d"\n'
	'The value is outside the range 1 .. 86400 seconds.\n'
	'Give a number of seconds, or a text such as "5min".',
	'a time out of range says the range');
SELECT is(with_options('{"metadata_refresh": "1 week"}'),
	E'22023: invalid value for option "metadata_refresh": "1 week"\n'
	'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".',
	'a wrong unit says the units');
SELECT is(with_options('{"tombstone": "delete"}'),
	E'22023: option "tombstone" can be "delete" in mode upsert only\n'
	'In mode append no message removes a row.\nLeave the option out, or choose mode => ''upsert''.',
	'mode append has no deletes');
SELECT is(with_options('{"on_offset_out_of_range": "earlyest"}'),
	E'22023: invalid value for option "on_offset_out_of_range": "earlyest"\nPerhaps you meant "earliest".',
	'a mistyped word is corrected');

SELECT * FROM finish();
