--| # Visit logs
--|
--| A *visit log* is any table, plain or partitioned, with a subject, a venue, `entered_at timestamptz NOT NULL` and
--| `left_at timestamptz`, which is null while it is not known. It is append-only: a check-out is one more row with the
--| same subject, venue and entered_at, and its left_at. A visit therefore ends at the greatest left_at among its rows.
--| If none has one, it ends when its venue says (`anshim.track_venues`), or else after `default_stay`.
--|
--| Subjects and venues may be of any type with a default B-tree operator class. The table stays yours: it is no member
--| of the extension, carries your grants and policies, and is dumped as any other table.

--| ## anshim.visit_log
--|
--| The tracked visit logs, a row each, kept by the functions below. Everybody may read it, nobody writes to it directly.
--| Tables and columns are recorded by name, so that a restored dump means the same.
CREATE TABLE anshim.visit_log (
	schema_name name NOT NULL,
	table_name name NOT NULL,
	subject name NOT NULL,
	venue name NOT NULL,
	entered_at name NOT NULL,
	left_at name NOT NULL,
	max_stay interval NOT NULL,
	default_stay interval NOT NULL,
	venues_schema name,
	venues_table name,
	venues_venue name,
	venues_location name,
	venues_default_stay name,
	venues_closes name,
	venues_time_zone name,
	time_zone text,
	PRIMARY KEY (schema_name, table_name)
);
COMMENT ON TABLE anshim.visit_log IS 'the tracked visit logs';
COMMENT ON COLUMN anshim.visit_log.schema_name IS 'the schema of the table of visits';
COMMENT ON COLUMN anshim.visit_log.table_name IS 'the table of visits';
COMMENT ON COLUMN anshim.visit_log.subject IS 'the column that says who';
COMMENT ON COLUMN anshim.visit_log.venue IS 'the column that says where';
COMMENT ON COLUMN anshim.visit_log.entered_at IS 'the column that says from when';
COMMENT ON COLUMN anshim.visit_log.left_at IS 'the column that says until when';
COMMENT ON COLUMN anshim.visit_log.max_stay IS 'no visit is longer';
COMMENT ON COLUMN anshim.visit_log.default_stay IS 'how long a visit without a check-out lasts';
COMMENT ON COLUMN anshim.visit_log.venues_schema IS 'the schema of the table of venues';
COMMENT ON COLUMN anshim.visit_log.venues_table IS 'the table of venues';
COMMENT ON COLUMN anshim.visit_log.venues_venue IS 'its column that says which venue';
COMMENT ON COLUMN anshim.visit_log.venues_location IS 'its column that says where the venue lies';
COMMENT ON COLUMN anshim.visit_log.venues_default_stay IS 'its column that says how long a visit there without a check-out lasts';
COMMENT ON COLUMN anshim.visit_log.venues_closes IS 'its column that says at which time of day such a visit ends';
COMMENT ON COLUMN anshim.visit_log.venues_time_zone IS 'its column that says in which time zone that is';
COMMENT ON COLUMN anshim.visit_log.time_zone IS 'where the days of a log partitioned by day begin at midnight';
GRANT SELECT ON anshim.visit_log TO PUBLIC;
GRANT USAGE ON SCHEMA anshim TO PUBLIC;

-- Rows of tables that are gone would be of no use to the restored database.
SELECT pg_catalog.pg_extension_config_dump('anshim.visit_log', $filter$
	WHERE EXISTS (SELECT FROM pg_catalog.pg_class
		JOIN pg_catalog.pg_namespace ON pg_namespace.oid OPERATOR(pg_catalog.=) relnamespace
		WHERE nspname OPERATOR(pg_catalog.=) schema_name AND relname OPERATOR(pg_catalog.=) table_name)
$filter$);

--| ## anshim.track_visits
--|
--| Makes a visit log of a table, which only its owner may do. It adds, where they are missing,
--|
--| - the CHECK `anshim_stay`: both times are finite, `left_at > entered_at` and `left_at - entered_at <= max_stay`;
--| - two covering indexes, `(venue, entered_at, subject) INCLUDE (left_at)` and `(subject, entered_at, venue) INCLUDE (left_at)`;
--| - a small index like the first one, of the few long stays only: it spares traces to look back by `max_stay` everywhere.
--|
--| Called again, it replaces the parameters. `entered_at` must be NOT NULL, and stays are lengths of time without months.
--| A table may be partitioned by subject, venue and entered_at, in any order and depth, so that the rows of one visit stay together;
--| partitions that come later get the CHECK and the indexes by themselves.
--|
--| ### Without long locks
--|
--| Adding the CHECK reads the whole table while nobody can use it, and building the indexes keeps writers out. On a large
--| table in use, make them yourself first; `track_visits` then finds them, and adds nothing:
--|
--| ```sql
--| ALTER TABLE visit ADD CONSTRAINT anshim_stay CHECK (isfinite(entered_at) AND (left_at IS NULL OR
--|     (isfinite(left_at) AND left_at > entered_at AND left_at - entered_at <= interval '24:00:00'))) NOT VALID;
--| ALTER TABLE visit VALIDATE CONSTRAINT anshim_stay;
--| CREATE INDEX CONCURRENTLY visit_by_venue ON visit (venue, entered_at, subject) INCLUDE (left_at);
--| CREATE INDEX CONCURRENTLY visit_by_subject ON visit (subject, entered_at, venue) INCLUDE (left_at);
--| CREATE INDEX CONCURRENTLY visit_long_stays ON visit (venue, entered_at, subject) INCLUDE (left_at)
--|     WHERE left_at - entered_at > interval '03:00:00';
--| SELECT anshim.track_visits('visit');
--| ```
--|
--| The CHECK has to have that name, or later ATTACH PARTITION would fail. The third index is for stays longer than
--| `greatest(default_stay, max_stay / 8)`. On a partitioned table, create each index on every partition with
--| CONCURRENTLY, then on the table itself without: that attaches what it finds.
CREATE FUNCTION anshim.track_visits(visits regclass, subject name DEFAULT 'subject', venue name DEFAULT 'venue',
	entered_at name DEFAULT 'entered_at', left_at name DEFAULT 'left_at',
	max_stay interval DEFAULT '24 hours', default_stay interval DEFAULT '1 hour')
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'anshim_track_visits';
COMMENT ON FUNCTION anshim.track_visits(regclass, name, name, name, name, interval, interval)
IS 'makes a visit log of a table, or changes its parameters';

--| ## anshim.untrack_visits
--|
--| Forgets a visit log. The table keeps its rows, its indexes, and the CHECK `anshim_stay`; drop these yourself if
--| nothing else needs them: `ALTER TABLE visit DROP CONSTRAINT anshim_stay`.
CREATE FUNCTION anshim.untrack_visits(visits regclass)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'anshim_untrack_visits';
COMMENT ON FUNCTION anshim.untrack_visits(regclass) IS 'forgets a visit log; its table stays as it is';

--| ## anshim.create_visit_log
--|
--| Makes a table for visits, yours, and tracks it: `id uuid`, `subject uuid`, `venue uuid`, `entered_at`, `left_at`,
--| `recorded_at` (when the row was inserted) and `source`: `'direct'`, `'venue pass'`, `'visitor pass'` or `'paper'`.
--| The name may have a schema; without one, the table comes into the first schema of your search_path.
--|
--| Given `days`, the table is partitioned by time of entry, with a partition for each of these days, such as `visit_2021_01_31`;
--| `anshim.add_days` adds more. Old days are then dropped at once, and a trace touches only the days that it needs. A day
--| begins at midnight in `time_zone` (your session's, if not given), which is recorded with the log.
--|
--| The table is chained as well, by `anshim.chain`, so that nobody changes or removes a row unnoticed; its old rows then go with `anshim.expire`. Say
--| `chained => false` for one that is not; `anshim.chain` can be called at any time later.
--|
--| ```sql
--| SELECT anshim.create_visit_log('visit', days => '[2021-01-01, 2021-02-01)', time_zone => 'Europe/Berlin');
--| ```
CREATE FUNCTION anshim.create_visit_log(name text, days daterange DEFAULT NULL, time_zone text DEFAULT NULL,
	max_stay interval DEFAULT '24 hours', default_stay interval DEFAULT '1 hour', chained boolean DEFAULT true)
RETURNS regclass
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'anshim_create_visit_log';
COMMENT ON FUNCTION anshim.create_visit_log(text, daterange, text, interval, interval, boolean)
IS 'makes a table for visits, partitioned by day on request, tracks it and chains it';

--| ## anshim.add_days
--|
--| Adds a partition for each of these days to a visit log that is partitioned by ranges of entered_at, and returns how
--| many it made: days that have a partition are skipped, so it may be called every night for the next week. Days begin
--| at midnight in the log's recorded time zone, or in `time_zone` if given.
CREATE FUNCTION anshim.add_days(visits regclass, days daterange, time_zone text DEFAULT NULL)
RETURNS integer
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'anshim_add_days';
COMMENT ON FUNCTION anshim.add_days(regclass, daterange, text)
IS 'adds a partition a day to a visit log that is partitioned by time of entry';

--| ## Dropped and renamed tables
--|
--| Two event triggers keep `anshim.visit_log` in step. Rows of dropped tables go. When a tracked table or a table of
--| venues is renamed or moved to another schema, or one of its recorded columns or its schema is renamed, the row follows.
CREATE FUNCTION anshim.forget_dropped()
RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'anshim_forget_dropped';
COMMENT ON FUNCTION anshim.forget_dropped() IS 'removes rows of dropped tables from anshim.visit_log';

CREATE FUNCTION anshim.follow_renamed()
RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'anshim_follow_renamed';
COMMENT ON FUNCTION anshim.follow_renamed() IS 'renames in anshim.visit_log what was renamed';

CREATE EVENT TRIGGER anshim_forget_dropped ON sql_drop
EXECUTE FUNCTION anshim.forget_dropped();
COMMENT ON EVENT TRIGGER anshim_forget_dropped IS 'rows of dropped tables leave anshim.visit_log';

CREATE EVENT TRIGGER anshim_follow_renamed ON ddl_command_end
WHEN TAG IN ('ALTER TABLE', 'ALTER INDEX', 'ALTER SCHEMA', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE')
EXECUTE FUNCTION anshim.follow_renamed();
COMMENT ON EVENT TRIGGER anshim_follow_renamed IS 'rows of anshim.visit_log follow renamed tables, columns and schemas';
