-- test/servers/demo_dashboard.sql
--    what the dashboard's page Users shows: counted once a minute, not at each look
--
-- The dashboard reads views of these names in schema dashboard, whoever makes
-- them and however; here they are materialised, so that a page costs the same
-- at a million users.

CREATE SCHEMA dashboard;

CREATE VIEW dashboard.users AS
SELECT nationality, gender, extract(year FROM age(current_date, dob))::integer AS age, registered_date
FROM spark_streams.created_users;
COMMENT ON VIEW dashboard.users IS 'what is counted of users; age null: no date of birth';

CREATE MATERIALIZED VIEW dashboard.users_totals AS
SELECT coalesce(sum(n), 0)::bigint AS total,
	   (sum(ages) / nullif(sum(n_ages), 0))::double precision AS age_avg,
	   coalesce(sum(n - n_ages), 0)::bigint AS age_unknown,
	   count(DISTINCT nationality) AS nationalities,
	   coalesce(sum(n) FILTER (WHERE gender = 'male'), 0)::bigint AS male,
	   coalesce(sum(n) FILTER (WHERE gender = 'female'), 0)::bigint AS female,
	   coalesce(sum(n) FILTER (WHERE gender IS NULL OR gender NOT IN ('male', 'female')), 0)::bigint AS other,
	   now() AS refreshed_at
FROM (SELECT nationality, gender, count(*) AS n, count(age) AS n_ages, sum(age) AS ages
	  FROM dashboard.users GROUP BY 1, 2) groups;
CREATE UNIQUE INDEX ON dashboard.users_totals (refreshed_at);

CREATE MATERIALIZED VIEW dashboard.users_by_nationality AS
SELECT nationality, gender, count(*) AS n FROM dashboard.users GROUP BY 1, 2;
CREATE UNIQUE INDEX ON dashboard.users_by_nationality (nationality, gender);

CREATE MATERIALIZED VIEW dashboard.users_by_age AS
SELECT age / 5 * 5 AS lo, age / 5 * 5 + 4 AS hi, gender, count(*) AS n FROM dashboard.users GROUP BY 1, 2, 3;
CREATE UNIQUE INDEX ON dashboard.users_by_age (lo, gender);

CREATE MATERIALIZED VIEW dashboard.users_age_by_month AS
SELECT month, gender, n, p[1] AS p10, p[2] AS p50, p[3] AS p90
FROM (SELECT date_trunc('month', registered_date)::date AS month, gender, count(*) AS n,
			 percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY age) AS p
	  FROM dashboard.users WHERE age IS NOT NULL AND gender IS NOT NULL AND isfinite(registered_date)
	  GROUP BY 1, ROLLUP (2)) months;
CREATE UNIQUE INDEX ON dashboard.users_age_by_month (month, gender);
COMMENT ON MATERIALIZED VIEW dashboard.users_age_by_month IS 'ages by month of registration; gender null: all';

-- ids are random, so the first ones are a sample, and the same one each time
CREATE MATERIALIZED VIEW dashboard.users_sample AS
SELECT row_number() OVER () AS n, registered_date AS registered, age, gender
FROM (SELECT extract(year FROM age(current_date, dob))::integer AS age, registered_date, gender
	  FROM spark_streams.created_users
	  WHERE dob IS NOT NULL AND isfinite(registered_date) ORDER BY id LIMIT 1000) users;
CREATE UNIQUE INDEX ON dashboard.users_sample (n);
COMMENT ON MATERIALIZED VIEW dashboard.users_sample IS 'at most 1000 users without their names';

CREATE VIEW dashboard.users_arrivals AS
SELECT date_trunc('minute', at) AS minute, sum(arrived)::bigint AS n
FROM (SELECT at, greatest(rows_written - coalesce(lag(rows_written) OVER (ORDER BY at), 0), 0) AS arrived
	  FROM userstream.stream_history
	  WHERE stream = 'users'
		-- from the last line before it, however old that is
		AND at >= coalesce((SELECT max(at) FROM userstream.stream_history
							WHERE stream = 'users' AND at < now() - interval '1 hour'), '-infinity')) minutes
WHERE at >= now() - interval '1 hour'
GROUP BY 1;
COMMENT ON VIEW dashboard.users_arrivals IS 'rows of stream users by minute, last hour';

CREATE FUNCTION dashboard.refresh() RETURNS void LANGUAGE sql
AS $$
	REFRESH MATERIALIZED VIEW CONCURRENTLY dashboard.users_totals;
	REFRESH MATERIALIZED VIEW CONCURRENTLY dashboard.users_by_nationality;
	REFRESH MATERIALIZED VIEW CONCURRENTLY dashboard.users_by_age;
	REFRESH MATERIALIZED VIEW CONCURRENTLY dashboard.users_age_by_month;
	REFRESH MATERIALIZED VIEW CONCURRENTLY dashboard.users_sample;
$$;
COMMENT ON FUNCTION dashboard.refresh() IS 'count users anew; readers do not wait for it';

SELECT cron.schedule('dashboard_users', '* * * * *', 'SELECT dashboard.refresh()');

GRANT USAGE ON SCHEMA dashboard TO userstream_dashboard;
GRANT SELECT ON dashboard.users_totals, dashboard.users_by_nationality, dashboard.users_by_age,
	dashboard.users_age_by_month, dashboard.users_sample, dashboard.users_arrivals TO userstream_dashboard;

-- so that its page of messages shows some: these users are made up
GRANT USAGE ON FOREIGN SERVER kafka TO userstream_dashboard;
