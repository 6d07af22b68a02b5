--| # Out to other tools
--|
--| A trace by an agency's definition, in the columns that the tools of outbreak investigation take: the R package epicontacts, SORMAS and
--| WHO's Go.Data. Each function works on any tracked log, whatever the types of its keys.
--|
--| Names, sex and addresses are not in a log of visits. `people` says where they are: a table or a view with a column `subject`, of the
--| log's type, and any of `external_id` (in the tool that imports; for a case: the ID under which she is known there), `first_name`,
--| `last_name`, `sex` (male, female, other or unknown), `birth_date`, `phone`, `email`, `street`, `house_number`, `postal_code` and `city`.
--| Only the rows of those in the trace are read, with the caller's rights.

--| ## anshim.contacts_by
--|
--| Whom each case met, one row for a case and a person, by an agency's definition. With it, the tools below get their contacts.
--|
--| - `onsets`, `during`, `within`: as for `anshim.exposures_by`.
--| - `first_at`, `last_at`: when the first of their encounters began, and the last ended; how many there were, and how long together.
--|
--| Where a case met another case, that is a row as well. Errors: those of `anshim.exposures_by` and `anshim.contacts`.
CREATE FUNCTION anshim.log_venue_type(visits regclass) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	-- where nothing is tracked, whoever is called with it says so
	SELECT coalesce((
		SELECT pg_catalog.format_type(a.atttypid, NULL)
		FROM pg_catalog.pg_class AS c
		JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
		JOIN anshim.visit_log AS l
			ON l.schema_name OPERATOR(pg_catalog.=) n.nspname AND l.table_name OPERATOR(pg_catalog.=) c.relname
		JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) l.venue
		WHERE c.oid OPERATOR(pg_catalog.=) visits AND NOT a.attisdropped), 'text');
END;
COMMENT ON FUNCTION anshim.log_venue_type(regclass) IS 'the type of a log''s venues, as SQL writes it';

CREATE FUNCTION anshim.contacts_by(
	definition text, visits regclass, cases anyarray, onsets date[],
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	infector anyelement, subject anyelement,
	first_at timestamptz, last_at timestamptz, encounters integer, together interval)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	periods tstzrange[] := anshim.infectious_periods(onsets, definition, cardinality(cases));
	rule anshim.definition := anshim.find_definition(definition);
	whole tstzrange;
BEGIN
	PERFORM anshim.check_call(visits, cases, during, 'anshim.contacts_by(definition, %s, onsets, ...)');
	-- with a period, this is either empty or at least a microsecond
	whole := tstzrange(lower(during) + CASE WHEN lower_inc(during) THEN '0' ELSE '1 microsecond' END::interval,
		upper(during) + CASE WHEN upper_inc(during) THEN '1 microsecond' ELSE '0' END::interval);
	RETURN QUERY EXECUTE format(
		'SELECT c.infector, e.subject, min(e.started_at), max(e.ended_at), count(*)::integer, sum(e.together)
		 FROM unnest($2, $3) WITH ORDINALITY AS c (infector, period, place)
		 CROSS JOIN LATERAL anshim.contacts($1, c.infector, NULL::%s, coalesce(c.period, ''(,)'') * $4, $5,
			$6, $7, $8, $9, $10) AS e
		 WHERE NOT isempty(coalesce(c.period, ''(,)'') * $4)
		 GROUP BY c.place, c.infector, e.subject
		 ORDER BY c.place, min(e.started_at), e.subject', anshim.log_venue_type(visits))
		USING visits, cases, periods, whole, coalesce(contacts_by.within, rule.within, 0),
			coalesce(rule.linger, '0'), coalesce(rule.min_overlap, '0'), rule.linger_ratio, rule.accumulate, skip_unreachable;
END
$$;
COMMENT ON FUNCTION anshim.contacts_by(text, regclass, anyarray, date[], tstzrange, double precision, boolean)
IS 'whom each case met by an agency''s definition, a row for a case and a person';

--| ## anshim.epicontacts_linelist
--|
--| The line list of [epicontacts](https://search.r-project.org/CRAN/refmans/epicontacts/html/make_epicontacts.html): everybody in the trace
--| once, whose first column says who. Cases have degree 0. Arguments and errors as for `anshim.exposures_by`.
CREATE FUNCTION anshim.epicontacts_linelist(
	definition text, visits regclass, cases anyarray, onsets date[],
	degrees integer DEFAULT 1,
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL)
RETURNS TABLE (
	id anyelement, onset date, degree integer, exposed_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM anshim.check_call(visits, cases, during, 'anshim.epicontacts_linelist(definition, %s, onsets, ...)');
	RETURN QUERY EXECUTE format(
		'(SELECT DISTINCT ON (c.place) c.id, c.onset, 0, NULL::timestamptz
		  FROM (SELECT *, min(n) OVER (PARTITION BY u.id) AS place FROM unnest($2, $3) WITH ORDINALITY AS u (id, onset, n)) AS c
		  ORDER BY c.place, c.onset)
		 UNION ALL
		 (SELECT e.subject, NULL, e.degree, e.exposed_at
		  FROM anshim.exposures_by($1, $4, $2, NULL::%s, $3, $5, $6, $7, $8, $9) AS e
		  ORDER BY e.degree, e.exposed_at, e.subject)', anshim.log_venue_type(visits))
		USING definition, cases, onsets, visits, degrees, during, epicontacts_linelist.within, latent, infectious_for;
END
$$;
COMMENT ON FUNCTION anshim.epicontacts_linelist(text, regclass, anyarray, date[], integer, tstzrange, double precision, interval, interval)
IS 'epicontacts'' line list of a trace by an agency''s definition';

--| ## anshim.epicontacts_contacts
--|
--| The contacts of epicontacts: from whom to whom, each hop of the trace once, however many were reached through it. In R, with both
--| written by `\copy (SELECT * FROM …) TO '….csv' CSV HEADER`:
--|
--|     make_epicontacts(read.csv("linelist.csv"), read.csv("contacts.csv"), directed = TRUE)
--|
--| Arguments and errors as for `anshim.exposures_by`.
CREATE FUNCTION anshim.epicontacts_contacts(
	definition text, visits regclass, cases anyarray, onsets date[],
	degrees integer DEFAULT 1,
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL)
RETURNS TABLE (
	"from" anyelement, "to" anyelement, venue text, exposed_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	periods tstzrange[] := anshim.infectious_periods(onsets, definition, cardinality(cases));
	rule anshim.definition := anshim.find_definition(definition);
BEGIN
	PERFORM anshim.check_call(visits, cases, during, 'anshim.epicontacts_contacts(definition, %s, onsets, ...)');
	RETURN QUERY EXECUTE format(
		'SELECT DISTINCT p.infector, p.infected, p.venue::text, p.exposed_at
		 FROM anshim.exposure_paths($1, $2, NULL::%s, $3, $4,
			linger => $5, linger_ratio => $6, min_overlap => $7, accumulate => $8, within => $9,
			latent => $10, infectious_for => $11, case_periods => $12) AS p
		 ORDER BY p.exposed_at, p.infector, p.infected', anshim.log_venue_type(visits))
		USING visits, cases, during, degrees,
			coalesce(rule.linger, '0'), rule.linger_ratio, coalesce(rule.min_overlap, '0'), rule.accumulate,
			coalesce(epicontacts_contacts.within, rule.within, 0), latent, infectious_for, periods;
END
$$;
COMMENT ON FUNCTION anshim.epicontacts_contacts(text, regclass, anyarray, date[], integer, tstzrange, double precision, interval, interval)
IS 'epicontacts'' contacts of a trace by an agency''s definition';

--| ## anshim.people_of
--|
--| What `people` knows of these subjects, a row as JSON. NULL: nothing is known. Errors: 42703 if it has no column `subject`, 42804 if that
--| is of another type than the subjects.
CREATE FUNCTION anshim.people_of(people regclass, subjects anyarray)
RETURNS TABLE (subject anyelement, person jsonb)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wanted CONSTANT text := replace(pg_typeof(subjects[1])::text, 'character varying', 'text');
	found_type text;
BEGIN
	IF people IS NULL THEN
		RETURN;
	END IF;
	SELECT replace(format_type(a.atttypid, NULL), 'character varying', 'text') INTO found_type
	FROM pg_class AS c
	JOIN pg_attribute AS a ON a.attrelid = c.oid
	WHERE c.oid = people AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attname = 'subject' AND NOT a.attisdropped;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'column "subject" of "%" does not exist', people
			USING ERRCODE = 'undefined_column',
				HINT = 'Give a table or a view of people whose column "subject" says who, as in the log of visits.';
	ELSIF found_type <> wanted THEN
		RAISE EXCEPTION 'column "subject" of "%" must have the type of the log''s subjects', people
			USING ERRCODE = 'datatype_mismatch',
				DETAIL = format('It is of type %s, and the subjects asked about are of type %s.', found_type, wanted),
				HINT = format('Give a view of it, with subject::%s AS subject.', wanted);
	END IF;
	RETURN QUERY EXECUTE format('SELECT p.subject::%s, to_jsonb(p) FROM %s AS p WHERE p.subject = ANY ($1)',
		pg_typeof(subjects[1]), people) USING subjects;
END
$$;
COMMENT ON FUNCTION anshim.people_of(regclass, anyarray) IS 'what a table of people knows of these subjects';

--| ## anshim.contact_people
--|
--| The rows of `anshim.contacts_by`, without those who are cases themselves and with what is known of both: what an import of contacts
--| needs. Days are those of the session's time zone. Errors: those of `anshim.contacts_by` and `anshim.people_of`, and 22023 for a `sex`
--| that is none of the four.
CREATE FUNCTION anshim.known_sex(sex text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF lower(sex) NOT IN ('male', 'female', 'other', 'unknown') THEN
		RAISE EXCEPTION 'sex "%" is not known', sex
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Give male, female, other or unknown, or NULL.';
	END IF;
	RETURN lower(sex);
END
$$;
COMMENT ON FUNCTION anshim.known_sex(text) IS 'a sex in small letters, or an error';

CREATE FUNCTION anshim.contact_people(
	definition text, visits regclass, cases anyarray, onsets date[],
	people regclass, during tstzrange, within double precision)
RETURNS TABLE (
	case_id text, subject text, first_on date, last_on date, meetings text,
	first_name text, last_name text, sex text, birth_date date, phone text, email text,
	street text, house_number text, postal_code text, city text)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH met AS MATERIALIZED (
		SELECT c.*
		FROM anshim.contacts_by(definition, visits, cases, onsets, during, contact_people.within) WITH ORDINALITY AS c
			(infector, subject, first_at, last_at, encounters, together, place)
		WHERE c.subject <> ALL (cases)
	), known AS MATERIALIZED (
		SELECT k.*
		FROM anshim.people_of(people, ARRAY(SELECT m.subject FROM met AS m) || cases) AS k
	)
	SELECT coalesce(i.person ->> 'external_id', m.infector::text), m.subject::text,
		m.first_at::date,
		-- a meeting that ended at midnight was the day before
		greatest(m.first_at, m.last_at - interval '1 microsecond')::date,
		format(CASE m.encounters WHEN 1 THEN '%s encounter, %s' ELSE '%s encounters, %s' END,
			m.encounters, to_char(m.together, 'FMHH24 "h" MI "min"')),
		k.person ->> 'first_name', k.person ->> 'last_name',
		anshim.known_sex(k.person ->> 'sex'), (k.person ->> 'birth_date')::date,
		k.person ->> 'phone', k.person ->> 'email',
		k.person ->> 'street', k.person ->> 'house_number', k.person ->> 'postal_code', k.person ->> 'city'
	FROM met AS m
	LEFT JOIN known AS i ON i.subject = m.infector
	LEFT JOIN known AS k ON k.subject = m.subject
	ORDER BY m.place;
END
$$;
COMMENT ON FUNCTION anshim.contact_people(text, regclass, anyarray, date[], regclass, tstzrange, double precision)
IS 'whom each case met, cases aside, with what is known of them';

--| ## anshim.sormas_contacts
--|
--| A file for [SORMAS](https://github.com/SORMAS-Foundation/SORMAS-Project)' import of contacts (Contacts, Import, Detailed Contact Import):
--|
--|     \copy (SELECT * FROM anshim.sormas_contacts('who-2020', 'visit', ARRAY['Ann'], ARRAY[date '2021-03-02'],
--|         people => 'person', disease_code => 'CORONAVIRUS')) TO 'contacts.csv' CSV
--|
--| Without HEADER: its first two rows are those with which such a file begins, the entities and the names of the columns, as in the
--| template that SORMAS writes. Columns of the template that a log of visits knows nothing of are left out; SORMAS does not ask for them.
--|
--| - `disease_code`: SORMAS' name of it, in capitals; `region_name`, `district_name`: as SORMAS spells them. They are needed where it does
--|   not know the case; of one that it knows by her UUID (her `external_id`) it takes them.
--| - `date_format`: as the language of who imports asks, for `to_char`: MM/DD/YYYY for English, DD/MM/YYYY or DD.MM.YYYY for most others.
--| - `reported`: the day of the report.
--| - `onsets`, `people`, `during`, `within`: as above.
--|
--| A line without first name, last name or sex comes back in SORMAS' error report, to be completed. An unknown sex is UNKNOWN, which it
--| takes. SORMAS knows contacts of cases, and none of further degree. Errors: those of `anshim.contact_people`.
CREATE FUNCTION anshim.sormas_contacts(
	definition text, visits regclass, cases anyarray, onsets date[],
	people regclass DEFAULT NULL,
	disease_code text DEFAULT NULL,
	region_name text DEFAULT NULL,
	district_name text DEFAULT NULL,
	date_format text DEFAULT 'MM/DD/YYYY',
	reported date DEFAULT CURRENT_DATE,
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0)
RETURNS TABLE (
	"caseIdExternalSystem" text, "disease" text, "reportDateTime" text, "region" text, "district" text,
	"multiDayContact" text, "firstContactDate" text, "lastContactDate" text, "description" text,
	"person.firstName" text, "person.lastName" text, "person.sex" text,
	"person.birthdateDD" text, "person.birthdateMM" text, "person.birthdateYYYY" text,
	"person.address.city" text, "person.address.postalCode" text, "person.address.street" text, "person.address.houseNumber" text,
	"person.phone" text, "person.emailAddress" text)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM anshim.check_call(visits, cases, during, 'anshim.sormas_contacts(definition, %s, onsets, ...)');
	RETURN QUERY VALUES
		('Contact', 'Contact', 'Contact', 'Contact', 'Contact',
			'Contact', 'Contact', 'Contact', 'Contact',
			'Person', 'Person', 'Person', 'Person', 'Person', 'Person',
			'Location', 'Location', 'Location', 'Location', 'Person', 'Person'),
		('caseIdExternalSystem', 'disease', 'reportDateTime', 'region', 'district',
			'multiDayContact', 'firstContactDate', 'lastContactDate', 'description',
			'person.firstName', 'person.lastName', 'person.sex', 'person.birthdateDD', 'person.birthdateMM', 'person.birthdateYYYY',
			'person.address.city', 'person.address.postalCode', 'person.address.street', 'person.address.houseNumber',
			'person.phone', 'person.emailAddress');
	RETURN QUERY
	SELECT c.case_id, disease_code, to_char(reported, date_format), region_name, district_name,
		(c.first_on < c.last_on)::text,
		CASE WHEN c.first_on < c.last_on THEN to_char(c.first_on, date_format) END,
		to_char(c.last_on, date_format), c.meetings,
		c.first_name, c.last_name, upper(coalesce(c.sex, 'unknown')),
		to_char(c.birth_date, 'FMDD'), to_char(c.birth_date, 'FMMM'), to_char(c.birth_date, 'FMYYYY'),
		c.city, c.postal_code, c.street, c.house_number, c.phone, c.email
	FROM anshim.contact_people(definition, visits, cases, onsets, people, during, sormas_contacts.within) AS c;
END
$$;
COMMENT ON FUNCTION anshim.sormas_contacts(text, regclass, anyarray, date[], regclass, text, text, text, text, date, tstzrange, double precision)
IS 'a file of contacts for SORMAS, by an agency''s definition';

--| ## anshim.godata_contacts
--|
--| A file for [Go.Data](https://github.com/WorldHealthOrganization/GoDataSource-API)'s import of contacts (Contacts, Import):
--|
--|     \copy (SELECT * FROM anshim.godata_contacts('who-2020', 'visit', ARRAY['Ann'], ARRAY[date '2021-03-02'],
--|         people => 'person')) TO 'contacts.csv' CSV HEADER
--|
--| The columns have the names of Go.Data's own properties, so that it maps them by itself in any language. `persons[].id` is the case, by
--| Go.Data's ID or the case ID that people see there: her `external_id`. `contactDate` is the day of the last contact. Go.Data asks for
--| a first name and the case; the other cells may be empty.
--|
--| - `reported`, `onsets`, `people`, `during`, `within`: as for `anshim.sormas_contacts`.
--|
--| Errors: those of `anshim.contact_people`.
CREATE FUNCTION anshim.godata_contacts(
	definition text, visits regclass, cases anyarray, onsets date[],
	people regclass DEFAULT NULL,
	reported date DEFAULT CURRENT_DATE,
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0)
RETURNS TABLE (
	"firstName" text, "lastName" text, "gender" text, "dob" text, "dateOfReporting" text,
	"addresses[].city" text, "addresses[].postalCode" text, "addresses[].addressLine1" text,
	"addresses[].phoneNumber" text, "addresses[].emailAddress" text,
	"persons[].id" text, "dateOfFirstContact" text, "contactDate" text, "comment" text)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	iso CONSTANT text := 'YYYY-MM-DD';
BEGIN
	PERFORM anshim.check_call(visits, cases, during, 'anshim.godata_contacts(definition, %s, onsets, ...)');
	RETURN QUERY
	SELECT c.first_name, c.last_name, initcap(nullif(c.sex, 'unknown')), to_char(c.birth_date, iso), to_char(reported, iso),
		c.city, c.postal_code, nullif(concat_ws(' ', c.street, c.house_number), ''), c.phone, c.email,
		c.case_id, to_char(c.first_on, iso), to_char(c.last_on, iso), c.meetings
	FROM anshim.contact_people(definition, visits, cases, onsets, people, during, godata_contacts.within) AS c;
END
$$;
COMMENT ON FUNCTION anshim.godata_contacts(text, regclass, anyarray, date[], regclass, date, tstzrange, double precision)
IS 'a file of contacts for Go.Data, by an agency''s definition';
