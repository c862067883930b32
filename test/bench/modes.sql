-- test/bench/modes.sql
--    transforms and a filter
--
-- Run by the part modes.

-- They give the rows that the messages give by themselves, so that all ways can be checked alike.
CREATE FUNCTION bench.to_document(r jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'id', r->'id', 'first_name', r->'first_name', 'last_name', r->'last_name', 'gender', r->'gender',
		'address', r->'address', 'email', r->'email', 'username', r->'username', 'phone', r->'phone',
		'picture', r->'picture', 'nationality', r->'nationality', 'dob', r->'dob', 'registered_at', r->'registered_at')
$$;

CREATE FUNCTION bench.to_rows(r jsonb) RETURNS SETOF bench.with_key LANGUAGE sql STABLE AS $$
	SELECT (r->>'id')::uuid, r->>'first_name', r->>'last_name', r->>'gender', r->>'address', r->>'email',
		   r->>'username', r->>'phone', r->>'picture', r->>'nationality',
		   (r->>'dob')::timestamptz, (r->>'registered_at')::timestamptz
$$;

CREATE FUNCTION bench.is_wanted(r jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT r->>'email' LIKE '%@%'
$$;
