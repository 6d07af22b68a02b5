--| # What is known of venues
--|
--| A table of venues can say where they lie, and how long visits last there that nobody checks out.

--| ## anshim.track_venues
--|
--| Records in which table that is, and which of its columns say so; called again, it replaces all of that. Only the visit log's
--| owner may, who needs SELECT on these columns; so does everybody who traces. It may be a view, and belong to somebody else.
--|
--| `venue` has the type of the log's venues.
--|
--| ### Where they lie
--|
--| With `within` greater than 0, venues closer than so many metres share their air. For that anshim needs PostGIS, in
--| whichever schema. `location` is a geography, or a geometry measured in metres: projected, or
--| without a coordinate system (SRID 0); degrees are refused. A venue with several rows is as near as the nearest of
--| them; one without a row, or with a null location, shares its air with nobody. Distances between geometries are two-dimensional.
--|
--| Give the table an index on its locations, and best one on its venues:
--|
--| ```sql
--| CREATE TABLE venue (venue uuid PRIMARY KEY, location geography(Point));
--| CREATE INDEX ON venue USING gist (location);
--| SELECT anshim.track_venues('visit', 'venue');
--| ```
--|
--| A geometry column whose type has no SRID is read whole before each trace, to see that all of it is in metres:
--| `geometry(Point, 25832)` spares that.
--|
--| ### Stays that end by themselves
--|
--| A visit that nobody checks out ends after `default_stay`, a column of type interval; and when the venue `closes`, a column
--| of type time: at the next such time of day after it began, in the venue's `time_zone` (a column of type text) or, where there
--| is none, the session's. The earlier counts. Where both are null, or the venue has no row, the log's own default_stay counts; and no
--| visit lasts longer than max_stay. Of several rows of a venue, the longest stay and the latest time count.
--|
--| Restaurants for 3 hours, and everything until midnight, as France's and England's check-ins had it in 2021:
--|
--| ```sql
--| ALTER TABLE venue ADD stay interval, ADD closes time DEFAULT '00:00', ADD time_zone text DEFAULT 'Europe/Paris';
--| UPDATE venue SET stay = '3 hours' WHERE kind = 'restaurant';
--| SELECT anshim.track_venues('visit', 'venue', location => NULL,
--|     default_stay => 'stay', closes => 'closes', time_zone => 'time_zone');
--| ```
--|
--| This needs no PostGIS: `location => NULL` does without. A venue whose stay has months or is not longer than nothing, or
--| whose time zone does not exist, is an error of traces that touch it (23514).
CREATE FUNCTION anshim.track_venues(visits regclass, venues regclass,
	venue name DEFAULT 'venue', location name DEFAULT 'location',
	default_stay name DEFAULT NULL, closes name DEFAULT NULL, time_zone name DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'anshim_track_venues';
COMMENT ON FUNCTION anshim.track_venues(regclass, regclass, name, name, name, name, name)
IS 'records where the venues of a visit log lie, and how long visits there last that nobody checks out';
