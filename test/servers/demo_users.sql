-- test/servers/demo_users.sql
--    the users of the demo: what the API says of one -> a message -> a row

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

CREATE FUNCTION format_user(r jsonb) RETURNS jsonb LANGUAGE sql STABLE RETURN jsonb_build_object(
	'id', r #> '{login,uuid}',
	'first_name', r #> '{name,first}',
	'last_name', r #> '{name,last}',
	'gender', r -> 'gender',
	'address', jsonb_build_object(
		'street', concat_ws(' ', r #>> '{location,street,number}', r #>> '{location,street,name}'),
		'city', r #> '{location,city}',
		'state', r #> '{location,state}',
		'country', r #> '{location,country}',
		'postcode', r #> '{location,postcode}',
		'coordinates', r #> '{location,coordinates}',
		'timezone', r #> '{location,timezone}'),
	'email', r -> 'email',
	'username', r #> '{login,username}',
	'dob', left(r #>> '{dob,date}', 10),
	'registered_date', left(r #>> '{registered,date}', 10),
	'phone', r -> 'phone',
	'picture', r #> '{picture,large}',
	'nationality', r -> 'nat');
