--| # Definitions of close contact
--|
--| What health agencies call a close contact, as data, so that an investigator names a rule instead of spelling it out.

--| ## anshim.definition
--|
--| Shipped are definitions of the COVID-19 pandemic. Each value is one that the row's `source` states; NULL is what it leaves
--| open, and `dated` is NULL where no day is known. Some sources are secondary, and say so: check them before you decide by them.
--|
--| - A length that is NULL does not restrict: any overlap counts, nothing adds up, no air lingers.
--| - A side of the infectious period that is NULL has no bound.
--| - `within` is between two people, as agencies say it.
--| - CLEA lets each kind of venue have its own length of stay; that belongs to the venues (`anshim.track_venues`). The Corona-Warn-App
--|   weighed minutes by risk, which is not done here.
--|
--| Shipped rows cannot be changed, so that their names mean the same everywhere. Whoever owns the table adds rows of her own,
--| which pg_dump keeps:
--|
--| ```sql
--| INSERT INTO anshim.definition (name, min_overlap, accumulate, days_before, days_after, source)
--| VALUES ('our ward', '5 minutes', '8 hours', 3, 10, 'the hospital''s hygiene plan');
--| ```
CREATE TABLE anshim.definition (
	name text COLLATE "C" NOT NULL
		CONSTRAINT definition_pkey PRIMARY KEY
		CONSTRAINT definition_name CHECK (name OPERATOR(pg_catalog.<>) ''),
	min_overlap interval,
	accumulate interval,
	linger interval,
	linger_ratio double precision,
	within double precision,
	days_before integer
		CONSTRAINT definition_days_before CHECK (days_before OPERATOR(pg_catalog.>=) 0),
	days_after integer
		CONSTRAINT definition_days_after CHECK (days_after OPERATOR(pg_catalog.>=) 0),
	source text NOT NULL,
	dated date,
	shipped boolean NOT NULL DEFAULT false,
	CONSTRAINT definition_sum CHECK (accumulate IS NULL OR min_overlap IS NOT NULL),
	CONSTRAINT definition_air CHECK (linger_ratio IS NULL OR linger IS NOT NULL)
);
COMMENT ON TABLE anshim.definition IS 'what agencies call a close contact';
COMMENT ON COLUMN anshim.definition.name IS 'what it is called here';
COMMENT ON COLUMN anshim.definition.min_overlap IS 'the least time together';
COMMENT ON COLUMN anshim.definition.accumulate IS 'within so long, shorter meetings add up to it';
COMMENT ON COLUMN anshim.definition.linger IS 'how long air stays infectious at most';
COMMENT ON COLUMN anshim.definition.linger_ratio IS '... and for so many times the stay';
COMMENT ON COLUMN anshim.definition.within IS 'metres between two people';
COMMENT ON COLUMN anshim.definition.days_before IS 'so many days before her onset a case begins to be infectious';
COMMENT ON COLUMN anshim.definition.days_after IS 'and so many days after it is the last';
COMMENT ON COLUMN anshim.definition.source IS 'where that is written';
COMMENT ON COLUMN anshim.definition.dated IS 'since when it reads so';
COMMENT ON COLUMN anshim.definition.shipped IS 'is it anshim''s own row?';
GRANT SELECT ON anshim.definition TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.definition', 'WHERE NOT shipped');

INSERT INTO anshim.definition VALUES
	('who-2020', '15 minutes', NULL, NULL, NULL, 1, 2, 13,
		'WHO''s definition of a contact of 16 December 2020; its period as later revised, 13 days after onset at least: http://hozir.org/the-objectives-of-covid-19-surveillance-are-to--monitor-sars-c.html?page=5',
		'2020-12-16', true),
	('cdc-2020', '15 minutes', '24 hours', NULL, NULL, 1.8288, 2, NULL,
		'CDC, 6 feet, until the case is isolated: https://covid19businessguidanceredesign.perkinscoieblogs.com/2020/10/cdc-modifies-definition-of-close-contact/',
		'2020-10-21', true),
	('ecdc-2020', NULL, NULL, NULL, NULL, NULL, 2, NULL,
		'ECDC, Contact tracing, second update, of which 48 hours before onset alone are confirmed here', '2020-04-08', true),
	('kdca-2020', '15 minutes', NULL, NULL, NULL, 2, NULL, NULL,
		'KDCA as quoted in 2022 by a-ha.io, a secondary source; its text of 2020 was not found', NULL, true),
	('estonia-2020', '15 minutes', '24 hours', NULL, NULL, 2, 2, 10,
		'the Estonian government''s page on the crisis, kriis.ee', NULL, true),
	('cwa', '10 minutes', NULL, '30 minutes', 1, NULL, NULL, NULL,
		'Corona-Warn-App: cwa-server, services/distribution/src/main/resources/main-config/v2/presence-tracing-parameters.yaml', NULL, true),
	('clea', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
		'TousAntiCovid, CLEA-exposure-verification, documents/CLEA-specification-EN.md, draft of March 2021', NULL, true);

CREATE FUNCTION anshim.definition_changes() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'INSERT' AND NOT NEW.shipped THEN
		RETURN NEW;
	ELSIF TG_OP = 'UPDATE' AND NOT OLD.shipped AND NOT NEW.shipped THEN
		RETURN NEW;
	ELSIF TG_OP = 'DELETE' AND NOT OLD.shipped THEN
		RETURN OLD;
	END IF;
	RAISE EXCEPTION 'shipped definitions of contact cannot be added, changed or removed'
		USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Add a row of your own, under another name.';
END
$$;
COMMENT ON FUNCTION anshim.definition_changes() IS 'trigger: keeps shipped definitions as they are';
REVOKE EXECUTE ON FUNCTION anshim.definition_changes() FROM PUBLIC;

CREATE TRIGGER anshim_definition_changes BEFORE INSERT OR UPDATE OR DELETE ON anshim.definition
FOR EACH ROW EXECUTE FUNCTION anshim.definition_changes();
COMMENT ON TRIGGER anshim_definition_changes ON anshim.definition IS 'keeps shipped rows as they are';

--| ## anshim.find_definition
--|
--| The row of that name. Errors: 42704 if there is none.
CREATE FUNCTION anshim.find_definition(name text) RETURNS anshim.definition
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_one anshim.definition;
BEGIN
	SELECT d.* INTO found_one FROM anshim.definition AS d WHERE d.name = find_definition.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'definition of contact "%" does not exist', name
			USING ERRCODE = 'undefined_object',
				HINT = 'SELECT name, source FROM anshim.definition; shows those that there are.';
	END IF;
	RETURN found_one;
END
$$;
COMMENT ON FUNCTION anshim.find_definition(text) IS 'a definition of contact by its name';

--| ## anshim.infectious_period
--|
--| When a case was infectious by that definition: whole days, in the session's time zone, from `days_before` before her
--| onset to `days_after` after it, that day included. A side that the definition leaves open has no bound: `(,)` if it knows neither.
--| Errors: 42704 for a definition that does not exist; 22023 for an infinite onset.
CREATE FUNCTION anshim.infectious_period(onset date, definition text) RETURNS tstzrange
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule anshim.definition := anshim.find_definition(definition);
BEGIN
	IF NOT isfinite(onset) THEN
		RAISE EXCEPTION 'onset must be a day'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('It is %s.', onset),
				HINT = 'Where a case''s onset is not known, give NULL.';
	END IF;
	RETURN tstzrange((onset - rule.days_before)::timestamptz, (onset + rule.days_after + 1)::timestamptz);
END
$$;
COMMENT ON FUNCTION anshim.infectious_period(date, text) IS 'when a case was infectious by a definition';

--| ## anshim.exposures_by
--|
--| `anshim.exposures` by an agency's definition, the one call that an investigator makes at night:
--|
--| ```sql
--| SELECT * FROM anshim.exposures_by('cdc-2020', 'visit', ARRAY['Ann', 'Bob'], ARRAY['2021-03-02', '2021-03-05']::date[]);
--| ```
--|
--| - `onsets`: each case's, by position. NULL: not known; she is infectious all of `during`.
--| - `during`: bounds all periods; of use where the definition leaves a side of them open. By default, the log's extent.
--| - `within`: metres between venues that share their air; 0: the same venue only, whose visitors are all taken to be near. NULL: the
--|   definition's, which needs locations of venues (`anshim.track_venues`).
--| - the others: as for `anshim.exposures`.
--|
--| Errors, with those of `anshim.exposures`: 42704 for a definition that does not exist; 22023 if there are not as many onsets as cases, or
--| for one that is infinite; 22004 if one of these is null.
CREATE FUNCTION anshim.infectious_periods(onsets date[], definition text, cases integer) RETURNS tstzrange[]
LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF definition IS NULL OR onsets IS NULL OR cases IS NULL THEN
		RAISE EXCEPTION 'definition, cases and onsets must not be null'
			USING ERRCODE = 'null_value_not_allowed',
				HINT = 'Where a case''s onset is not known, give NULL in its place in the array.';
	ELSIF cardinality(onsets) <> cases THEN
		RAISE EXCEPTION 'there must be as many onsets as cases'
			USING ERRCODE = 'invalid_parameter_value',
				DETAIL = format('There are %s onsets and %s cases.', cardinality(onsets), cases),
				HINT = 'Where a case''s onset is not known, give NULL in its place in the array.';
	END IF;
	RETURN ARRAY(SELECT anshim.infectious_period(o.onset, definition)
				 FROM unnest(onsets) WITH ORDINALITY AS o (onset, place) ORDER BY o.place);
END
$$;
COMMENT ON FUNCTION anshim.infectious_periods(date[], text, integer) IS 'when each of so many cases was infectious by a definition';

CREATE FUNCTION anshim.exposures_by(
	definition text, visits regclass, cases anyarray, onsets date[],
	degrees integer DEFAULT 1,
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	subject anyelement, degree integer, exposed_at timestamptz,
	via anyelement, venue anyelement)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	periods tstzrange[] := anshim.infectious_periods(onsets, definition, cardinality(cases));
	rule anshim.definition := anshim.find_definition(definition);
BEGIN
	PERFORM anshim.check_call(visits, cases, cases[1], during, 'anshim.exposures_by(definition, %s, onsets, ...)');
	RETURN QUERY SELECT e.* FROM anshim.exposures(visits, cases, during, degrees,
		linger => coalesce(rule.linger, '0'), linger_ratio => rule.linger_ratio,
		min_overlap => coalesce(rule.min_overlap, '0'), accumulate => rule.accumulate,
		within => coalesce(exposures_by.within, rule.within, 0),
		latent => latent, infectious_for => infectious_for, until => until,
		case_periods => periods, skip_unreachable => skip_unreachable) AS e;
END
$$;
COMMENT ON FUNCTION anshim.exposures_by(text, regclass, anyarray, date[], integer, tstzrange, double precision, interval, interval, timestamptz, boolean)
IS 'who was exposed to the cases by an agency''s definition, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.exposures_by(
	definition text, visits regclass, cases anyarray, venue_type anycompatible, onsets date[],
	degrees integer DEFAULT 1,
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	subject anyelement, degree integer, exposed_at timestamptz,
	via anyelement, venue anycompatible)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	periods tstzrange[] := anshim.infectious_periods(onsets, definition, cardinality(cases));
	rule anshim.definition := anshim.find_definition(definition);
BEGIN
	PERFORM anshim.check_call(visits, cases, venue_type, during, 'anshim.exposures_by(definition, %s, onsets, ...)');
	RETURN QUERY SELECT e.* FROM anshim.exposures(visits, cases, venue_type, during, degrees,
		linger => coalesce(rule.linger, '0'), linger_ratio => rule.linger_ratio,
		min_overlap => coalesce(rule.min_overlap, '0'), accumulate => rule.accumulate,
		within => coalesce(exposures_by.within, rule.within, 0),
		latent => latent, infectious_for => infectious_for, until => until,
		case_periods => periods, skip_unreachable => skip_unreachable) AS e;
END
$$;
COMMENT ON FUNCTION anshim.exposures_by(text, regclass, anyarray, anycompatible, date[], integer, tstzrange, double precision, interval, interval, timestamptz, boolean)
IS 'who was exposed to the cases by an agency''s definition, in a log whose venues are of venue_type''s type';

--| With `details`, the result has two more columns, as that of `anshim.exposures`: whom to tell first. It has no default, and stands behind `onsets`
--| or is given by name. Definitions whose minutes add up give them at degree 1 only.
--|
--| ```sql
--| SELECT subject, encounters, together
--| FROM anshim.exposures_by('cdc-2020', 'visit', ARRAY['Ann', 'Bob'], ARRAY['2021-03-02', '2021-03-05']::date[], details => true)
--| ORDER BY together DESC, encounters DESC;
--| ```
CREATE DOMAIN anshim.onsets AS date[];
COMMENT ON DOMAIN anshim.onsets IS 'date[], in forms of functions that have others beside them';

CREATE FUNCTION anshim.exposures_by(
	definition text, visits regclass, cases anyarray, onsets anshim.onsets,
	details boolean,
	degrees integer DEFAULT 1,
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	subject anyelement, degree integer, exposed_at timestamptz,
	via anyelement, venue anyelement,
	encounters integer, together interval)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	periods tstzrange[] := anshim.infectious_periods(onsets, definition, cardinality(cases));
	rule anshim.definition := anshim.find_definition(definition);
BEGIN
	PERFORM anshim.check_call(visits, cases, cases[1], during, 'anshim.exposures_by(definition, %s, onsets, ...)');
	RETURN QUERY SELECT e.* FROM anshim.exposures(visits, cases, during, details, degrees,
		linger => coalesce(rule.linger, '0'), linger_ratio => rule.linger_ratio,
		min_overlap => coalesce(rule.min_overlap, '0'), accumulate => rule.accumulate,
		within => coalesce(exposures_by.within, rule.within, 0),
		latent => latent, infectious_for => infectious_for, until => until,
		case_periods => periods, skip_unreachable => skip_unreachable) AS e;
END
$$;
COMMENT ON FUNCTION anshim.exposures_by(text, regclass, anyarray, anshim.onsets, boolean, integer, tstzrange, double precision, interval, interval, timestamptz, boolean)
IS 'who was exposed to the cases by an agency''s definition, and how often and how long they met, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.exposures_by(
	definition text, visits regclass, cases anyarray, venue_type anycompatible, onsets anshim.onsets,
	details boolean,
	degrees integer DEFAULT 1,
	during tstzrange DEFAULT '(,)',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	subject anyelement, degree integer, exposed_at timestamptz,
	via anyelement, venue anycompatible,
	encounters integer, together interval)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	periods tstzrange[] := anshim.infectious_periods(onsets, definition, cardinality(cases));
	rule anshim.definition := anshim.find_definition(definition);
BEGIN
	PERFORM anshim.check_call(visits, cases, venue_type, during, 'anshim.exposures_by(definition, %s, onsets, ...)');
	RETURN QUERY SELECT e.* FROM anshim.exposures(visits, cases, venue_type, during, details, degrees,
		linger => coalesce(rule.linger, '0'), linger_ratio => rule.linger_ratio,
		min_overlap => coalesce(rule.min_overlap, '0'), accumulate => rule.accumulate,
		within => coalesce(exposures_by.within, rule.within, 0),
		latent => latent, infectious_for => infectious_for, until => until,
		case_periods => periods, skip_unreachable => skip_unreachable) AS e;
END
$$;
COMMENT ON FUNCTION anshim.exposures_by(text, regclass, anyarray, anycompatible, anshim.onsets, boolean, integer, tstzrange, double precision, interval, interval, timestamptz, boolean)
IS 'who was exposed to the cases by an agency''s definition, and how often and how long they met, in a log whose venues are of venue_type''s type';
