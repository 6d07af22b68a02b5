--| # Explaining a trace
--|
--| ## anshim.visit_source
--| How a log is read, and why so: what its parts are decides. Local tables are read by their two B-trees; views, materialized views, foreign tables,
--| tables that Citus has distributed, and tables of another access method than heap are asked in SQL. How many parts there are of each kind stands
--| behind it: `B-trees: table (2); SQL: foreign table on server north (28)`. It checks nothing, and is NULL for what is none of these.
CREATE FUNCTION anshim.visit_source(visits regclass) RETURNS text
AS 'MODULE_PATHNAME', 'anshim_visit_source'
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 100;
COMMENT ON FUNCTION anshim.visit_source(regclass) IS 'how a visit log is read, and why so';

--| ## anshim.explain_exposures
--| Runs the trace that `anshim.exposures` with the same arguments would run, and tells how it was read instead of what it
--| found: a row a level.
--|
--| - `source`: how the log is read, and why so, as `anshim.visit_source` tells it, but only of the parts that such visits can lie in
--| - `subjects`: who passed it on at that level; `pieces`: parts of their visits whose air was new; `stretches`: spans of time at venues that were asked
--|   about
--| - `rows_read`: rows of the log looked at; `rows_moved`: those of them that came as answers in SQL
--| - `statements`: how many were asked for that. It asks all parts at once; each foreign table's server gets a part of it
--| - `milliseconds`: what the level took
CREATE FUNCTION anshim.explain_exposures(
	visits regclass, cases anyarray, during tstzrange,
	degrees integer DEFAULT 1,
	linger interval DEFAULT '0',
	min_overlap interval DEFAULT '0',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	case_periods tstzrange[] DEFAULT NULL,
	linger_ratio double precision DEFAULT NULL,
	accumulate interval DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	level integer, source text, subjects bigint, pieces bigint, stretches bigint,
	rows_read bigint, rows_moved bigint, statements bigint, milliseconds double precision)
AS 'MODULE_PATHNAME', 'anshim_explain_exposures'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 5;
COMMENT ON FUNCTION anshim.explain_exposures(regclass, anyarray, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'how a trace reads its log, level by level, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.explain_exposures(
	visits regclass, cases anyarray, venue_type anycompatible, during tstzrange,
	degrees integer DEFAULT 1,
	linger interval DEFAULT '0',
	min_overlap interval DEFAULT '0',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL,
	until timestamptz DEFAULT NULL,
	case_periods tstzrange[] DEFAULT NULL,
	linger_ratio double precision DEFAULT NULL,
	accumulate interval DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	level integer, source text, subjects bigint, pieces bigint, stretches bigint,
	rows_read bigint, rows_moved bigint, statements bigint, milliseconds double precision)
AS 'MODULE_PATHNAME', 'anshim_explain_exposures'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 5;
COMMENT ON FUNCTION anshim.explain_exposures(regclass, anyarray, anycompatible, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'how a trace reads its log, level by level, in a log whose venues are of venue_type''s type';
