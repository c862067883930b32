-- userstream: run from CREATE EXTENSION only
\echo Use "CREATE EXTENSION userstream" to load this file. \quit

-- A schema of our name that was there before CREATE EXTENSION keeps its owner,
-- who could put objects beside ours; only someone who could do all anyway may
-- own it.  Nor may it hold anything yet, or be open to others: what they put
-- there could be taken for ours, by the rest of this script or by a caller.
DO $$
BEGIN
	IF NOT (SELECT r.rolsuper OR r.rolname = current_user
			FROM pg_catalog.pg_namespace n
			JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
			WHERE n.nspname = 'userstream')
	THEN
		RAISE invalid_schema_definition USING
			MESSAGE = 'schema "userstream" belongs to a role that is not a superuser',
			HINT = 'Drop that schema, or ALTER SCHEMA userstream OWNER TO CURRENT_USER.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_depend d
			   JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
			   WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.nspname = 'userstream'
				 AND d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass)
	THEN
		RAISE invalid_schema_definition USING
			MESSAGE = 'schema "userstream" holds objects already',
			DETAIL = 'They could be taken for the extension''s own.',
			HINT = 'Drop that schema: CREATE EXTENSION makes it.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n, LATERAL pg_catalog.aclexplode(n.nspacl) a
			   WHERE n.nspname = 'userstream' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner)
	THEN
		RAISE invalid_schema_definition USING
			MESSAGE = 'others may create objects in schema "userstream"',
			DETAIL = 'They could be taken for the extension''s own.',
			HINT = 'Drop that schema: CREATE EXTENSION makes it.';
	END IF;
END
$$;
