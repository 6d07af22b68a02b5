--| # Venues
--|
--| A visit log wants nothing of a venue but its key, so any table of venues will do. These functions make one that is ready to use.
--|
--| ## anshim.facility_class
--|
--| Kinds of venues, for column `facility_class` of such a table. Shipped are those of the Republic of Korea in 2020, as far as
--| public sources name them: twelve of the tier `priority` (the high-risk list of June, and the priority list of 7 November), fourteen
--| of the tier `general` (7 November), and six `other` places with rules of their own. Each has the tier of the last list of that year
--| that names it, and says when it was `listed` so and where that is written. Provinces went beyond these lists. Change them as you need:
--|
--| ```sql
--| UPDATE anshim.facility_class SET tier = 'priority' WHERE code = 'bathhouse';
--| INSERT INTO anshim.facility_class (code, tier, name) VALUES ('guest-house', 'general', 'guest houses');
--| DELETE FROM anshim.facility_class WHERE code = 'call-center';
--| ```
--|
--| pg_dump keeps all three kinds of change: it dumps the rows that are not as shipped, and the codes of those deleted
--| (`anshim.facility_class_deleted`).
CREATE TABLE anshim.facility_class (
	code text COLLATE "C" NOT NULL
		CONSTRAINT facility_class_pkey PRIMARY KEY
		CONSTRAINT facility_class_code CHECK (code OPERATOR(pg_catalog.<>) ''),
	tier text NOT NULL,
	name text NOT NULL,
	name_ko text,
	listed daterange NOT NULL DEFAULT '(,)',
	source text,
	changed_at timestamptz
);
COMMENT ON TABLE anshim.facility_class IS 'kinds of venues, and how closely they are watched';
COMMENT ON COLUMN anshim.facility_class.code IS 'what venues refer to';
COMMENT ON COLUMN anshim.facility_class.tier IS 'how closely such venues are watched: priority, general, other, or a word of your own';
COMMENT ON COLUMN anshim.facility_class.name IS 'name in English';
COMMENT ON COLUMN anshim.facility_class.name_ko IS 'name in Korean, NULL where the database''s encoding has no Hangul';
COMMENT ON COLUMN anshim.facility_class.listed IS 'when it was watched so';
COMMENT ON COLUMN anshim.facility_class.source IS 'where that is written';
COMMENT ON COLUMN anshim.facility_class.changed_at IS 'when the row was added or last changed here, NULL while it is as shipped';
GRANT SELECT, REFERENCES ON anshim.facility_class TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.facility_class', 'WHERE changed_at IS NOT NULL');

CREATE TABLE anshim.facility_class_deleted (
	code text COLLATE "C" NOT NULL
		CONSTRAINT facility_class_deleted_pkey PRIMARY KEY
);
COMMENT ON TABLE anshim.facility_class_deleted IS 'codes of anshim.facility_class that were deleted';
COMMENT ON COLUMN anshim.facility_class_deleted.code IS 'the row''s code';
GRANT SELECT ON anshim.facility_class_deleted TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.facility_class_deleted', '');

-- The shipped rows.  Hangul is written in JSON's escapes, which are read when
-- they are used: a database whose encoding lacks it goes without.
INSERT INTO anshim.facility_class (code, tier, name, name_ko, listed, source)
SELECT code, tier, name,
	CASE WHEN pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.=) ANY ('{UTF8,EUC_KR}'::pg_catalog.name[])
		THEN name_ko::pg_catalog.json OPERATOR(pg_catalog.#>>) '{}' END,
	listed::pg_catalog.daterange,
	CASE WHEN source OPERATOR(pg_catalog.=) 'June'
		THEN 'high-risk facilities of 2 and 23 June 2020, by Jeju Province: http://www.jejudomin.co.kr/news/articleView.html?idxno=125957'
	WHEN source OPERATOR(pg_catalog.=) 'November'
		THEN 'classes in force from 7 November 2020: http://www.newsbom.co.kr/news/articleView.html?idxno=7272'
	ELSE 'where masks had to be worn from 13 November 2020: https://www.etoday.co.kr/news/hotissue/newsman_txt?eid=euna'
	END
FROM (VALUES
	('bar', 'priority', 'bars with entertainment: clubs, room salons',
		'"\uc720\ud765\uc8fc\uc810"', '[2020-06-02,)', 'June'),
	('singing-bar', 'priority', 'singing bars',
		'"\ub2e8\ub780\uc8fc\uc810"', '[2020-06-02,)', 'June'),
	('dance-bar', 'priority', 'bars with dancing',
		'"\uac10\uc131\uc8fc\uc810"', '[2020-06-02,)', 'June'),
	('colatec', 'priority', 'dance halls without alcohol',
		'"\ucf5c\ub77c\ud14d"', '[2020-06-02,)', 'June'),
	('pocha', 'priority', 'bars for meeting strangers',
		'"\ud5cc\ud305\ud3ec\ucc28"', '[2020-06-02,)', 'June'),
	('karaoke', 'priority', 'karaoke rooms',
		'"\ub178\ub798\uc5f0\uc2b5\uc7a5"', '[2020-06-02,)', 'June'),
	('standing-concert', 'priority', 'indoor concerts with a standing audience',
		'"\uc2e4\ub0b4 \uc2a4\ud0e0\ub529 \uacf5\uc5f0\uc7a5"', '[2020-06-02,)', 'June'),
	('group-exercise', 'priority', 'indoor group exercise',
		'"\uc2e4\ub0b4 \uc9d1\ub2e8\uc6b4\ub3d9\uc2dc\uc124"', '[2020-06-02,2020-11-07)', 'June'),
	('direct-sales', 'priority', 'halls for direct sales',
		'"\ubc29\ubb38\ud310\ub9e4 \ub4f1 \uc9c1\uc811\ud310\ub9e4 \ud64d\ubcf4\uad00"', '[2020-06-23,)', 'June'),
	('large-academy', 'priority', 'private academies for 300 or more',
		'"\ub300\ud615\ud559\uc6d0(300\uc778 \uc774\uc0c1)"', '[2020-06-23,2020-11-07)', 'June'),
	('buffet', 'priority', 'buffet restaurants',
		'"\ubdd4\ud398"', '[2020-06-23,2020-11-07)', 'June'),
	('restaurant', 'priority', 'restaurants and cafes',
		'"\uc2dd\ub2f9\u00b7\uce74\ud398"', '[2020-11-07,)', 'November'),
	('pc-room', 'general', 'internet cafes',
		'"PC\ubc29"', '[2020-11-07,)', 'November'),
	('wedding-hall', 'general', 'wedding halls',
		'"\uacb0\ud63c\uc2dd\uc7a5"', '[2020-11-07,)', 'November'),
	('funeral-hall', 'general', 'funeral halls',
		'"\uc7a5\ub840\uc2dd\uc7a5"', '[2020-11-07,)', 'November'),
	('academy', 'general', 'private academies',
		'"\ud559\uc6d0"', '[2020-11-07,)', 'November'),
	('vocational-school', 'general', 'vocational training',
		'"\uc9c1\uc5c5\ud6c8\ub828\uae30\uad00"', '[2020-11-07,)', 'November'),
	('bathhouse', 'general', 'public baths',
		'"\ubaa9\uc695\uc7a5\uc5c5"', '[2020-11-07,)', 'November'),
	('theatre', 'general', 'theatres and concert halls',
		'"\uacf5\uc5f0\uc7a5"', '[2020-11-07,)', 'November'),
	('cinema', 'general', 'cinemas',
		'"\uc601\ud654\uad00"', '[2020-11-07,)', 'November'),
	('amusement-park', 'general', 'amusement and water parks',
		'"\ub180\uc774\uacf5\uc6d0\u00b7\uc6cc\ud130\ud30c\ud06c"', '[2020-11-07,)', 'November'),
	('arcade', 'general', 'game arcades and multi-rooms',
		'"\uc624\ub77d\uc2e4\u00b7\uba40\ud2f0\ubc29"', '[2020-11-07,)', 'November'),
	('gym', 'general', 'indoor sports facilities',
		'"\uc2e4\ub0b4 \uccb4\uc721\uc2dc\uc124"', '[2020-11-07,)', 'November'),
	('hairdresser', 'general', 'barbers and hairdressers',
		'"\uc774\u00b7\ubbf8\uc6a9\uc5c5"', '[2020-11-07,)', 'November'),
	('shop', 'general', 'shops, marts and department stores',
		'"\uc0c1\uc810\u00b7\ub9c8\ud2b8\u00b7\ubc31\ud654\uc810"', '[2020-11-07,)', 'November'),
	('study-cafe', 'general', 'reading rooms and study cafes',
		'"\ub3c5\uc11c\uc2e4\u00b7\uc2a4\ud130\ub514\uce74\ud398"', '[2020-11-07,)', 'November'),
	('medical', 'other', 'medical institutions and pharmacies',
		'"\uc758\ub8cc\uae30\uad00\u00b7\uc57d\uad6d"', '[2020-11-13,)', 'masks'),
	('care', 'other', 'care homes and day care',
		'"\uc694\uc591\uc2dc\uc124\u00b7\uc8fc\uc57c\uac04\ubcf4\ud638\uc2dc\uc124"', '[2020-11-13,)', 'masks'),
	('religious', 'other', 'religious facilities',
		'"\uc885\uad50\uc2dc\uc124"', '[2020-11-13,)', 'masks'),
	('sports-arena', 'other', 'indoor sports arenas',
		'"\uc2e4\ub0b4 \uc2a4\ud3ec\uce20 \uacbd\uae30\uc7a5"', '[2020-11-13,)', 'masks'),
	('call-center', 'other', 'call centres',
		'"\ucf5c\uc13c\ud130"', '[2020-11-13,)', 'masks'),
	('logistics', 'other', 'logistics centres',
		'"\uc720\ud1b5\ubb3c\ub958\uc13c\ud130"', '[2020-11-13,)', 'masks')
) AS shipped (code, tier, name, name_ko, listed, source);

-- A row without changed_at comes from a user, who gets the usual error if the
-- code is there already.  One with it comes from a dump, and replaces what was
-- shipped.
CREATE FUNCTION anshim.facility_class_changed() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		IF NEW.changed_at IS NOT DISTINCT FROM OLD.changed_at THEN
			NEW.changed_at := clock_timestamp();
		END IF;
	ELSIF NEW.changed_at IS NULL THEN
		NEW.changed_at := clock_timestamp();
	ELSE
		UPDATE anshim.facility_class
		SET tier = NEW.tier, name = NEW.name, name_ko = NEW.name_ko, listed = NEW.listed,
			source = NEW.source, changed_at = NEW.changed_at
		WHERE code = NEW.code AND changed_at IS NULL;
		IF FOUND THEN
			RETURN NULL;
		END IF;
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION anshim.facility_class_changed() IS 'notes which rows are not as shipped, for pg_dump';
REVOKE ALL ON FUNCTION anshim.facility_class_changed() FROM PUBLIC;

CREATE TRIGGER facility_class_changed BEFORE INSERT OR UPDATE ON anshim.facility_class
	FOR EACH ROW EXECUTE FUNCTION anshim.facility_class_changed();
COMMENT ON TRIGGER facility_class_changed ON anshim.facility_class IS 'notes which rows are not as shipped, for pg_dump';
ALTER TABLE anshim.facility_class ENABLE ALWAYS TRIGGER facility_class_changed;

CREATE FUNCTION anshim.facility_class_gone() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'DELETE' OR NEW.code <> OLD.code THEN
		INSERT INTO anshim.facility_class_deleted (code) VALUES (OLD.code) ON CONFLICT DO NOTHING;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION anshim.facility_class_gone() IS 'notes which codes were deleted, for pg_dump';
REVOKE ALL ON FUNCTION anshim.facility_class_gone() FROM PUBLIC;

CREATE TRIGGER facility_class_gone AFTER UPDATE OR DELETE ON anshim.facility_class
	FOR EACH ROW EXECUTE FUNCTION anshim.facility_class_gone();
COMMENT ON TRIGGER facility_class_gone ON anshim.facility_class IS 'notes which codes were deleted, for pg_dump';
ALTER TABLE anshim.facility_class ENABLE ALWAYS TRIGGER facility_class_gone;

-- Restored, what was deleted is deleted again, unless a row of that code was
-- added later on.
CREATE FUNCTION anshim.facility_class_restored() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM anshim.facility_class WHERE code = NEW.code AND changed_at IS NULL;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION anshim.facility_class_restored() IS 'deletes a shipped row again when a dump is restored';
REVOKE ALL ON FUNCTION anshim.facility_class_restored() FROM PUBLIC;

CREATE TRIGGER facility_class_restored AFTER INSERT ON anshim.facility_class_deleted
	FOR EACH ROW EXECUTE FUNCTION anshim.facility_class_restored();
COMMENT ON TRIGGER facility_class_restored ON anshim.facility_class_deleted IS 'deletes a shipped row again when a dump is restored';
ALTER TABLE anshim.facility_class_deleted ENABLE ALWAYS TRIGGER facility_class_restored;

--| ## anshim.create_venues
--|
--| `anshim.create_venues(name)` → `regclass`: makes a table of venues, yours, with `id uuid`, `name`, `facility_class`, `location`,
--| `default_stay`, `issuer`, `opened` and `closed`. Where PostGIS is installed in the database, `location` is a
--| `geography(Point, 4326)` with a GiST index; where not, there are `longitude` and `latitude` in its place. The name may have a schema;
--| without one, the table comes into the first schema of your search_path.
CREATE FUNCTION anshim.create_venues(name pg_catalog.text) RETURNS pg_catalog.regclass
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000
AS $$
DECLARE
	postgis pg_catalog.name := nspname FROM pg_catalog.pg_extension e
		JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
		WHERE extname OPERATOR(pg_catalog.=) 'postgis';
	venues pg_catalog.text := anshim.new_table_name(name);
	place pg_catalog.text;
BEGIN
	IF postgis IS NOT NULL THEN
		place := pg_catalog.format('location %I.geography(Point, 4326)', postgis);
	ELSE
		place := 'longitude pg_catalog.float8 CHECK (longitude OPERATOR(pg_catalog.>=) -180 AND longitude OPERATOR(pg_catalog.<=) 180), '
			'latitude pg_catalog.float8 CHECK (latitude OPERATOR(pg_catalog.>=) -90 AND latitude OPERATOR(pg_catalog.<=) 90), '
			'CHECK ((longitude IS NULL) OPERATOR(pg_catalog.=) (latitude IS NULL))';
	END IF;

	EXECUTE pg_catalog.format($create$
		CREATE TABLE %s (
			id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
			name pg_catalog.text NOT NULL CHECK (name OPERATOR(pg_catalog.<>) ''),
			facility_class pg_catalog.text COLLATE pg_catalog."C" REFERENCES anshim.facility_class ON UPDATE CASCADE,
			%s,
			default_stay pg_catalog.interval CHECK (default_stay OPERATOR(pg_catalog.>) '0'),
			issuer pg_catalog.text,
			opened pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
			closed pg_catalog.timestamptz,
			CHECK (closed OPERATOR(pg_catalog.>) opened)
		)$create$, venues, place);
	EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', venues, 'venues');
	EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.default_stay IS %L', venues, 'how long a visit without a check-out is taken to last here');
	EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.issuer IS %L', venues, 'who issues the venue''s passes');
	EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.closed IS %L', venues, 'since when it is no venue any more');
	IF postgis IS NOT NULL THEN
		EXECUTE pg_catalog.format('CREATE INDEX ON %s USING gist (location)', venues);
	END IF;
	RETURN venues::pg_catalog.regclass;
END
$$;
COMMENT ON FUNCTION anshim.create_venues(pg_catalog.text) IS 'makes a table of venues';

--| ## anshim.poster
--|
--| `anshim.poster(venue, kid, venues, valid => NULL)` → `text`: a page for the venue's door, as SVG in A4: the venue's name, which is read
--| from the table `venues` (columns `id` and `name`), above the QR code of a pass for it, which the key signs. Needs `EXECUTE` on
--| `anshim.sign`, too, and `SELECT` on the table.
--|
--| ```sql
--| \pset format unaligned
--| \pset tuples_only
--| \o poster.svg
--| SELECT anshim.poster(id, 'doors-2021', 'venue', tstzrange(now(), now() + interval '1 year')) FROM venue WHERE name = 'Museum';
--| ```
CREATE FUNCTION anshim.poster(venue pg_catalog.uuid, kid pg_catalog.text, venues pg_catalog.regclass,
	valid pg_catalog.tstzrange DEFAULT NULL) RETURNS pg_catalog.text
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000
AS $$
DECLARE
	title pg_catalog.text;
	size pg_catalog.numeric;
BEGIN
	IF venue IS NULL OR venues IS NULL THEN
		RAISE EXCEPTION 'arguments "venue" and "venues" must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	EXECUTE pg_catalog.format('SELECT name::pg_catalog.text FROM %s WHERE id OPERATOR(pg_catalog.=) $1 LIMIT 1', venues)
		INTO title USING venue;
	IF title IS NULL THEN
		RAISE EXCEPTION 'there is no venue % in %', venue, venues
			USING ERRCODE = 'no_data_found', HINT = 'Give the id of a row of that table.';
	END IF;

	-- what XML does not take is left out, the rest escaped; a sign is taken to
	-- be as wide as Hangul
	title := pg_catalog.regexp_replace(title, '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]', '', 'g');
	size := LEAST(16, GREATEST(4, 180.0 OPERATOR(pg_catalog./) pg_catalog.length(title)::pg_catalog.numeric));
	title := pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(title, '&', '&amp;'), '<', '&lt;'), '>', '&gt;');
	title := pg_catalog.replace(pg_catalog.replace(title, '"', '&quot;'), '''', '&apos;');

	RETURN pg_catalog.concat(
		'<svg xmlns="http://www.w3.org/2000/svg" width="210mm" height="297mm" viewBox="0 0 210 297">', E'\n',
		'<rect width="210" height="297" fill="#fff"/>', E'\n',
		'<text x="105" y="50" text-anchor="middle" font-family="sans-serif" font-size="',
		pg_catalog.round(size, 1),
		'">', title, '</text>', E'\n',
		'<svg x="20" y="70" width="170" height="170">', E'\n',
		anshim.qr_svg(anshim.sign(kid, venue, valid => valid)),
		E'\n</svg>\n</svg>');
END
$$;
COMMENT ON FUNCTION anshim.poster(pg_catalog.uuid, pg_catalog.text, pg_catalog.regclass, pg_catalog.tstzrange)
IS 'a page for a venue''s door: its name above the QR code of its pass, as SVG';
REVOKE ALL ON FUNCTION anshim.poster(pg_catalog.uuid, pg_catalog.text, pg_catalog.regclass, pg_catalog.tstzrange) FROM PUBLIC;
