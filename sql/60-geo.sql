--| # Venues in space
--|
--| With `within` greater than 0, venues closer than so many metres share their air. For that anshim has to know where
--| the venues lie, and needs PostGIS, in whichever schema.

--| ## anshim.track_venues
--|
--| Records in which table the venues' locations are. Only the visit log's owner may, who needs SELECT on that table; so
--| does everybody who traces with `within`. It may be a view, and belong to somebody else.
--|
--| `venue` has the type of the log's venues. `location` is a geography, or a geometry measured in metres: projected, or
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
CREATE FUNCTION anshim.track_venues(visits regclass, venues regclass,
	venue name DEFAULT 'venue', location name DEFAULT 'location')
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'anshim_track_venues';
COMMENT ON FUNCTION anshim.track_venues(regclass, regclass, name, name)
IS 'record where the venues of a visit log lie';
