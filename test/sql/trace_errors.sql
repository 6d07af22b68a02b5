--
-- What the tracing functions refuse: every bad input, through each function
-- that takes it, gets its SQLSTATE and a message that says what to do, and
-- changes nothing.
--
SET timezone = 'UTC';
SET intervalstyle = 'postgres';

CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
INSERT INTO visit VALUES (1, 1, '2021-01-01 10:00', '2021-01-01 12:00'), (2, 1, '2021-01-01 11:00', NULL),
	(2, 2, '2021-01-02 08:00', '2021-01-02 09:00'), (3, 2, '2021-01-02 08:30', NULL);
CREATE TABLE mixed (subject bigint, venue varchar(20), entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('mixed');
INSERT INTO mixed SELECT subject, 'v' || venue, entered_at, left_at FROM visit;

-- Run each of the calls and say what became of it.  Those that end the same
-- are told together.
CREATE FUNCTION told(calls text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	call text;
	result text;
	message text; detail text; hint text;
	rows bigint;
	results text[] := '{}';
	names text[] := '{}';
	name text;
	i int;
BEGIN
	FOREACH call IN ARRAY calls LOOP
		name := substring(call FROM '^anshim\.(\w+)');
		BEGIN
			EXECUTE 'SELECT count(*) FROM ' || call INTO rows;
			result := rows || ' rows';
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			result := SQLSTATE || ': ' || message
				|| coalesce(E'\n    DETAIL: ' || nullif(detail, ''), '')
				|| coalesce(E'\n    HINT: ' || nullif(hint, ''), '');
			-- so that functions with the same answer are seen to have it
			result := replace(result, 'Call anshim.' || name || '(', 'Call anshim.<it>(');
		END;
		i := array_position(results, result);
		IF i IS NULL THEN
			results := results || result;
			names := names || name;
		ELSE
			names[i] := names[i] || ', ' || name;
		END IF;
	END LOOP;
	FOR i IN 1 .. cardinality(results) LOOP
		RETURN NEXT names[i] || E'\n  ' || results[i];
	END LOOP;
END $$;

-- The same call of all five functions: on this log, of this case, with these
-- arguments from `during` on
CREATE FUNCTION all_five(log text, subject text, arguments text) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(format('anshim.%s(%s, %s, %s)', name, log,
			CASE WHEN name = 'contacts' THEN subject
				ELSE format('ARRAY[%s]', subject) END, arguments) ORDER BY n)
	FROM unnest('{contacts,exposures,exposure_paths,sources,hotspots}'::text[]) WITH ORDINALITY AS f(name, n) $$;
-- The functions of this list alone, with their arguments after `during`
CREATE FUNCTION those(names text[], arguments text) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(format('anshim.%s(''visit'', %s, ''[2021-01-01, 2021-01-03)'', %s)', name,
			CASE WHEN name = 'contacts' THEN '1' ELSE 'ARRAY[1]' END, arguments) ORDER BY n)
	FROM unnest(names) WITH ORDINALITY AS f(name, n) $$;
\set five '''{contacts,exposures,exposure_paths,sources,hotspots}'''
\set four '''{contacts,exposures,exposure_paths,sources}'''
\set lists '''{exposures,exposure_paths,sources,hotspots}'''
\set three '''{exposures,exposure_paths,sources}'''
\pset format unaligned
\pset tuples_only on

-- Nothing of all this may change anything.
CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$
	SELECT row((SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_type),
		(SELECT count(*) FROM pg_proc),
		(SELECT array_agg(v::text ORDER BY v) FROM visit v),
		(SELECT array_agg(m::text ORDER BY m) FROM mixed m),
		(SELECT array_agg(l::text ORDER BY l::text) FROM anshim.visit_log l))::text $$;
SELECT state() AS before \gset

\echo
\echo '--- These calls are right.'
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));

\echo
\echo '--- The log: none, none of that oid, not tracked, not a table, an index'
SELECT told(all_five('NULL', '1', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('1::regclass', '1', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''no_such_table''', '1', '''[2021-01-01, 2021-01-03)'''));
CREATE TABLE untracked (LIKE visit);
CREATE VIEW seen AS SELECT * FROM visit;
SELECT told(all_five('''untracked''', '1', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''seen''', '1', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''visit_by_venue''', '1', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''pg_class''', '1', '''[2021-01-01, 2021-01-03)'''));
DROP VIEW seen;
DROP TABLE untracked;

\echo
\echo '--- The CHECK is gone, or one of the two indexes.'
BEGIN;
ALTER TABLE visit DROP CONSTRAINT anshim_stay;
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));
ROLLBACK;
BEGIN;
DROP INDEX visit_by_venue;
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));
ROLLBACK;
BEGIN;
DROP INDEX visit_by_subject;
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));
ROLLBACK;

\echo
\echo '--- Columns: dropped, of another type'
BEGIN;
ALTER TABLE visit DROP COLUMN subject;
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));
ROLLBACK;
BEGIN;
ALTER TABLE visit DROP CONSTRAINT anshim_stay, ALTER entered_at TYPE timestamp, ALTER left_at TYPE timestamp;
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));
ROLLBACK;
BEGIN;
ALTER TABLE visit ALTER venue TYPE text;
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));
ROLLBACK;
BEGIN;
ALTER TABLE visit DROP COLUMN subject, ADD COLUMN subject json;
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));
ROLLBACK;

\echo
\echo '--- during: null, empty, beyond all time'
SELECT told(all_five('''visit''', '1', 'NULL'));
SELECT told(all_five('''visit''', '1', '''empty'''));
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-01)'''));
-- Between these bounds there is no whole microsecond.
SELECT told(all_five('''visit''', '1', '''(2021-01-01 11:00, 2021-01-01 11:00:00.000001)'''));
SELECT told(all_five('''visit''', '1', '''[infinity, infinity]'''));
SELECT told(all_five('''visit''', '1', '''[infinity,)'''));
SELECT told(all_five('''visit''', '1', '''[-infinity, -infinity]'''));
SELECT told(all_five('''visit''', '1', '''(,-infinity]'''));
\echo '    and what looks odd and is right:'
SELECT told(all_five('''visit''', '1', '''[2021-01-01 11:00, 2021-01-01 11:00]'''));
SELECT told(all_five('''visit''', '1', '''(,)'''));
SELECT told(all_five('''visit''', '1', '''[-infinity, infinity]'''));
SELECT told(all_five('''visit''', '1', '''(,2021-01-03)'''));
SELECT told(all_five('''visit''', '1', '''[2021-01-01,)'''));
-- until and since beyond all time: no exposure begins before -infinity.
SELECT told(those('{exposures,exposure_paths}', 'until => ''-infinity'''));
SELECT told(those('{exposures,exposure_paths}', 'until => ''infinity'''));
SELECT told(those('{exposures,exposure_paths}', 'until => ''2020-01-01'''));
SELECT told(those('{sources}', 'since => ''infinity'''));
SELECT told(those('{sources}', 'since => ''-infinity'''));

\echo
\echo '--- degrees, min_cases'
SELECT told(those(:three, 'degrees => 0') || those('{hotspots}', 'min_cases => 0'));
SELECT told(those(:three, 'degrees => -1') || those('{hotspots}', 'min_cases => -1'));
SELECT told(those(:three, 'degrees => -2147483648') || those('{hotspots}', 'min_cases => -2147483648'));
SELECT told(those(:three, 'degrees => NULL') || those('{hotspots}', 'min_cases => NULL'));
\echo '    as many as there can be:'
SELECT told(those(:three, 'degrees => 2147483647') || those('{hotspots}', 'min_cases => 2147483647'));

\echo
\echo '--- Lengths: negative, with months, too long, null'
SELECT told(those(:five, 'linger => ''-1 us''') || those(:four, 'min_overlap => ''-1 us''')
	|| those(:three, 'latent => ''-1 us''') || those(:three, 'infectious_for => ''-1 us'''));
SELECT told(those(:five, 'linger => ''1 day -25 hours''') || those(:four, 'min_overlap => ''1 day -25 hours''')
	|| those(:three, 'latent => ''1 day -25 hours''') || those(:three, 'infectious_for => ''1 day -25 hours'''));
SELECT told(those(:five, 'linger => ''1 month''') || those(:four, 'min_overlap => ''1 month''')
	|| those(:three, 'latent => ''1 month''') || those(:three, 'infectious_for => ''1 month'''));
SELECT told(those(:five, 'linger => ''-1 month 60 days''') || those(:four, 'min_overlap => ''1 year -1 hour''')
	|| those(:three, 'latent => ''1 year''') || those(:three, 'infectious_for => ''-1 month'''));
SELECT told(those(:five, 'linger => ''2147483647 days''') || those(:four, 'min_overlap => ''2147483647 days''')
	|| those(:three, 'latent => ''2147483647 days''') || those(:three, 'infectious_for => ''2147483647 days'''));
SELECT told(those(:five, 'linger => NULL') || those(:four, 'min_overlap => NULL') || those(:three, 'latent => NULL'));
\echo '    Days are 24 hours, and may be made up for; the longest are long:'
SELECT told(those(:five, 'linger => ''1 day -24 hours''') || those(:four, 'min_overlap => ''1 day -24 hours''')
	|| those(:three, 'latent => ''1 day -24 hours''') || those(:three, 'infectious_for => ''1 day -24 hours'''));
SELECT told(those(:five, 'linger => ''106751991 days''') || those(:four, 'min_overlap => ''106751991 days''')
	|| those(:three, 'latent => ''106751991 days''') || those(:three, 'infectious_for => ''106751991 days'''));
SELECT told(those(:three, 'infectious_for => NULL'));
SELECT told(those(:three, 'infectious_for => ''0'', degrees => 2'));

\echo
\echo '--- The cases: null, a null among them, none, one who is not in the log, one twice'
SELECT told(ARRAY['anshim.contacts(''visit'', NULL::int, ''[2021-01-01, 2021-01-03)'')']
	|| (SELECT array_agg(format('anshim.%s(''visit'', NULL::int[], ''[2021-01-01, 2021-01-03)'')', name))
		FROM unnest(:lists::text[]) AS name));
\set cases '(SELECT array_agg(format(''anshim.%s(%L, %s, ''''[2021-01-01, 2021-01-03)'''')'', name, ''visit'', cases)) FROM unnest(' :lists '::text[]) AS name)'
SELECT told(:cases) FROM (VALUES ('ARRAY[1, NULL]')) AS c(cases);
SELECT told(:cases) FROM (VALUES ('ARRAY[NULL::int]')) AS c(cases);
SELECT told(:cases) FROM (VALUES ('''{}''::int[]')) AS c(cases);
SELECT told(:cases) FROM (VALUES ('ARRAY[4711]')) AS c(cases);
SELECT told(:cases) FROM (VALUES ('ARRAY[1, 1, 4711]')) AS c(cases);
SELECT told(:cases) FROM (VALUES ('ARRAY[[1], [4711]]')) AS c(cases);
SELECT told(:cases) FROM (VALUES ('''[5:6]={1,4711}''::int[]')) AS c(cases);
SELECT told(ARRAY['anshim.contacts(''visit'', 4711, ''[2021-01-01, 2021-01-03)'')']);

\echo
\echo '--- case_periods: of another length, with null and empty elements'
SELECT told(those(:lists, 'case_periods => ''{}'''));
SELECT told(those(:lists, 'case_periods => ARRAY[''[2021-01-01, 2021-01-02)'', NULL]::tstzrange[]'));
SELECT told((SELECT array_agg(format('anshim.%s(''visit'', ''{}''::int[], ''[2021-01-01, 2021-01-03)'', case_periods => ARRAY[NULL]::tstzrange[])', name))
	FROM unnest(:lists::text[]) AS name));
SELECT told(those(:lists, 'case_periods => ARRAY[NULL]::tstzrange[]'));
SELECT told(those(:lists, 'case_periods => NULL'));
SELECT told(those(:lists, 'case_periods => ''{empty}'''));
SELECT told(those(:lists, 'case_periods => ''{"[2020-01-01, 2020-01-02)"}'''));
SELECT told(those(:lists, 'case_periods => ''{"[infinity,)"}'''));
SELECT told((SELECT array_agg(format('anshim.%s(''visit'', ''{}''::int[], ''[2021-01-01, 2021-01-03)'', case_periods => ''{}'')', name))
	FROM unnest(:lists::text[]) AS name));

\echo
\echo '--- within: negative, not a number, infinite, null, without a table of venues'
SELECT told(those(:four, 'within => -1'));
SELECT told(those(:four, 'within => ''-1e-300'''));
SELECT told(those(:four, 'within => ''NaN'''));
SELECT told(those(:four, 'within => ''Infinity'''));
SELECT told(those(:four, 'within => NULL'));
SELECT told(those(:four, 'within => 1'));
SELECT told(those(:four, 'within => ''-0'''));

\echo
\echo '--- linger_ratio: negative, not a number, infinite, null'
SELECT told(those(:five, 'linger_ratio => -1'));
SELECT told(those(:five, 'linger_ratio => ''-1e-300'''));
SELECT told(those(:five, 'linger_ratio => ''NaN'''));
SELECT told(those(:five, 'linger_ratio => ''Infinity'''));
SELECT told(those(:five, 'linger_ratio => NULL, linger => ''106751991 days'''));
SELECT told(those(:five, 'linger_ratio => ''1e300'', linger => ''106751991 days'''));
SELECT told(those(:five, 'linger_ratio => ''-0'', linger => ''1 hour'''));

\echo
\echo '--- accumulate: no length, negative, with months, shorter than min_overlap, null'
SELECT told(those(:four, 'accumulate => ''0'''));
SELECT told(those(:four, 'accumulate => ''-1 us'''));
SELECT told(those(:four, 'accumulate => ''1 month'''));
SELECT told(those(:four, 'accumulate => ''1 hour'', min_overlap => ''01:00:00.000001'''));
SELECT told(those(:four, 'accumulate => NULL, min_overlap => ''2 hours'''));
\echo '    as short and as long as it gets:'
SELECT told(those(:four, 'accumulate => ''1 us'''));
SELECT told(those(:four, 'accumulate => ''1 hour'', min_overlap => ''1 hour'''));
SELECT told(those(:four, 'accumulate => ''106751991 days'', linger => ''106751991 days'''));

\echo
\echo '--- Key types: nothing is widened, and the hint is the right call.'
SELECT told(all_five('''visit''', '1::bigint', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''visit''', '1::smallint', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''visit''', '''1''::text', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''visit''', '1', 'NULL::text, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1::bigint', '''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1', 'NULL::text, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1::bigint', 'NULL::name, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1::bigint', 'NULL::char(20), ''[2021-01-01, 2021-01-03)'''));
-- Here anyarray's and anycompatible's own rules speak.
SELECT told(ARRAY['anshim.exposures(''visit'', ''{1}'', ''[2021-01-01, 2021-01-03)'')', 'anshim.contacts(''visit'', ''1'', ''[2021-01-01, 2021-01-03)'')']);
SELECT told(ARRAY['anshim.exposures(''visit'', 1, ''[2021-01-01, 2021-01-03)'')']);
\echo '    Both forms, where the types agree; domains and varchar are as good as what they are made of.'
CREATE DOMAIN person AS bigint CHECK (VALUE > 0);
CREATE DOMAIN place AS varchar(30);
CREATE DOMAIN places AS text;
SELECT told(all_five('''visit''', '1', 'NULL::int, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1::bigint', 'NULL::text, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1::bigint', 'NULL::varchar, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1::person', 'NULL::place, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1::person', 'NULL::places, ''[2021-01-01, 2021-01-03)'''));
-- A null without a type could be meant for either form.
SELECT told(all_five('''mixed''', '1::bigint', 'NULL, ''[2021-01-01, 2021-01-03)'''));
BEGIN;
ALTER TABLE mixed ALTER subject TYPE person, ALTER venue TYPE place;
SELECT told(all_five('''mixed''', '1::person', 'NULL::place, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1::bigint', 'NULL::text, ''[2021-01-01, 2021-01-03)'''));
SELECT told(all_five('''mixed''', '1', '''[2021-01-01, 2021-01-03)'''));
ROLLBACK;
-- The result's types are the call's.
SELECT DISTINCT pg_typeof(subject), pg_typeof(via), pg_typeof(venue)
FROM anshim.exposures('mixed', ARRAY[1]::person[], NULL::place, '[2021-01-01, 2021-01-03)');
SELECT DISTINCT pg_typeof(subject), pg_typeof(venue), pg_typeof(case_venue)
FROM anshim.contacts('mixed', 1::bigint, NULL::varchar, '[2021-01-01, 2021-01-03)');
-- The names of the hint are quoted, and its call works once filled in.
CREATE SCHEMA "My logs";
CREATE TABLE "My logs"."Ward's" (subject uuid, venue "char", entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('"My logs"."Ward''s"');
SELECT told(all_five('''"My logs"."Ward''''s"''', '1', '''[2021-01-01, 2021-01-03)'''));
SELECT count(*) FROM anshim.exposures('"My logs"."Ward''s"', '{}'::uuid[], NULL::"char", '[2021-01-01, 2021-01-03)');
ALTER TABLE "My logs"."Ward's" DROP CONSTRAINT anshim_stay;
SELECT told(ARRAY['anshim.exposures(''"My logs"."Ward''''s"'', ''{}''::uuid[], NULL::"char", ''[2021-01-01, 2021-01-03)'')']);
DROP TABLE "My logs"."Ward's";
DROP SCHEMA "My logs";
DROP DOMAIN person, place, places;

\echo
\echo '--- More memory than may be used'
CREATE TABLE crowd (LIKE visit);
ALTER TABLE crowd ALTER entered_at SET NOT NULL;
INSERT INTO crowd SELECT i, 1, '2021-01-01', NULL FROM generate_series(1, 30000) AS i;
SELECT anshim.track_visits('crowd');
SET anshim.max_memory = '1MB';
SELECT told(ARRAY['anshim.exposures(''crowd'', ARRAY[1], ''[2021-01-01, 2021-01-03)'')',
	'anshim.exposure_paths(''crowd'', ARRAY[1], ''[2021-01-01, 2021-01-03)'')',
	'anshim.sources(''crowd'', ARRAY[1], ''[2021-01-01, 2021-01-03)'')',
	'anshim.hotspots(''crowd'', ARRAY[1, 2], ''[2021-01-01, 2021-01-03)'')',
	'anshim.hotspots(''crowd'', (SELECT array_agg(i) FROM generate_series(1, 30000) AS i), ''[2021-01-01, 2021-01-03)'')']);
-- One case's contacts take little, however many they are.
SELECT told(ARRAY['anshim.contacts(''crowd'', 1, ''[2021-01-01, 2021-01-03)'')']);
RESET anshim.max_memory;
SELECT told(ARRAY['anshim.exposures(''crowd'', ARRAY[1], ''[2021-01-01, 2021-01-03)'')']);
DROP TABLE crowd;

\echo
\echo '--- Those that trace through the others'
SELECT told(ARRAY[
	$$anshim.explain_exposures(NULL, ARRAY[1], '(,)')$$,
	$$anshim.exposures_by('cdc-2020', NULL, ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.explain_exposures('visit', NULL::int[], '(,)')$$,
	$$anshim.explain_exposures('visit', ARRAY[NULL::int], '(,)')$$,
	$$anshim.explain_exposures('visit', ARRAY[1], NULL)$$,
	$$anshim.explain_exposures('visit', ARRAY[1], 'empty')$$,
	$$anshim.explain_exposures('visit', ARRAY[1], '(,)', degrees => 0)$$,
	$$anshim.exposures_by('cdc-2020', 'visit', ARRAY[1], ARRAY[date '2021-01-03'], degrees => 0)$$,
	$$anshim.explain_exposures('visit', ARRAY[1], '(,)', degrees => NULL)$$,
	$$anshim.exposures_by('cdc-2020', 'visit', ARRAY[1], ARRAY[date '2021-01-03'], degrees => NULL)$$,
	$$anshim.explain_exposures('visit', ARRAY[1], '(,)', linger => '1 month')$$,
	$$anshim.explain_exposures('visit', ARRAY[1], '(,)', latent => '-1 h')$$,
	$$anshim.exposures_by('cdc-2020', 'visit', ARRAY[1], ARRAY[date '2021-01-03'], latent => '-1 h')$$,
	$$anshim.explain_exposures('visit', ARRAY['a'], '(,)')$$,
	$$anshim.exposures_by(NULL, 'visit', ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.exposures_by('nobody', 'visit', ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.exposures_by('cdc-2020', 'visit', NULL::int[], ARRAY[date '2021-01-03'])$$,
	$$anshim.exposures_by('cdc-2020', 'visit', ARRAY[1], NULL)$$,
	$$anshim.exposures_by('cdc-2020', 'visit', ARRAY[1, 2], ARRAY[date '2021-01-03'])$$]);
-- The call in the hint is the one that was made, not one that it is made of.
SELECT told(ARRAY[
	$$anshim.exposure_dot('visit', ARRAY['a'], '(,)')$$,
	$$anshim.exposure_dot('visit', ARRAY['a'], NULL::text, '(,)')$$,
	$$anshim.exposure_dot('mixed', ARRAY[1], '(,)')$$,
	$$anshim.exposures_by('cdc-2020', 'visit', ARRAY['a'], ARRAY[date '2021-01-03'])$$,
	$$anshim.exposures_by('cdc-2020', 'mixed', ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.exposures_by('cdc-2020', 'mixed', ARRAY[1], NULL::int, ARRAY[date '2021-01-03'])$$,
	$$anshim.exposures_by('cdc-2020', 'mixed', ARRAY[1], ARRAY[date '2021-01-03'], details => true)$$,
	$$anshim.exposures_by('cdc-2020', 'mixed', ARRAY[1], NULL::int, ARRAY[date '2021-01-03'], details => true)$$,
	$$anshim.contacts_by('cdc-2020', 'mixed', ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.epicontacts_linelist('cdc-2020', 'mixed', ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.epicontacts_contacts('cdc-2020', 'mixed', ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.sormas_contacts('cdc-2020', 'mixed', ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.godata_contacts('cdc-2020', 'mixed', ARRAY[1], ARRAY[date '2021-01-03'])$$,
	$$anshim.check_call('mixed', ARRAY[1], '(,)', 'mine(%s)')$$,
	$$anshim.check_call('mixed', ARRAY[1], NULL::text, '(,)', 'mine(1, %s, %s %n)')$$,
	$$anshim.check_call('mixed', ARRAY[1], '(,)', 'mine')$$]);
\echo '    and what is right with them is right with these'
SELECT told(ARRAY[
	$$anshim.exposure_dot('visit', ARRAY[1], '(,)')$$,
	$$anshim.exposure_dot('mixed', ARRAY[1::bigint], NULL::text, '(,)')$$,
	$$anshim.check_call('mixed', ARRAY[1::bigint], '(,)', 'mine(%s)')$$,
	$$anshim.check_call('mixed', ARRAY[1::bigint], NULL::text, '(,)', 'mine(%s)')$$,
	$$anshim.check_call('visit', ARRAY[1], 1, '(,)', 'mine(%s)')$$]);
-- A log, cases and a time are asked of each of them, even where nothing is traced.
SELECT told((SELECT array_agg(format('anshim.%s(''cdc-2020'', %s)', name, arguments) ORDER BY place, n)
	FROM unnest('{exposures_by,contacts_by,epicontacts_linelist,epicontacts_contacts,sormas_contacts,godata_contacts}'::text[]) WITH ORDINALITY AS f (name, n),
		unnest(ARRAY['NULL, ''{}''::int[], ''{}''::date[]', '''pg_class'', ''{}''::int[], ''{}''::date[]', '''visit'', NULL::int[], ''{}''::date[]',
			'''visit'', ARRAY[NULL::int], ARRAY[date ''2021-01-03'']', '''visit'', ARRAY[1], ARRAY[date ''infinity'']',
			'''visit'', ARRAY[1], ARRAY[date ''-infinity'']', '''visit'', ARRAY[1], NULL',
			'''visit'', ''{}''::int[], ''{}''::date[], during => ''empty''', '''visit'', ARRAY[1], ARRAY[date ''2021-01-03''], during => NULL'])
		WITH ORDINALITY AS a (arguments, place)));
SELECT told((SELECT array_agg(format('anshim.exposure_dot(%s)', arguments) ORDER BY place)
	FROM unnest(ARRAY['NULL, ''{}''::int[], ''(,)''', '''pg_class'', ''{}''::int[], ''(,)''', '''visit'', NULL::int[], ''(,)''',
			'''visit'', ARRAY[NULL::int], ''(,)''', '''visit'', ''{}''::int[], ''empty''', '''visit'', ARRAY[1], NULL',
			'''visit'', ARRAY[1], ''(,)'', degrees => 0', '''visit'', ARRAY[1], ''(,)'', linger => ''1 month'''])
		WITH ORDINALITY AS a (arguments, place)));
\echo '    an onset that is not known: infectious all of the time; and a case who is not in the log'
SELECT told(ARRAY[
	$$anshim.exposures_by('cdc-2020', 'visit', ARRAY[1], ARRAY[NULL::date])$$,
	$$anshim.exposures_by('cdc-2020', 'visit', ARRAY[4711], ARRAY[date '2021-01-03'])$$]);

\echo
\echo '--- Nothing has changed, and nothing is left behind.'
SELECT state() = :'before';
SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'anshim%';
SELECT told(all_five('''visit''', '1', '''[2021-01-01, 2021-01-03)'''));
