--
-- Out to epicontacts, SORMAS and Go.Data: which rows, and whether these
-- programs would know the columns
--
\set SHOW_CONTEXT never
\pset null -
\getenv abs_srcdir PG_ABS_SRCDIR
SET timezone = 'Asia/Seoul';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';

-- Ann met Bob twice, Cat once and briefly, and the other case, Dan, whom Bob
-- met as well.  Eve came after Bob.
CREATE TABLE visit (subject text, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
INSERT INTO visit VALUES
	('Ann', 1, '2021-03-02 10:00', '2021-03-02 11:00'), ('Bob', 1, '2021-03-02 10:30', '2021-03-02 12:00'), ('Cat', 1, '2021-03-02 10:50', '2021-03-02 12:00'),
	('Ann', 2, '2021-03-03 23:00', '2021-03-04 00:00'), ('Bob', 2, '2021-03-03 23:40', '2021-03-04 00:00'), ('Dan', 2, '2021-03-03 23:00', '2021-03-04 01:00'),
	('Ann', 1, '2021-03-20 10:00', '2021-03-20 11:00'), ('Hal', 1, '2021-03-20 10:00', '2021-03-20 11:00'),
	('Bob', 3, '2021-03-06 09:00', '2021-03-06 10:00'), ('Eve', 3, '2021-03-06 09:30', '2021-03-06 10:00'), ('Dan', 3, '2021-03-06 09:30', '2021-03-06 10:00');

-- Whom each case met
SELECT * FROM anshim.contacts_by('who-2020', 'visit', ARRAY['Ann', 'Dan'], '{2021-03-03, 2021-03-08}');
-- ... which is what contacts() says of each, in her own period
SELECT n, count(*), bool_and(b.first_at = c.first_at AND b.last_at = c.last_at AND b.encounters = c.n_met AND b.together = c.together) AS same
FROM (VALUES ('Ann', tstzrange '[2021-03-01, 2021-03-17)'), ('Dan', '[2021-03-06, 2021-03-22)')) AS p (n, period)
CROSS JOIN LATERAL (
	SELECT subject, min(started_at) AS first_at, max(ended_at) AS last_at, count(*) AS n_met, sum(together) AS together
	FROM anshim.contacts('visit', n, NULL::int, period, min_overlap => '15 minutes') GROUP BY subject) AS c
FULL JOIN anshim.contacts_by('who-2020', 'visit', ARRAY['Ann', 'Dan'], '{2021-03-03, 2021-03-08}') AS b ON (b.infector, b.subject) = (n, c.subject)
GROUP BY n ORDER BY n;
-- `during` bounds it; a period that lies outside gives nothing
SELECT infector, subject, encounters FROM anshim.contacts_by('who-2020', 'visit', ARRAY['Ann', 'Dan'], '{2021-03-03, 2021-03-08}', '(,2021-03-03)');
SELECT infector, subject, encounters FROM anshim.contacts_by('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', '[2021-04-01, 2021-04-02)');
-- ... even if by less than a microsecond
SELECT infector, subject, encounters FROM anshim.contacts_by('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', '(2021-03-16 23:59:59.999999,)');
SELECT infector, subject, encounters FROM anshim.contacts_by('who-2020', 'visit', ARRAY['Ann', 'Bob'], '{2021-03-03, NULL}', '(2021-03-03 22:59:59.999999, 2021-03-04 00:00]') ORDER BY 1, 2;
SELECT infector, subject, encounters FROM anshim.contacts_by('who-2020', 'visit', ARRAY['Ann'], '{NULL}') ORDER BY subject;

-- epicontacts: everybody once, and first of all who says who; each hop once
SELECT * FROM anshim.epicontacts_linelist('who-2020', 'visit', ARRAY['Dan', 'Ann', 'Ann'], '{NULL, NULL, 2021-03-03}', degrees => 2);
SELECT * FROM anshim.epicontacts_linelist('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', degrees => 2, latent => '2 days');
SELECT * FROM anshim.epicontacts_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', degrees => 2, latent => '2 days');
-- Both ends of each contact are in the line list.
SELECT count(*) AS without_line
FROM anshim.epicontacts_contacts('clea', 'visit', ARRAY['Ann'], '{2021-03-03}', degrees => 3) AS c
WHERE NOT ARRAY["from", "to"] <@ ARRAY(SELECT id FROM anshim.epicontacts_linelist('clea', 'visit', ARRAY['Ann'], '{2021-03-03}', degrees => 3));

-- What is known of them
CREATE TABLE person (subject text PRIMARY KEY, external_id text, first_name text, last_name text, sex text, birth_date date,
	phone text, email text, street text, house_number text, postal_code text, city text);
INSERT INTO person VALUES
	('Ann', 'ABCDEF-GHIJKL-MNOPQR', 'Ann', 'Ahn', 'female', '1980-01-02', NULL, NULL, NULL, NULL, NULL, NULL),
	('Bob', NULL, 'Bob', 'O"Neil, "junior"', 'Male', '1990-11-05', '+82 64 710 0000', 'bob@example.org', 'Munyeon-ro', '6', '63122', 'Jeju'),
	('Eve', NULL, 'Eve', 'Em', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
\pset format csv
\pset null ''
\pset tuples_only on
-- The file, as \copy … CSV writes it: an entity and a name a column
SELECT * FROM anshim.sormas_contacts('who-2020', 'visit', ARRAY['Ann', 'Dan'], '{2021-03-03, 2021-03-08}', 'person', 'CORONAVIRUS',
	'Jeju', 'Jeju-si', reported => '2021-03-09');
SELECT * FROM anshim.sormas_contacts('who-2020', 'visit', ARRAY['Dan'], '{2021-03-08}', date_format => 'DD.MM.YYYY', reported => '2021-03-09') OFFSET 2;
\pset tuples_only off
SELECT * FROM anshim.godata_contacts('who-2020', 'visit', ARRAY['Ann', 'Dan'], '{2021-03-03, 2021-03-08}', 'person', '2021-03-09');
\pset format aligned
\pset null -
-- Nobody known, no column known: still whom to look for
SELECT "caseIdExternalSystem", "lastContactDate", "person.firstName", "person.sex" FROM anshim.sormas_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}') OFFSET 2;
CREATE VIEW nickname AS SELECT subject, left(subject, 1) AS first_name FROM visit GROUP BY subject;
SELECT "firstName", "lastName", "persons[].id" FROM anshim.godata_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', 'nickname');

-- The columns are SORMAS', in its order and under its entities, and those
-- without which it refuses a line are there; the rows say what the columns do.
CREATE TABLE template (entity text, name text, place int GENERATED ALWAYS AS IDENTITY);
\set file :abs_srcdir '/data/imports/sormas.csv'
COPY template (entity, name) FROM :'file' CSV HEADER;
CREATE TABLE made AS
SELECT o.name, o.place, h.entity, n.written
FROM pg_proc AS p
CROSS JOIN LATERAL unnest(p.proargnames[p.pronargs + 1:]) WITH ORDINALITY AS o (name, place)
JOIN (SELECT value AS entity, key FROM anshim.sormas_contacts('who-2020', 'visit', '{}'::text[], '{}') AS s, jsonb_each_text(to_jsonb(s)) LIMIT 21) AS h ON h.key = o.name
JOIN (SELECT value AS written, key FROM (SELECT * FROM anshim.sormas_contacts('who-2020', 'visit', '{}'::text[], '{}') OFFSET 1) AS s, jsonb_each_text(to_jsonb(s))) AS n ON n.key = o.name
WHERE p.oid = to_regproc('anshim.sormas_contacts');
SELECT count(*), bool_and(m.written = m.name) AS names, bool_and(t.entity = m.entity) AS entities,
	array_agg(m.name ORDER BY m.place) = array_agg(m.name ORDER BY t.place) AS in_order
FROM made AS m LEFT JOIN template AS t USING (name);
SELECT name AS missing FROM unnest('{caseIdExternalSystem, disease, reportDateTime, region, district, person.firstName, person.lastName, person.sex}'::text[]) AS name
EXCEPT SELECT name FROM made;

-- Go.Data's, which it maps by their names, letters and digits alone: each is a
-- property of the contact or else of the relationship, and of only one.
CREATE TABLE property (model text, name text);
\set file :abs_srcdir '/data/imports/godata.csv'
COPY property FROM :'file' CSV HEADER;
SELECT o.name, array_agg(p.model ORDER BY p.model) AS model
FROM pg_proc AS f
CROSS JOIN LATERAL unnest(f.proargnames[f.pronargs + 1:]) AS o (name)
LEFT JOIN property AS p ON lower(regexp_replace(p.name, '\W', '', 'g')) = lower(regexp_replace(o.name, '\W', '', 'g'))
WHERE f.oid = to_regproc('anshim.godata_contacts')
GROUP BY o.name ORDER BY model, o.name COLLATE "C";
SELECT name AS missing FROM unnest('{firstName, persons[].id}'::text[]) AS name
EXCEPT SELECT unnest(proargnames) FROM pg_proc WHERE oid = to_regproc('anshim.godata_contacts');

-- Logs of one type, and of keys that are numbers
CREATE TABLE numbers (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('numbers');
INSERT INTO numbers SELECT ascii(subject), venue, entered_at, left_at FROM visit;
CREATE TABLE somebody AS SELECT ascii(subject) AS subject, first_name, 7 AS external_id FROM person;
SELECT infector, subject, encounters, together FROM anshim.contacts_by('who-2020', 'numbers', ARRAY[ascii('Ann')], '{2021-03-03}');
SELECT * FROM anshim.epicontacts_contacts('who-2020', 'numbers', ARRAY[ascii('Ann')], '{2021-03-03}');
SELECT "firstName", "persons[].id" FROM anshim.godata_contacts('who-2020', 'numbers', ARRAY[ascii('Ann')], '{2021-03-03}', 'somebody');

-- What they refuse
SELECT * FROM anshim.contacts_by('who-1918', 'visit', ARRAY['Ann'], '{2021-03-03}');
SELECT * FROM anshim.contacts_by('who-2020', 'visit', ARRAY['Ann'], '{}');
SELECT * FROM anshim.contacts_by('who-2020', 'person', ARRAY['Ann'], '{2021-03-03}');
SELECT * FROM anshim.contacts_by('who-2020', 'visit', ARRAY[1], '{2021-03-03}');
SELECT * FROM anshim.contacts_by('who-2020', 'visit', ARRAY[NULL::text], '{2021-03-03}');
SELECT * FROM anshim.epicontacts_linelist('who-2020', 'person', ARRAY['Ann'], '{2021-03-03}');
SELECT * FROM anshim.epicontacts_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', degrees => 0);
SELECT * FROM anshim.godata_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', 'template');
SELECT * FROM anshim.godata_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', 'somebody');
SELECT * FROM anshim.people_of('person', ARRAY[7]);
SELECT * FROM anshim.people_of('person_pkey', ARRAY['Ann']);
SELECT subject, person ->> 'first_name' AS first_name FROM anshim.people_of('person', ARRAY['Ann']::varchar[]);
SELECT * FROM anshim.people_of('person', NULL::text[]);
UPDATE person SET sex = 'm' WHERE subject = 'Bob';
SELECT * FROM anshim.godata_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', 'person');

-- Names are read with the caller's rights.
CREATE ROLE regress_anshim_tracer;
GRANT SELECT ON visit TO regress_anshim_tracer;
SET ROLE regress_anshim_tracer;
SELECT count(*) FROM anshim.godata_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}');
SELECT count(*) FROM anshim.godata_contacts('who-2020', 'visit', ARRAY['Ann'], '{2021-03-03}', 'person');
RESET ROLE;
DROP OWNED BY regress_anshim_tracer;
DROP ROLE regress_anshim_tracer;
