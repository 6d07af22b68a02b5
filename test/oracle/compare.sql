/*
 * test/oracle/compare.sql
 *
 * The engine beside the oracle. The logs of a test lie in one table, with keys
 * of their own each, so that an answer that takes in a neighbour's rows is
 * noticed too. Where the two disagree, the log is tried alone in a second
 * table, made as small as it gets while they still disagree, and written down
 * as a script.
 *
 * The oracle knows keys as integers: oracle.key gives every integer a key of
 * each type, in the order of that type.
 */

CREATE DOMAIN oracle.badge AS integer;

-- A way to keep a log: the types and names of its columns, how the table is
-- made (%1$s is its name), and the shape of the logs in it: so many, compared
-- with other varieties, and so large.
CREATE TABLE oracle.variety (
	variety integer PRIMARY KEY,
	title text NOT NULL,
	subject text NOT NULL,
	venue text NOT NULL,
	step interval NOT NULL,
	max_stay integer NOT NULL,
	default_stay integer NOT NULL,
	ddl text NOT NULL,
	columns text[] NOT NULL DEFAULT '{subject,venue,entered_at,left_at}',
	subject_key text,				-- of oracle.key, if not named as the type
	venue_key text,
	churned boolean NOT NULL DEFAULT false,
	stays boolean NOT NULL DEFAULT false,	-- do venues say how long visits last?
	repeated integer NOT NULL DEFAULT 1,	-- each row so many times
	share numeric NOT NULL DEFAULT 1,
	scale integer NOT NULL DEFAULT 1
);

INSERT INTO oracle.variety VALUES
	(1, 'uuid, uuid; with sparse leaf pages', 'uuid', 'uuid', '1 microsecond', 12, 1,
	 'CREATE TABLE %1$s (subject uuid, venue uuid, entered_at timestamptz NOT NULL, left_at timestamptz);
	CREATE INDEX ON %1$s (venue, entered_at, subject) INCLUDE (left_at) WITH (fillfactor = 10);
	CREATE INDEX ON %1$s (subject, entered_at, venue) INCLUDE (left_at) WITH (fillfactor = 10)'),
	(2, 'bigint, bigint; a partition a day', 'bigint', 'bigint', '1 hour', 9, 3,
	 'CREATE TABLE %1$s (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY RANGE (entered_at);
	CREATE TABLE %1$s_1 PARTITION OF %1$s FOR VALUES FROM (MINVALUE) TO (''2021-03-28 00:00+00'');
	CREATE TABLE %1$s_2 PARTITION OF %1$s FOR VALUES FROM (''2021-03-28 00:00+00'') TO (''2021-03-28 12:00+00'');
	CREATE TABLE %1$s_3 PARTITION OF %1$s FOR VALUES FROM (''2021-03-28 12:00+00'') TO (''2021-03-29 00:00+00'');
	CREATE TABLE %1$s_4 PARTITION OF %1$s FOR VALUES FROM (''2021-03-29 00:00+00'') TO (''2021-03-30 00:00+00'');
	CREATE TABLE %1$s_rest PARTITION OF %1$s DEFAULT'),
	(3, 'integer, integer; by hash of venue', 'integer', 'integer', '1 microsecond', 6, 6,
	 'CREATE TABLE %1$s (entered_at timestamptz NOT NULL, left_at timestamptz, subject integer, venue integer)
		PARTITION BY HASH (venue);
	CREATE TABLE %1$s_0 PARTITION OF %1$s FOR VALUES WITH (MODULUS 3, REMAINDER 0);
	CREATE TABLE %1$s_1 PARTITION OF %1$s FOR VALUES WITH (MODULUS 3, REMAINDER 1);
	CREATE TABLE %1$s_2 PARTITION OF %1$s FOR VALUES WITH (MODULUS 3, REMAINDER 2)'),
	(4, 'text, text', 'text', 'text', '3 hours', 5, 1,
	 'CREATE TABLE %1$s (subject text, venue text, entered_at timestamptz NOT NULL, left_at timestamptz)'),
	(5, 'integer, text; a partition a day, by hash of venue', 'integer', 'text', '1 microsecond', 20, 1,
	 'CREATE TABLE %1$s (subject integer, venue text, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY RANGE (entered_at);
	CREATE TABLE %1$s_1 PARTITION OF %1$s FOR VALUES FROM (MINVALUE) TO (''2021-03-28 00:00+00'');
	CREATE TABLE %1$s_2 PARTITION OF %1$s FOR VALUES FROM (''2021-03-28 00:00+00'') TO (MAXVALUE)
		PARTITION BY HASH (venue);
	CREATE TABLE %1$s_2_0 PARTITION OF %1$s_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE %1$s_2_1 PARTITION OF %1$s_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1)'),
	(6, 'uuid, bigint; by hash of subject', 'uuid', 'bigint', '1 hour', 12, 1,
	 'CREATE TABLE %1$s (subject uuid, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY HASH (subject);
	CREATE TABLE %1$s_0 PARTITION OF %1$s FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE %1$s_1 PARTITION OF %1$s FOR VALUES WITH (MODULUS 2, REMAINDER 1)'),
	(7, 'text, uuid; partitions whose columns lie elsewhere', 'text', 'uuid', '1 microsecond', 8, 4,
	 'CREATE TABLE %1$s (note text, venue uuid, gone int, entered_at timestamptz NOT NULL, left_at timestamptz, subject text)
		PARTITION BY RANGE (entered_at);
	ALTER TABLE %1$s DROP COLUMN gone;
	CREATE TABLE %1$s_1 (subject text, gone text, left_at timestamptz, entered_at timestamptz NOT NULL, venue uuid, note text);
	ALTER TABLE %1$s_1 DROP COLUMN gone;
	ALTER TABLE %1$s ATTACH PARTITION %1$s_1 FOR VALUES FROM (MINVALUE) TO (''2021-03-28 00:00+00'');
	CREATE TABLE %1$s_2 PARTITION OF %1$s FOR VALUES FROM (''2021-03-28 00:00+00'') TO (''2021-03-28 00:00:00.000007+00'');
	CREATE TABLE %1$s_3 PARTITION OF %1$s FOR VALUES FROM (''2021-03-28 00:00:00.000007+00'') TO (MAXVALUE)'),
	(8, 'bigint, bigint; with dead rows', 'bigint', 'bigint', '1 microsecond', 4, 3,
	 'CREATE TABLE %1$s (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)'),
	(9, 'a domain over integer, varchar; odd names', 'oracle.badge', 'varchar(2000)', '1 hour', 24, 1,
	 'CREATE TABLE %1$s ("Who''s" oracle.badge, "a ""place""" varchar(2000), "FROM" timestamptz NOT NULL, "to" timestamptz)'),
	(10, 'date, numeric; by list of venue', 'date', 'numeric', '2 hours', 7, 7,
	 'CREATE TABLE %1$s (subject date, venue numeric, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY LIST (venue);
	CREATE TABLE %1$s_0 PARTITION OF %1$s FOR VALUES IN (NULL, 1);
	CREATE TABLE %1$s_1 PARTITION OF %1$s DEFAULT'),
	(11, 'bigint, bigint; rows several times, left_at a key', 'bigint', 'bigint', '1 microsecond', 16, 1,
	 'CREATE TABLE %1$s (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz);
	CREATE INDEX ON %1$s (venue, entered_at, subject, left_at);
	CREATE INDEX ON %1$s (subject, entered_at, venue, left_at)'),
	(12, 'integer, bigint; by range of entered_at and venue', 'integer', 'bigint', '1 microsecond', 16, 2,
	 'CREATE TABLE %1$s (subject integer, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY RANGE (entered_at, venue);
	CREATE TABLE %1$s_1 PARTITION OF %1$s FOR VALUES FROM (MINVALUE, MINVALUE) TO (''2021-03-28 00:00+00'', 0);
	CREATE TABLE %1$s_2 PARTITION OF %1$s FOR VALUES FROM (''2021-03-28 00:00+00'', 0) TO (''2021-03-28 00:00:00.000004+00'', 0);
	CREATE TABLE %1$s_3 PARTITION OF %1$s FOR VALUES FROM (''2021-03-28 00:00:00.000004+00'', 0) TO (''2021-03-28 00:00:00.000009+00'', MINVALUE);
	CREATE TABLE %1$s_rest PARTITION OF %1$s DEFAULT;
	CREATE INDEX ON %1$s (venue, entered_at, subject) INCLUDE (left_at)
		WHERE left_at - entered_at > interval ''00:00:00.000003'''),
	(13, 'uuid, text; by range of venue and entered_at', 'uuid', 'text', '1 hour', 16, 1,
	 'CREATE TABLE %1$s (subject uuid, venue text, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY RANGE (venue, entered_at);
	CREATE TABLE %1$s_1 PARTITION OF %1$s FOR VALUES FROM (MINVALUE, MINVALUE) TO (''5'', ''2021-03-28 00:00+00'');
	CREATE TABLE %1$s_2 PARTITION OF %1$s FOR VALUES FROM (''5'', ''2021-03-28 00:00+00'') TO (MAXVALUE, MAXVALUE);
	CREATE TABLE %1$s_rest PARTITION OF %1$s DEFAULT'),
	(14, 'bigint, bigint; large logs', 'bigint', 'bigint', '1 microsecond', 12, 1,
	 'CREATE TABLE %1$s (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)'),
	(15, 'text, text; large logs, partitions', 'text', 'text', '1 hour', 6, 2,
	 'CREATE TABLE %1$s (subject text, venue text, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY RANGE (entered_at);
	CREATE TABLE %1$s_1 PARTITION OF %1$s FOR VALUES FROM (MINVALUE) TO (''2021-03-28 00:00+00'');
	CREATE TABLE %1$s_2 PARTITION OF %1$s FOR VALUES FROM (''2021-03-28 00:00+00'') TO (''2021-03-28 12:00+00'');
	CREATE TABLE %1$s_rest PARTITION OF %1$s DEFAULT');

-- Texts in the order of a language, where the server knows any.
INSERT INTO oracle.variety
SELECT 16, 'text, text; sorted by ICU', 'text', 'text', '2 hours', 8, 1,
	   'CREATE TABLE %1$s (subject text COLLATE "en-x-icu", venue text COLLATE "en-x-icu", entered_at timestamptz NOT NULL, left_at timestamptz)'
FROM pg_collation
WHERE collname = 'en-x-icu';

-- Logs of which a part lies on another server, which is this one: they are
-- asked in SQL.  oracle.make_far() makes a foreign table for a part, and the
-- table behind it.
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
DO $$
BEGIN
	EXECUTE format('CREATE SERVER oracle_far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
				   split_part(current_setting('unix_socket_directories'), ',', 1),
				   current_setting('port'), current_database());
	CREATE USER MAPPING FOR CURRENT_USER SERVER oracle_far;
END
$$;

CREATE FUNCTION oracle.make_far(log text, part text, bounds text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
	-- in a connection of its own, as the other server would have it
	EXECUTE format('DROP TABLE IF EXISTS %s_behind%s', log, part);
	EXECUTE format('CREATE TABLE %s_behind%s (LIKE %1$s)', log, part);
	EXECUTE format('CREATE FOREIGN TABLE %1$s%2$s PARTITION OF %1$s FOR VALUES %3$s SERVER oracle_far '
				   'OPTIONS (schema_name %4$L, table_name %5$L)',
				   log, part, bounds, split_part(log, '.', 1), split_part(log, '.', 2) || '_behind' || part);
END
$$;

INSERT INTO oracle.variety (variety, title, subject, venue, step, max_stay, default_stay, ddl) VALUES
	(17, 'uuid, bigint; some days far away', 'uuid', 'bigint', '1 hour', 9, 3,
	 $ddl$CREATE TABLE %1$s (subject uuid, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY RANGE (entered_at);
	SELECT oracle.make_far('%1$s', '_1', $$FROM (MINVALUE) TO ('2021-03-28 00:00+00')$$);
	CREATE TABLE %1$s_2 PARTITION OF %1$s FOR VALUES FROM ('2021-03-28 00:00+00') TO ('2021-03-28 12:00+00');
	SELECT oracle.make_far('%1$s', '_3', $$FROM ('2021-03-28 12:00+00') TO (MAXVALUE)$$)$ddl$),
	(18, 'text, text; all of it far away, by hash of venue', 'text', 'text', '1 microsecond', 8, 2,
	 $ddl$CREATE TABLE %1$s (subject text, venue text, entered_at timestamptz NOT NULL, left_at timestamptz)
		PARTITION BY HASH (venue);
	SELECT oracle.make_far('%1$s', '_0', 'WITH (MODULUS 2, REMAINDER 0)');
	SELECT oracle.make_far('%1$s', '_1', 'WITH (MODULUS 2, REMAINDER 1)')$ddl$);

CREATE FUNCTION oracle.shape_of(v oracle.variety, logs integer) RETURNS oracle.shape
LANGUAGE sql IMMUTABLE
RETURN ROW(logs, (v).scale, (v).step, (v).step > '1 microsecond', (v).max_stay, (v).default_stay)::oracle.shape;

-- The type as results have it: domains flattened, varchar as text.
CREATE FUNCTION oracle.result_type(type text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
		   WHEN type = 'oracle.badge' THEN 'integer'
		   WHEN type LIKE 'varchar%' THEN 'text'
		   ELSE type
	   END;

UPDATE oracle.variety SET churned = true WHERE variety IN (5, 8);
UPDATE oracle.variety SET stays = true WHERE variety IN (1, 2, 4, 5, 9, 10, 12, 13, 15, 16);
UPDATE oracle.variety SET repeated = 7 WHERE variety = 11;
UPDATE oracle.variety SET share = 0.2 WHERE variety IN (17, 18);
UPDATE oracle.variety SET share = 0.01, scale = 60 WHERE variety IN (14, 15);
UPDATE oracle.variety SET subject_key = coalesce(CASE variety WHEN 16 THEN 'icu' END, oracle.result_type(subject)),
						  venue_key = coalesce(CASE variety WHEN 16 THEN 'icu' END, oracle.result_type(venue));
UPDATE oracle.variety SET columns = ARRAY['Who''s', 'a "place"', 'FROM', 'to'] WHERE variety = 9;

CREATE TABLE oracle.key (
	id integer PRIMARY KEY,
	"uuid" uuid UNIQUE,
	"bigint" bigint UNIQUE,
	"integer" integer UNIQUE,
	"text" text UNIQUE,
	icu text UNIQUE,
	"date" date UNIQUE,
	"numeric" numeric UNIQUE
);

-- Keys 0 .. n - 1. They are random, but integers and dates are dense; the
-- least and greatest bigint are there; and of the texts one is empty, and some
-- differ only behind 200 or 1 200 equal characters, or in their case.
CREATE FUNCTION oracle.make_keys(seed bigint, n integer) RETURNS void
LANGUAGE sql AS $$
	WITH u AS (
		SELECT row_number() OVER (ORDER BY u)::integer - 1 AS id, u
		FROM (SELECT md5('u' || seed || ' ' || i)::uuid AS u
			  FROM generate_series(1, n) AS i) AS k
	), b AS (
		SELECT row_number() OVER (ORDER BY b)::integer - 1 AS id, b
		FROM (SELECT CASE i
						 WHEN 1 THEN 9223372036854775807
						 WHEN 2 THEN -9223372036854775808
						 ELSE hashtextextended('b' || i, seed)
					 END AS b
			  FROM generate_series(1, n) AS i) AS k
	), t AS (
		SELECT row_number() OVER (ORDER BY t)::integer - 1 AS id, t
		FROM (SELECT CASE
						 WHEN i = 1 THEN ''
						 WHEN i % 14 = 0 THEN repeat('longer', 200) || i
						 WHEN i % 7 = 0 THEN repeat('long', 50) || i
						 WHEN i % 7 = 1 THEN 'Venue ' || i - 1
						 WHEN i % 7 = 2 THEN 'venue ' || i - 2
						 WHEN i % 7 = 3 THEN chr(233) || md5(i || ' ' || seed)
						 ELSE substr(md5('t' || seed || ' ' || i), 1 + i % 20) || i
					 END AS t
			  FROM generate_series(1, n) AS i) AS k
	), x AS (
		SELECT row_number() OVER (ORDER BY x)::integer - 1 AS id, x
		FROM (SELECT hashtextextended('x' || i, seed) / power(10::numeric, i % 30) AS x
			  FROM generate_series(1, n) AS i) AS k
	)
	INSERT INTO oracle.key
	SELECT id, u, b, id - n / 2, t, NULL, date '2020-01-01' + id, x
	FROM u JOIN b USING (id) JOIN t USING (id) JOIN x USING (id);
$$;

-- The texts once more, in another order.
CREATE FUNCTION oracle.sort_keys(collation_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE oracle.key AS k SET icu = t."text"
					FROM (SELECT row_number() OVER (ORDER BY "text" COLLATE %I) - 1 AS id, "text" FROM oracle.key) AS t
					WHERE k.id = t.id', collation_name);
END;
$$;

-- An empty, tracked log of this name, and an empty table of its venues.
CREATE FUNCTION oracle.ddl(v oracle.variety, name text) RETURNS text
LANGUAGE sql STABLE
RETURN concat_ws(E';\n',
	format(v.ddl, name),
	format('CREATE TABLE %s_places (venue %s, location geometry, stay interval, closes time, time_zone text)', name, v.venue),
	format('CREATE INDEX ON %s_places USING gist (location)', name),
	format('SELECT anshim.track_visits(%L, subject => %L, venue => %L, entered_at => %L, left_at => %L, max_stay => %L, default_stay => %L)',
		   name, v.columns[1], v.columns[2], v.columns[3], v.columns[4],
		   v.max_stay * v.step, v.default_stay * v.step),
	format('SELECT anshim.track_venues(%L, %L', name, name || '_places')
	|| CASE WHEN v.stays THEN ', default_stay => ''stay'', closes => ''closes'', time_zone => ''time_zone'')' ELSE ')' END);

CREATE FUNCTION oracle.insert_rows(v oracle.variety, name text, rows oracle.log_row[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO %s (%I, %I, %I, %I)
					SELECT s.%I, p.%I, r.entered_at, r.left_at
					FROM unnest($1) WITH ORDINALITY AS r (subject, venue, entered_at, left_at, n)
						 LEFT JOIN oracle.key AS s ON s.id = r.subject
						 LEFT JOIN oracle.key AS p ON p.id = r.venue
					ORDER BY r.n',
				   name, v.columns[1], v.columns[2], v.columns[3], v.columns[4],
				   v.subject_key, v.venue_key)
	USING rows;
END;
$$;

CREATE FUNCTION oracle.insert_places(v oracle.variety, name text, places oracle.place[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO %s_places
					SELECT p.%I, CASE WHEN r.x IS NOT NULL THEN format(''POINT(%%s %%s)'', r.x, r.y)::geometry END, r.stay, r.closes, r.time_zone
					FROM unnest($1) AS r JOIN oracle.key AS p ON p.id = r.venue',
				   name, v.venue_key)
	USING places;
END;
$$;

-- The logs of oracle.random_log, one half of their rows after the other.
CREATE FUNCTION oracle.load(v oracle.variety, seed bigint, half integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	rows oracle.log_row[] := ARRAY(
		SELECT ROW(r.subject, r.venue, r.entered_at, r.left_at)::oracle.log_row
		FROM oracle.random_log AS l,
			 unnest(l.rows) WITH ORDINALITY AS r (subject, venue, entered_at, left_at, n),
			 generate_series(1, v.repeated)
		WHERE (log + n) % 2 = half
		ORDER BY oracle.rnd(seed, log, n || ' place', 1000000));
BEGIN
	IF half = 0 THEN
		PERFORM oracle.insert_places(v, 'oracle.log',
									 ARRAY(SELECT p::oracle.place FROM oracle.random_log AS l, unnest(l.places) AS p));
		IF v.churned THEN
			-- Rows of a transaction that failed, and rows that are gone.
			BEGIN
				PERFORM oracle.insert_rows(v, 'oracle.log', rows);
				RAISE division_by_zero;
			EXCEPTION WHEN division_by_zero THEN
				NULL;
			END;
			PERFORM oracle.insert_rows(v, 'oracle.log', rows);
			DELETE FROM oracle.log;
		END IF;
	END IF;
	PERFORM oracle.insert_rows(v, 'oracle.log', rows);
	IF v.churned THEN
		-- Rows that have moved.
		EXECUTE format('UPDATE oracle.log SET %1$I = %1$I', v.columns[4]);
	END IF;
END;
$$;

-- A call of the engine, as a user would write it. contacts takes one case.
CREATE FUNCTION oracle.call(what text, v oracle.variety, name text, q oracle.question)
RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	subject text := oracle.result_type(v.subject);
	venue text := oracle.result_type(v.venue);
	cases text[];
	arguments text[];
	named text[] := CASE what
						WHEN 'contacts' THEN '{within,linger,min_overlap,linger_ratio,accumulate}'
						WHEN 'hotspots' THEN '{min_cases,linger,case_periods,linger_ratio}'
						WHEN 'sources' THEN '{degrees,linger,min_overlap,within,latent,infectious_for,since,case_periods,linger_ratio,accumulate}'
						ELSE '{degrees,linger,min_overlap,within,latent,infectious_for,until,case_periods,linger_ratio,accumulate}'
					END;
BEGIN
	EXECUTE format('SELECT array_agg(k.%I::text ORDER BY c.n)
					FROM unnest($1) WITH ORDINALITY AS c (id, n) JOIN oracle.key AS k USING (id)', v.subject_key)
	INTO cases
	USING q.cases;

	arguments := ARRAY[quote_literal(name),
					   CASE
						   WHEN what = 'contacts' THEN format('%L::%s', cases[1], subject)
						   ELSE format('%L::%s[]', coalesce(cases, '{}'), subject)
					   END];
	IF subject <> venue THEN
		arguments := arguments || format('NULL::%s', venue);
	END IF;
	arguments := arguments || quote_literal(q.during);

	-- What is at its default is left out.
	RETURN format('anshim.%s(%s)', CASE WHEN what = 'details' THEN 'exposures' ELSE what END,
				  array_to_string(arguments || CASE WHEN what = 'details' THEN 'details => true' END || ARRAY(
					  SELECT format('%s => %L', a.argument, a.value)
					  FROM (VALUES
							('degrees', q.degrees::text, '1'),
							('linger', q.linger::text, '00:00:00'),
							('min_overlap', q.min_overlap::text, '00:00:00'),
							('within', q.within::text, '0'),
							('latent', q.latent::text, '00:00:00'),
							('infectious_for', q.infectious_for::text, NULL),
							('until', q.until::text, NULL),
							('since', q.since::text, NULL),
							('case_periods', q.case_periods::text, NULL),
							('min_cases', q.min_cases::text, '2'),
							('linger_ratio', q.linger_ratio::text, NULL),
							('accumulate', q.accumulate::text, NULL)) AS a (argument, value, default_value)
					  WHERE a.argument = ANY (named) AND a.value IS DISTINCT FROM a.default_value),
					  ', '));
END;
$$;

CREATE FUNCTION oracle.rounded(distance float8) RETURNS float8
LANGUAGE sql IMMUTABLE
RETURN round(distance::numeric, 6)::float8;

-- The engine's rows, with keys as integers. An unknown key comes as NULL, an
-- error as its message.
CREATE FUNCTION oracle.engine_answer(what text, v oracle.variety, name text, q oracle.question)
RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
	list text := CASE what
					 WHEN 'contacts' THEN
						 '({subject}, {venue}, {case_venue}, started_at, ended_at, oracle.length(together), oracle.rounded(distance))::oracle.contact'
					 WHEN 'exposures' THEN
						 '({subject}, degree, exposed_at, {via}, {venue})::oracle.exposure'
					 WHEN 'details' THEN
						 '({subject}, degree, exposed_at, {via}, {venue}, encounters, oracle.length(together))::oracle.ranked'
					 WHEN 'sources' THEN
						 '({subject}, degree, shed_until, {via}, {venue})::oracle.exposure'
					 WHEN 'exposure_paths' THEN
						 '({subject}, step, {infector}, {infected}, {venue}, exposed_at)::oracle.hop'
					 WHEN 'hotspots' THEN
						 '({venue}, started_at, ended_at, case_count, visitor_count)::oracle.hotspot'
				 END;
	answer text[];
BEGIN
	list := regexp_replace(list, '\{(\w*venue)\}',
						   format('(SELECT k.id FROM oracle.key AS k WHERE k.%I = a.\1)', v.venue_key), 'g');
	list := regexp_replace(list, '\{(\w+)\}',
						   format('(SELECT k.id FROM oracle.key AS k WHERE k.%I = a.\1)', v.subject_key), 'g');
	EXECUTE format('SELECT array_agg(r::text ORDER BY r::text COLLATE "C") FROM (SELECT %s AS r FROM %s AS a) AS r',
				   list, oracle.call(what, v, name, q))
	INTO answer;
	RETURN coalesce(answer, '{}');
EXCEPTION WHEN OTHERS THEN
	RETURN ARRAY[format('ERROR %s: %s', SQLSTATE, SQLERRM)];
END;
$$;

CREATE FUNCTION oracle.oracle_answer(what text, v oracle.variety, rows oracle.log_row[], places oracle.place[],
									 q oracle.question)
RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
	default_stay interval := v.default_stay * v.step;
	answer text[];
BEGIN
	CASE what
		WHEN 'contacts' THEN
			answer := ARRAY(SELECT (a.subject, a.venue, a.case_venue, a.started_at, a.ended_at,
									oracle.length(a.together), oracle.rounded(a.distance))::oracle.contact::text
							FROM oracle.contacts(rows, default_stay, places, q) AS a);
		WHEN 'exposures' THEN
			answer := ARRAY(SELECT a::text FROM oracle.exposures(rows, default_stay, places, q) AS a);
		WHEN 'details' THEN
			answer := ARRAY(SELECT (a.subject, a.degree, a.at, a.via, a.venue, a.encounters, oracle.length(a.together))::oracle.ranked::text
							FROM oracle.details(rows, default_stay, places, q) AS a);
		WHEN 'sources' THEN
			answer := ARRAY(SELECT a::text FROM oracle.sources(rows, default_stay, places, q) AS a);
		WHEN 'hotspots' THEN
			answer := ARRAY(SELECT a::text FROM oracle.hotspots(rows, default_stay, q) AS a);
	END CASE;
	RETURN ARRAY(SELECT a FROM unnest(answer) AS a ORDER BY a COLLATE "C");
END;
$$;

-- What both say about a log that lies in the table, if they disagree, else
-- NULL; and how many rows the engine returned.
CREATE FUNCTION oracle.disagreement(what text, v oracle.variety, name text, rows oracle.log_row[], places oracle.place[],
									q oracle.question, OUT said text, OUT engine_rows integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	engine text[] := oracle.engine_answer(what, v, name, q);
	expected text[];
	wrong text[];
BEGIN
	engine_rows := cardinality(engine);
	IF v.stays THEN
		rows := oracle.checked_out(rows, places, v.max_stay * v.step);
	END IF;
	IF engine[1] LIKE 'ERROR%' THEN
		said := engine[1];
	ELSIF what = 'exposure_paths' THEN
		-- Any paths will do that stand by themselves, but always the same.
		wrong := ARRAY(SELECT oracle.wrong_with_paths(rows, v.default_stay * v.step, places, q, engine::oracle.hop[]));
		IF engine <> oracle.engine_answer(what, v, name, q) THEN
			wrong := wrong || 'another answer when asked again'::text;
		END IF;
		IF wrong <> '{}' THEN
			said := format(E'engine:\n\t%s\nwrong:\n\t%s', array_to_string(engine, E'\n\t'), array_to_string(wrong, E'\n\t'));
		END IF;
	ELSE
		expected := oracle.oracle_answer(what, v, rows, places, q);
		IF engine <> expected THEN
			said := format(E'engine only:\n\t%s\noracle only:\n\t%s\nboth:\n\t%s',
						   array_to_string(ARRAY(SELECT unnest(engine) EXCEPT ALL SELECT unnest(expected)), E'\n\t'),
						   array_to_string(ARRAY(SELECT unnest(expected) EXCEPT ALL SELECT unnest(engine)), E'\n\t'),
						   array_to_string(ARRAY(SELECT unnest(engine) INTERSECT ALL SELECT unnest(expected)), E'\n\t'));
		END IF;
	END IF;
END;
$$;

-- What both say about a log that is first put into the table, alone.
CREATE FUNCTION oracle.disagreement_alone(what text, v oracle.variety, name text, rows oracle.log_row[],
										  places oracle.place[], q oracle.question)
RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	IF what = 'contacts' AND q.cases = '{}' OR q.cases IS NULL THEN
		RETURN NULL;
	END IF;
	EXECUTE format('DELETE FROM %s', name);
	EXECUTE format('DELETE FROM %s_places', name);
	PERFORM oracle.insert_rows(v, name, rows);
	PERFORM oracle.insert_places(v, name, places);
	RETURN (oracle.disagreement(what, v, name, rows, places, q)).said;
END;
$$;

-- Questions that are a little simpler than this one.
CREATE FUNCTION oracle.simpler(q oracle.question) RETURNS SETOF oracle.question
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	s oracle.question;
BEGIN
	s := q; s.case_periods := NULL; RETURN NEXT s;
	FOR i IN 1 .. cardinality(q.cases) LOOP
		s := q;
		s.cases := q.cases[:i - 1] || q.cases[i + 1:];
		s.case_periods := q.case_periods[:i - 1] || q.case_periods[i + 1:];
		RETURN NEXT s;
		IF q.case_periods IS NOT NULL THEN
			s := q; s.case_periods[i] := NULL; RETURN NEXT s;
			s := q; s.case_periods[i] := oracle.normalised(q.case_periods[i]); RETURN NEXT s;
		END IF;
	END LOOP;
	s := q; s.degrees := 1; RETURN NEXT s;
	s := q; s.degrees := greatest(q.degrees - 1, 1); RETURN NEXT s;
	s := q; s.linger := '0'; RETURN NEXT s;
	s := q; s.linger := oracle.length(q.linger); RETURN NEXT s;
	s := q; s.min_overlap := '0'; RETURN NEXT s;
	s := q; s.min_overlap := oracle.length(q.min_overlap); RETURN NEXT s;
	s := q; s.within := 0; RETURN NEXT s;
	s := q; s.within := ceil(q.within); RETURN NEXT s;
	s := q; s.latent := '0'; RETURN NEXT s;
	s := q; s.latent := oracle.length(q.latent); RETURN NEXT s;
	s := q; s.infectious_for := NULL; RETURN NEXT s;
	s := q; s.infectious_for := oracle.length(q.infectious_for); RETURN NEXT s;
	s := q; s.until := NULL; RETURN NEXT s;
	s := q; s.since := NULL; RETURN NEXT s;
	s := q; s.accumulate := NULL; RETURN NEXT s;
	s := q; s.accumulate := oracle.length(q.accumulate); RETURN NEXT s;
	s := q; s.linger_ratio := NULL; RETURN NEXT s;
	s := q; s.linger_ratio := 1; RETURN NEXT s;
	s := q; s.min_cases := 1; RETURN NEXT s;
	s := q; s.min_cases := greatest(q.min_cases - 1, 1); RETURN NEXT s;
	s := q; s.during := tstzrange(oracle.origin() - interval '30 days', oracle.origin() + interval '60 days'); RETURN NEXT s;
	s := q; s.during := oracle.normalised(q.during); RETURN NEXT s;
END;
$$;

-- A script that shows a disagreement.
CREATE FUNCTION oracle.script(what text, v oracle.variety, name text, rows oracle.log_row[], places oracle.place[],
							  q oracle.question)
RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	visits text;
	venues text;
BEGIN
	EXECUTE format('SELECT string_agg(format(E''\t(%%L, %%L, %%L, %%L)'', s.%I, p.%I, r.entered_at, r.left_at), E'',\n'')
							|| format(E'';\n-- (subject, venue): %%s'', string_agg(format(''(%%s,%%s)'', r.subject, r.venue), '' ''))
					FROM unnest($1) AS r
						 LEFT JOIN oracle.key AS s ON s.id = r.subject
						 LEFT JOIN oracle.key AS p ON p.id = r.venue',
				   v.subject_key, v.venue_key)
	INTO visits
	USING rows;
	EXECUTE format('SELECT string_agg(format(E''\t(%%L, %%L, %%L, %%L, %%L)'', p.%I, ''POINT('' || x || '' '' || y || '')'', stay, closes, time_zone), E'',\n'') || '';''
					FROM unnest($1) AS r JOIN oracle.key AS p ON p.id = r.venue', v.venue_key)
	INTO venues
	USING places;
	RETURN concat_ws(E'\n',
					 format('SET TimeZone = %L;', current_setting('TimeZone')),
					 oracle.ddl(v, name) || ';',
					 format(E'INSERT INTO %s (%I, %I, %I, %I) VALUES\n', name, v.columns[1], v.columns[2], v.columns[3], v.columns[4]) || visits,
					 format(E'INSERT INTO %s_places VALUES\n', name) || venues,
					 format('SELECT * FROM %s;', oracle.call(what, v, name, q)),
					 format('-- cases: %s', q.cases));
END;
$$;

-- Make the disagreement small, and write it down. NULL if the log, alone,
-- shows none.
CREATE FUNCTION oracle.shrunk(what text, v oracle.variety, name text, rows oracle.log_row[], places oracle.place[],
							  q oracle.question)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	before text;
	fewer oracle.log_row[];
	fewer_places oracle.place[];
	easier oracle.question;
	i integer;
BEGIN
	IF oracle.disagreement_alone(what, v, name, rows, places, q) IS NULL THEN
		RETURN NULL;
	END IF;
	LOOP
		before := format('%s %s %s', rows, places, q);
		i := 1;
		WHILE i <= cardinality(rows) LOOP
			fewer := rows[:i - 1] || rows[i + 1:];
			IF oracle.disagreement_alone(what, v, name, fewer, places, q) IS NOT NULL THEN
				rows := fewer;
			ELSE
				i := i + 1;
			END IF;
		END LOOP;
		i := 1;
		WHILE i <= cardinality(places) LOOP
			fewer_places := places[:i - 1] || places[i + 1:];
			IF oracle.disagreement_alone(what, v, name, rows, fewer_places, q) IS NOT NULL THEN
				places := fewer_places;
			ELSE
				i := i + 1;
			END IF;
		END LOOP;
		LOOP
			SELECT s.*
			INTO easier
			FROM oracle.simpler(q) AS s
			WHERE s::text <> q::text AND oracle.disagreement_alone(what, v, name, rows, places, s) IS NOT NULL
			LIMIT 1;
			EXIT WHEN NOT FOUND;
			q := easier;
		END LOOP;
		EXIT WHEN before = format('%s %s %s', rows, places, q);
	END LOOP;
	RETURN oracle.script(what, v, name, rows, places, q) || E'\n' || oracle.disagreement_alone(what, v, name, rows, places, q);
END;
$$;

-- What has been compared, and the first disagreements.
CREATE TABLE oracle.compared (
	variety integer REFERENCES oracle.variety,
	what text NOT NULL,
	logs integer NOT NULL,
	with_answer integer NOT NULL,	-- logs with a row in the answer
	different integer NOT NULL
);

CREATE TABLE oracle.mismatch (
	variety integer REFERENCES oracle.variety,
	what text NOT NULL,
	report text NOT NULL
);

-- Every log of oracle.random_log. They lie in the table oracle.log, and
-- oracle.alone is for shrinking.
CREATE FUNCTION oracle.compare(v oracle.variety, seed bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	asked text;
	l oracle.random_log;
	q oracle.question;
	d record;
	logs integer;
	with_answer integer;
	different integer;
BEGIN
	FOREACH asked IN ARRAY ARRAY['contacts', 'exposures', 'details', 'exposure_paths', 'sources', 'hotspots'] LOOP
		logs := 0;
		with_answer := 0;
		different := 0;
		FOR l IN SELECT * FROM oracle.random_log LOOP
			q := CASE WHEN asked = 'sources' THEN l.backwards ELSE l.question END;
			CONTINUE WHEN asked = 'contacts' AND q.cases = '{}';
			-- Details of minutes that add up are of degree 1.
			IF asked = 'details' AND q.accumulate IS NOT NULL THEN
				q.degrees := 1;
			END IF;
			-- A stretch has to end at some time.
			CONTINUE WHEN asked = 'hotspots' AND q.linger > '700000 days';
			d := oracle.disagreement(asked, v, 'oracle.log', l.rows, l.places, q);
			logs := logs + 1;
			with_answer := with_answer + least(d.engine_rows, 1);
			CONTINUE WHEN d.said IS NULL;
			different := different + 1;
			CONTINUE WHEN different > 3;
			INSERT INTO oracle.mismatch
			VALUES (v.variety, asked,
					format(E'-- seed %s, variety %s (%s), log %s\n', seed, v.variety, v.title, l.log)
					|| coalesce(oracle.shrunk(asked, v, 'oracle.alone', l.rows, l.places, q),
								E'-- only among the other logs\n'
								|| oracle.script(asked, v, 'oracle.log', l.rows, l.places, q) || E'\n' || d.said));
		END LOOP;
		INSERT INTO oracle.compared VALUES (v.variety, asked, logs, with_answer, different);
	END LOOP;
END;
$$;
