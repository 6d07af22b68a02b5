--| # Tracing
--|
--| Every function comes in two forms. Where a log's subjects and venues have
--| the same type, the arguments start `visits, cases, during`. Where the types
--| differ, `venue_type` stands before `during`; only its type counts, and the
--| result's venues have it: `NULL::text`. Everything behind `during` is best
--| given by name.
--|
--| Times: `during` is the time in which the cases were infectious (for
--| `anshim.sources`: could have been infected). A missing bound, or an infinite
--| one, means the log's extent. Lengths are intervals without months; their
--| days count as 24 hours. Visits, pieces of visits and infectious times are
--| half-open, and counted in microseconds.
--|
--| What is exposed to what, exactly, is defined in [exposure.md](exposure.md),
--| with an oracle in plain SQL to match. In short, a visit of somebody else is
--| exposed to a *piece*, a visit cut to its subject's infectious time, if the two
--| share at least `min_overlap` of the piece's air; this lasts as long as the
--| piece, and then for `linger`, but no longer than `linger_ratio` times the
--| piece's length, if that is given. With `accumulate` = W, the union of somebody's
--| time in the air of all others counts instead: she is exposed at the least
--| moment t of it such that [t, t + W) holds at least `min_overlap` of it.
--|
--| Rights: whoever calls needs SELECT on the log, or on its four columns, and
--| must not be subject to row-level security there; see `anshim.track_visits`.
--| What is read is what the statement's snapshot shows.
--|
--| Logs that lie on other servers, whole or in part: a server that cannot be
--| reached is an error that names it, and so is one that fails in the middle;
--| there is no half an answer. With `skip_unreachable => true` each server is
--| tried first, and what lies on those that cannot be reached is left out, with
--| a WARNING for each. A view that reads from such a server is left out whole.
--| One that fails later on, in the middle of the trace, is an error then, too.
--| It cannot be used in a parallel query.
--|
--| Errors that all share: 55000 for a table that is not tracked, or no longer
--| as it was; 42501 for missing rights; 42804 for keys of other types than the
--| log's; 22004 for a null argument, or a null among the cases; 22023 for an
--| empty `during`, a length that is negative or has months, or a number out of
--| its range; 53400 where the trace needs more than `anshim.max_memory`; 23514
--| for a visit from elsewhere that lasts longer than `max_stay`.

--| ## anshim.contacts
--| Every encounter with one case: a row for each visit of somebody else that
--| shared the air of one of the case's visits, which is cut to `during`.
--|
--| - `within`: metres; venues closer than that share their air
--|   (`anshim.track_venues`). 0: the same venue only.
--| - `linger`: how long the air stays infectious after the case has left.
--| - `linger_ratio`: and no longer than so many times as she stayed: 1 for air
--|   that stays infectious as long as she was there, but `linger` at most. NULL:
--|   `linger`, however short she stayed.
--| - `min_overlap`: the least time that the two have to share, air included.
--| - `accumulate`: within so long, shorter meetings add up to `min_overlap`; NULL:
--|   each has to last so long. Returned are then all meetings, however short, of
--|   those whose sum is long enough.
--|
--| Result: `started_at` and `ended_at` bound the encounter, the time in the
--| air alone included; `together` is the time when both were there; `distance`
--| is in metres, 0 at the same venue. An encounter that begins at or after the
--| end of `during` does not count.
CREATE FUNCTION anshim.contacts(
	visits regclass, case_subject anyelement, during tstzrange,
	within double precision DEFAULT 0,
	linger interval DEFAULT '0',
	min_overlap interval DEFAULT '0',
	linger_ratio double precision DEFAULT NULL,
	accumulate interval DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	subject anyelement, venue anyelement, case_venue anyelement,
	started_at timestamptz, ended_at timestamptz,
	together interval, distance double precision)
AS 'MODULE_PATHNAME', 'anshim_contacts'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 100;
COMMENT ON FUNCTION anshim.contacts(regclass, anyelement, tstzrange, double precision, interval, interval, double precision, interval, boolean)
IS 'every encounter with one case, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.contacts(
	visits regclass, case_subject anyelement, venue_type anycompatible, during tstzrange,
	within double precision DEFAULT 0,
	linger interval DEFAULT '0',
	min_overlap interval DEFAULT '0',
	linger_ratio double precision DEFAULT NULL,
	accumulate interval DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	subject anyelement, venue anycompatible, case_venue anycompatible,
	started_at timestamptz, ended_at timestamptz,
	together interval, distance double precision)
AS 'MODULE_PATHNAME', 'anshim_contacts'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 100;
COMMENT ON FUNCTION anshim.contacts(regclass, anyelement, anycompatible, tstzrange, double precision, interval, interval, double precision, interval, boolean)
IS 'every encounter with one case, in a log whose venues are of venue_type''s type';

--| ## anshim.exposures
--| Who was exposed to the cases, directly or through others, to the N-th
--| degree, in the order of time: a chain of hops counts only if each infector
--| was infectious when she passed it on.
--|
--| - `degrees`: at most so many hops, at least 1.
--| - `linger`, `linger_ratio`, `min_overlap`, `within`: as for `anshim.contacts`.
--| - `accumulate`: within so long, minutes in the air of infectious people, one or
--|   several, add up to `min_overlap`; those with two of them at once count once.
--|   The exposure begins with the first of the minutes. NULL: each meeting by itself.
--| - `latent`: how long after her exposure somebody becomes infectious.
--| - `infectious_for`: how long she stays so; NULL: to the end.
--| - `until`: exposures begin before this; NULL: the end of `during`.
--| - `case_periods`: each case's own infectious time, by position, within
--|   `during`; a NULL among them, or for all: `during`.
--|
--| Result: `degree` is the least number of hops; `exposed_at` the earliest
--| exposure over at most `degrees` hops; `via` and `venue` the infector and the
--| exposed subject's venue of that one (where several tie, that of the fewest
--| hops, then the smallest infector, then the smallest venue). Cases are not
--| returned.
CREATE FUNCTION anshim.exposures(
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
	subject anyelement, degree integer, exposed_at timestamptz,
	via anyelement, venue anyelement)
AS 'MODULE_PATHNAME', 'anshim_exposures'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION anshim.exposures(regclass, anyarray, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'who was exposed to the cases over at most so many time-respecting hops, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.exposures(
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
	subject anyelement, degree integer, exposed_at timestamptz,
	via anyelement, venue anycompatible)
AS 'MODULE_PATHNAME', 'anshim_exposures'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION anshim.exposures(regclass, anyarray, anycompatible, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'who was exposed to the cases over at most so many time-respecting hops, in a log whose venues are of venue_type''s type';

--| ### Whom to tell first
--|
--| With `details`, which has no default and is best given by name, the result has two more columns; where it is false, they are
--| NULL. They are of those exposures of somebody that made her `degree`: of her visits to the pieces of visits (of cases at
--| degree 1; of those of degree 1 at degree 2; and so on) that reached her at this first degree, each as `anshim.contacts` would
--| return it.
--|
--| - `encounters`: how many: of a visit of hers with a piece of an infector's visit, two infectors in one room count twice.
--| - `together`: the sum of the time when both were there, without the time in the air alone.
--|
--| What she met before or after at other degrees, or later of people who became infectious at a higher degree, does not count.
--| Where minutes add up (`accumulate`), all meetings of those exposed count, however short, with pieces of any of the cases; and
--| `degrees` has to be 1, since minutes of several degrees may have exposed somebody at a higher one: 22023 otherwise.
--| 22003 if there are more encounters than an integer counts.
--|
--| ```sql
--| SELECT subject, degree, encounters, together
--| FROM anshim.exposures('visit', ARRAY['Ann'], '[2021-03-01, 2021-03-15)', details => true, degrees => 2)
--| ORDER BY degree, together DESC;
--| ```
--|
--| `anshim.during` is `tstzrange`: the type's name makes PostgreSQL prefer the other forms where an untyped parameter stands
--| behind `during`.
CREATE DOMAIN anshim.during AS tstzrange;
COMMENT ON DOMAIN anshim.during IS 'tstzrange, in forms of functions that have others beside them';

CREATE FUNCTION anshim.exposures(
	visits regclass, cases anyarray, during anshim.during,
	details boolean,
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
	subject anyelement, degree integer, exposed_at timestamptz,
	via anyelement, venue anyelement,
	encounters integer, together interval)
AS 'MODULE_PATHNAME', 'anshim_exposures_details'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION anshim.exposures(regclass, anyarray, anshim.during, boolean, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'who was exposed to the cases, and how often and how long they met, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.exposures(
	visits regclass, cases anyarray, venue_type anycompatible, during anshim.during,
	details boolean,
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
	subject anyelement, degree integer, exposed_at timestamptz,
	via anyelement, venue anycompatible,
	encounters integer, together interval)
AS 'MODULE_PATHNAME', 'anshim_exposures_details'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION anshim.exposures(regclass, anyarray, anycompatible, anshim.during, boolean, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'who was exposed to the cases, and how often and how long they met, in a log whose venues are of venue_type''s type';

--| ## anshim.exposure_paths
--| How each subject that `anshim.exposures` returns was reached: one chain of
--| hops from a case to her, a row a hop, the last one at her `exposed_at`. In
--| every hop the infector is infectious through that very chain, so that it
--| stands as a witness by itself; it may have more hops than her `degree`. Which
--| of several chains is shown is the same on every run.
CREATE FUNCTION anshim.exposure_paths(
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
	subject anyelement, step integer, infector anyelement, infected anyelement,
	venue anyelement, exposed_at timestamptz)
AS 'MODULE_PATHNAME', 'anshim_exposure_paths'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION anshim.exposure_paths(regclass, anyarray, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'one chain of hops from a case to everyone exposed, a row a hop, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.exposure_paths(
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
	subject anyelement, step integer, infector anyelement, infected anyelement,
	venue anycompatible, exposed_at timestamptz)
AS 'MODULE_PATHNAME', 'anshim_exposure_paths'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION anshim.exposure_paths(regclass, anyarray, anycompatible, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'one chain of hops from a case to everyone exposed, a row a hop, in a log whose venues are of venue_type''s type';

--| ## anshim.sources
--| Who could have infected these cases: `anshim.exposures` run backwards in
--| time. `during` is when the cases can have been infected; `since` (NULL: the
--| beginning of `during`) bounds how far back the search goes; `shed_until` is
--| the latest moment at which somebody's stay could still have mattered. The air
--| that lingers is hers who is returned, so `linger_ratio` is of her stay; and the
--| minutes that `accumulate` adds up are those in which her air was breathed by
--| the cases, and by others whom they may have been infected by.
CREATE FUNCTION anshim.sources(
	visits regclass, cases anyarray, during tstzrange,
	degrees integer DEFAULT 1,
	linger interval DEFAULT '0',
	min_overlap interval DEFAULT '0',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL,
	since timestamptz DEFAULT NULL,
	case_periods tstzrange[] DEFAULT NULL,
	linger_ratio double precision DEFAULT NULL,
	accumulate interval DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	subject anyelement, degree integer, shed_until timestamptz,
	via anyelement, venue anyelement)
AS 'MODULE_PATHNAME', 'anshim_sources'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION anshim.sources(regclass, anyarray, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'who could have infected the cases over at most so many time-respecting hops, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.sources(
	visits regclass, cases anyarray, venue_type anycompatible, during tstzrange,
	degrees integer DEFAULT 1,
	linger interval DEFAULT '0',
	min_overlap interval DEFAULT '0',
	within double precision DEFAULT 0,
	latent interval DEFAULT '0',
	infectious_for interval DEFAULT NULL,
	since timestamptz DEFAULT NULL,
	case_periods tstzrange[] DEFAULT NULL,
	linger_ratio double precision DEFAULT NULL,
	accumulate interval DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	subject anyelement, degree integer, shed_until timestamptz,
	via anyelement, venue anycompatible)
AS 'MODULE_PATHNAME', 'anshim_sources'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000 ROWS 1000;
COMMENT ON FUNCTION anshim.sources(regclass, anyarray, anycompatible, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, boolean)
IS 'who could have infected the cases over at most so many time-respecting hops, in a log whose venues are of venue_type''s type';

--| ## anshim.hotspots
--| Where cases' air met: at each venue the longest stretches of time that
--| cases' stays (within `during`, each prolonged by its air) cover without a
--| gap, if at least `min_cases` distinct cases have a part in it, at once or
--| one after another. `visitor_count` counts the others whose visits overlap
--| the stretch.
CREATE FUNCTION anshim.hotspots(
	visits regclass, cases anyarray, during tstzrange,
	min_cases integer DEFAULT 2,
	linger interval DEFAULT '0',
	case_periods tstzrange[] DEFAULT NULL,
	linger_ratio double precision DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	venue anyelement, started_at timestamptz, ended_at timestamptz,
	case_count integer, visitor_count integer)
AS 'MODULE_PATHNAME', 'anshim_hotspots'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 100;
COMMENT ON FUNCTION anshim.hotspots(regclass, anyarray, tstzrange, integer, interval, tstzrange[], double precision, boolean)
IS 'where and when several cases'' air met, in a log whose subjects and venues share a type';

CREATE FUNCTION anshim.hotspots(
	visits regclass, cases anyarray, venue_type anycompatible, during tstzrange,
	min_cases integer DEFAULT 2,
	linger interval DEFAULT '0',
	case_periods tstzrange[] DEFAULT NULL,
	linger_ratio double precision DEFAULT NULL,
	skip_unreachable boolean DEFAULT false)
RETURNS TABLE (
	venue anycompatible, started_at timestamptz, ended_at timestamptz,
	case_count integer, visitor_count integer)
AS 'MODULE_PATHNAME', 'anshim_hotspots'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 100;
COMMENT ON FUNCTION anshim.hotspots(regclass, anyarray, anycompatible, tstzrange, integer, interval, tstzrange[], double precision, boolean)
IS 'where and when several cases'' air met, in a log whose venues are of venue_type''s type';

--| ## anshim.last_trace
--| What the session's last `exposures`, `exposure_paths` or `sources` read and
--| found, level by level: `infectors` who passed it on at that level, the index
--| rows read to find their visits, `pieces` of visits whose air was new,
--| `stretches` of air asked about, the index rows read for those, how often the
--| heap had to tell whether a row is visible, subjects `reached` for the first
--| time or earlier than before, and milliseconds.
CREATE FUNCTION anshim.last_trace()
RETURNS TABLE (
	level integer, infectors bigint, subject_rows bigint, pieces bigint,
	stretches bigint, venue_rows bigint, heap_fetches bigint, reached bigint,
	milliseconds double precision)
AS 'MODULE_PATHNAME', 'anshim_last_trace'
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 5;
COMMENT ON FUNCTION anshim.last_trace()
IS 'what the session''s last trace read and found, level by level';

--| ## anshim.check_call
--| For functions of your own that trace with the caller's arguments: checks the log, the cases, their types and `during` as
--| `anshim.exposures` does, and returns `visits`; so that the error shows the call of your function, as `call` writes it, the log and the keys at
--| its `%s`. Without `venue_type`, only the cases' type has to be the log's.
--|
--| ```sql
--| SELECT anshim.check_call('visit', ARRAY['Ann'], '(,)', 'seen_by(%s, during)');
--| ```
CREATE FUNCTION anshim.check_call(visits regclass, cases anyarray, during tstzrange, call text)
RETURNS regclass
AS 'MODULE_PATHNAME', 'anshim_check_call'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION anshim.check_call(regclass, anyarray, tstzrange, text)
IS 'checks arguments of a trace for a function that calls one';

CREATE FUNCTION anshim.check_call(visits regclass, cases anyarray, venue_type anycompatible, during tstzrange, call text)
RETURNS regclass
AS 'MODULE_PATHNAME', 'anshim_check_call'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION anshim.check_call(regclass, anyarray, anycompatible, tstzrange, text)
IS 'checks arguments of a trace, the type of venues as well, for a function that calls one';
