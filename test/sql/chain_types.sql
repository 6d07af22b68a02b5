--
-- Row images are what COPY (FORMAT binary) sends, for each type of PostgreSQL's
-- own: the hash of every row is recomputed from what COPY has written.
--
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/image.copy'
SET client_min_messages = warning;

-- Samples of every type; several, where there is more than one kind of value
CREATE TABLE sample (type text, input text);
INSERT INTO sample SELECT type, input FROM (VALUES
	('bool', ARRAY['t', 'f']), ('"char"', ARRAY['x', '\377']), ('name', ARRAY['name']), ('text', ARRAY['', 'text', 'Ünï©ødé', repeat('long', 3000)]),
	('varchar', ARRAY['', 'varchar']), ('bpchar', ARRAY['char  ', '']), ('bytea', ARRAY['\x', '\x00ff', '\x' || repeat('ab', 20000)]),
	('int2', ARRAY['-32768', '0', '32767']), ('int4', ARRAY['-2147483648', '-1', '2147483647']), ('int8', ARRAY['-9223372036854775808', '9223372036854775807']),
	('oid', ARRAY['0', '4294967295']), ('xid', ARRAY['4294967295']), ('xid8', ARRAY['18446744073709551615']), ('cid', ARRAY['1']), ('tid', ARRAY['(1,2)']),
	('float4', ARRAY['0', '-0', '1.5e-45', '3.4e38', 'NaN', '-Infinity']), ('float8', ARRAY['0', '-0', '5e-324', '1.7e308', 'NaN', 'Infinity']),
	('numeric', ARRAY['0', '0.00', '-1.50', '1e1000', '1e-1000', 'NaN', 'Infinity', '-Infinity', '12345678901234567890.123456789']), ('money', ARRAY['-1.23']),
	('date', ARRAY['2021-01-01', '4713-01-01 BC', 'infinity']), ('time', ARRAY['00:00', '24:00', '12:34:56.789012']), ('timetz', ARRAY['12:34:56.789012+05:30', '00:00-15:59']),
	('timestamp', ARRAY['2021-01-01 00:00:00.000001', '-infinity']), ('timestamptz', ARRAY['2021-01-01 00:00:00.000001+02', 'infinity', '4713-01-01 00:00 BC']),
	('interval', ARRAY['1 mon -2 days 03:04:05.000006', '-178000000 years']), ('uuid', ARRAY['00112233-4455-6677-8899-aabbccddeeff']),
	('json', ARRAY['{"b": 1,  "a":[null,"é"], "b": 2}']), ('jsonb', ARRAY['{"b": 1.50, "a": [null, "é", 1e3]}', '"x"', 'null']), ('jsonpath', ARRAY['$.a[*] ? (@ > 1)']), ('xml', ARRAY['<a>é</a>', '<?xml version="1.0" encoding="UTF-8"?><a/>']),
	('bit', ARRAY['1']), ('varbit', ARRAY['', '101', repeat('1', 1000)]), ('inet', ARRAY['192.168.0.1/24', '::1']), ('cidr', ARRAY['10.0.0.0/8', 'fe80::/10']),
	('macaddr', ARRAY['08:00:2b:01:02:03']), ('macaddr8', ARRAY['08:00:2b:01:02:03:04:05']), ('pg_lsn', ARRAY['16/B374D848']), ('pg_snapshot', ARRAY['10:20:10,14,15']), ('txid_snapshot', ARRAY['10:20:10,14,15']),
	('point', ARRAY['(1,-0)']), ('line', ARRAY['{1,2,3}']), ('lseg', ARRAY['[(0,0),(1,1)]']), ('box', ARRAY['(1,1),(0,0)']), ('path', ARRAY['((0,0),(1,1))', '[(0,0),(1,1)]']), ('polygon', ARRAY['((0,0),(1,0),(1,1))']), ('circle', ARRAY['<(0,0),1>']),
	('tsvector', ARRAY['a:1A cat:2,3 é:4', '']), ('tsquery', ARRAY['a & !b | c:*A', '']), ('int2vector', ARRAY['1 2 3']), ('oidvector', ARRAY['1 2 3']), ('refcursor', ARRAY['cursor']),
	('int4range', ARRAY['[1,5)', 'empty', '(,)']), ('int8range', ARRAY['[1,5)']), ('numrange', ARRAY['(1.10,2.0]']), ('daterange', ARRAY['[2021-01-01,)']), ('tsrange', ARRAY['[2021-01-01,2021-01-02)']), ('tstzrange', ARRAY['[2021-01-01,2021-01-02)']),
	('int4multirange', ARRAY['{[1,2),[5,7)}', '{}']), ('int8multirange', ARRAY['{[1,2)}']), ('nummultirange', ARRAY['{(1.10,2.0]}']), ('datemultirange', ARRAY['{[2021-01-01,)}']), ('tsmultirange', ARRAY['{[2021-01-01,2021-01-02)}']), ('tstzmultirange', ARRAY['{[2021-01-01,2021-01-02)}']),
	('text[]', ARRAY['{}', '{a,NULL,"é"}', '[2:3][0:0]={{a},{b}}']), ('int4[]', ARRAY['{1,NULL,3}']), ('timestamptz[]', ARRAY['{2021-01-01}']), ('jsonb[]', ARRAY['{"{\"a\": 1}"}']), ('int4range[]', ARRAY['{"[1,2)"}']),
	('anshim.token', NULL), ('anshim.link', ARRAY['1/1/1/' || repeat('0a', 32)])) v (type, inputs), unnest(inputs) input;
-- Types of the user's
CREATE TYPE mood AS ENUM ('sad', 'glücklich');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN short AS varchar(5);
CREATE DOMAIN moody AS mood;
CREATE DOMAIN ints AS int[];
CREATE TYPE moodrange AS RANGE (subtype = mood);
INSERT INTO sample VALUES ('mood', 'glücklich'), ('posint', '7'), ('short', 'é'), ('moody', 'sad'), ('ints', '{1,2}'), ('moodrange', '[sad,glücklich)'), ('moodmultirange', '{[sad,glücklich)}');

-- No type of PostgreSQL's that could be chained is missing, but those of which
-- nobody can make a value.
SELECT typname FROM pg_type
WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND typsubscript <> 'array_subscript_handler'::regproc
	AND typname !~ '^reg|^pg_(brin_|dependencies|mcv_list|ndistinct|node_tree)' AND typsend <> 0 AND oid NOT IN (SELECT type::regtype FROM sample)
ORDER BY 1;

-- For each sample a table of one row
CREATE FUNCTION image_agrees(type text, input text, file text, encoding text DEFAULT 'UTF8') RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	sent bytea;
	link anshim.link;
	id uuid;
BEGIN
	EXECUTE format('CREATE TABLE one (value %s, nothing %1$s)', type);
	PERFORM anshim.chain('one');
	PERFORM set_config('client_encoding', encoding, true);
	EXECUTE format('INSERT INTO one (value) VALUES (%L)', input);
	PERFORM set_config('client_encoding', 'UTF8', true);
	SELECT chain INTO id FROM anshim.chained WHERE target = 'one'::regclass;
	EXECUTE 'SELECT link FROM one' INTO link;
	EXECUTE format('COPY (SELECT value, nothing FROM one) TO %L (FORMAT binary)', file);
	sent := pg_read_binary_file(file);
	-- without COPY's header of 19 bytes and trailer of 2
	sent := substr(sent, 20, length(sent) - 21);
	DROP TABLE one;
	RETURN anshim.hash(link) = sha256('\x02' || uuid_send(id) || int4send(anshim.strand(link)) || int4send(1) || int8send(1) || decode(repeat('00', 32), 'hex') || sent);
END
$$;
SELECT count(*) > 100 AS enough, count(*) FILTER (WHERE NOT agrees) AS different FROM (SELECT image_agrees(type, input, :'file') AS agrees FROM sample) s;
SELECT type, left(input, 20) FROM sample WHERE NOT image_agrees(type, input, :'file');

-- The same again, inserted by clients with other encodings
SELECT encoding, type, left(input, 20) FROM sample, unnest(ARRAY['LATIN1', 'SQL_ASCII', 'EUC_KR']) encoding
WHERE type ~ 'text|char|json|xml|name|ts|mood|short' AND NOT image_agrees(type, input, :'file', encoding);

-- A value is hashed as what it is, not as it came: NaN is one value, of whatever
-- bits, and -0 another one than 0.
CREATE TABLE number (id int, f4 float4, f8 float8);
SELECT anshim.chain('number');
INSERT INTO number VALUES (1, 'NaN', 'NaN'), (2, 'inf'::float4 - 'inf'::float4, 'inf'::float8 - 'inf'::float8);
SELECT id, float4send(f4), float8send(f8) FROM number ORDER BY id;
CREATE TABLE filled AS SELECT 1 AS id, 'inf'::float4 - 'inf'::float4 AS f4, 'inf'::float8 - 'inf'::float8 AS f8;
SELECT anshim.chain('filled');
SELECT id, float4send(f4), float8send(f8) FROM filled;

-- Refused are types whose binary form depends on OIDs that a restore changes,
-- or that have none, at whatever depth.
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN pairs AS pair[];
CREATE DOMAIN class AS regclass;
CREATE TYPE pairrange AS RANGE (subtype = pair);
CREATE TYPE classrange AS RANGE (subtype = oid);
CREATE FUNCTION refused(type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
BEGIN
	EXECUTE format('CREATE TABLE one (value %s)', type);
	PERFORM anshim.chain('one');
	DROP TABLE one;
	RETURN 'chained';
EXCEPTION WHEN feature_not_supported THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN message || ': ' || detail;
END
$$;
SELECT type, refused(type) FROM unnest(ARRAY['regclass', 'regtype', 'regproc', 'regprocedure', 'regoper', 'regoperator', 'regrole', 'regnamespace', 'regconfig', 'regdictionary', 'regcollation',
	'regclass[]', 'class', 'pair', 'pair[]', 'pairs', 'pairrange', 'mood[]', 'posint[]', 'aclitem', 'aclitem[]', 'gtsvector']) type ORDER BY 1;
SELECT refused('classrange');
