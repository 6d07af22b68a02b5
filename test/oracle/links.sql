--
-- Links recomputed in SQL from the words of docs/formats.md: an oracle that
-- shares nothing with the library but its catalog.
--
CREATE FUNCTION field(value bytea) RETURNS bytea IMMUTABLE
RETURN coalesce(int4send(length(value)) || value, int4send(-1));

-- Send functions of enums and the like do not take domains.
CREATE FUNCTION base_type(type regtype) RETURNS regtype
RETURN (
	WITH RECURSIVE below (type) AS (
		SELECT base_type.type UNION ALL SELECT typbasetype::regtype FROM below JOIN pg_type ON oid = below.type WHERE typbasetype <> 0
	)
	SELECT below.type FROM below JOIN pg_type ON oid = below.type WHERE typbasetype = 0);

-- What computes the row image of these columns
CREATE FUNCTION image_sql(columns name[], types regtype[]) RETURNS text
RETURN (
	SELECT format('int2send(%s::int2)', cardinality(columns))
		|| coalesce(string_agg(format(' || field(%s(%I::%s))', typsend, name, base_type(type)), '' ORDER BY i), '')
	FROM unnest(columns, types) WITH ORDINALITY c (name, type, i)
	JOIN pg_type ON pg_type.oid = type);

-- Every row of the table, or of the chain's events, as it is and as it should be
CREATE FUNCTION images(target regclass, id uuid) RETURNS TABLE (leaf regclass, link anshim.link, image bytea)
LANGUAGE plpgsql SET client_encoding = 'UTF8' AS $$
DECLARE
	l anshim.layout;
	used boolean;
BEGIN
	FOR l IN SELECT * FROM anshim.layout WHERE chain = id LOOP
		IF l.layout = 0 THEN
			RETURN QUERY EXECUTE format('SELECT ''anshim.event''::regclass, link, %s FROM anshim.event WHERE chain = %L',
				image_sql(l.columns, l.types), id);
			CONTINUE;
		END IF;
		FOR leaf IN SELECT relid FROM pg_partition_tree(target) WHERE isleaf UNION SELECT target EXCEPT
			SELECT oid FROM pg_class WHERE relkind = 'p' LOOP
			-- A layout that no row has may name columns that are gone.
			EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s WHERE anshim.layout(link) = %s)', leaf, l.layout) INTO used;
			CONTINUE WHEN NOT used;
			RETURN QUERY EXECUTE format('SELECT %L::regclass, link, %s FROM ONLY %s WHERE anshim.layout(link) = %s',
				leaf, image_sql(l.columns, l.types), leaf, l.layout);
		END LOOP;
	END LOOP;
END
$$;

-- What is wrong with a chained table; nothing if it is not chained at all would
-- be a lie, so that is an error.
CREATE FUNCTION broken(target regclass) RETURNS TABLE (leaf regclass, link anshim.link, finding text)
LANGUAGE plpgsql AS $$
DECLARE
	id uuid;
	total bigint;
	counted bigint;
BEGIN
	SELECT chain INTO STRICT id FROM anshim.chained c WHERE c.target = broken.target;
	CREATE TEMP TABLE linked ON COMMIT DROP AS SELECT * FROM images(target, id);
	EXECUTE format('SELECT count(*) FROM %s', target) INTO total;
	SELECT count(*) INTO counted FROM linked l WHERE l.leaf <> 'anshim.event'::regclass;
	IF total <> counted THEN
		RETURN QUERY SELECT target, NULL::anshim.link, format('%s rows, but %s of known layouts', total, counted);
	END IF;
	RETURN QUERY
	SELECT l.leaf, l.link, CASE
		WHEN anshim.seq(l.link) <> row_number() OVER strand THEN 'out of order'
		WHEN anshim.hash(l.link) <> sha256('\x02' || uuid_send(id) || int4send(anshim.strand(l.link)) || int4send(anshim.layout(l.link))
			|| int8send(anshim.seq(l.link)) || coalesce(lag(anshim.hash(l.link)) OVER strand, decode(repeat('00', 32), 'hex')) || image)
			THEN 'changed'
		WHEN l.leaf <> first_value(l.leaf) OVER strand THEN 'strand in two tables'
		END
	FROM linked l
	WINDOW strand AS (PARTITION BY anshim.strand(l.link) ORDER BY anshim.seq(l.link), l.link);
	DROP TABLE linked;
END
$$;

-- Nothing, if the table is as it should be
CREATE FUNCTION findings(target regclass) RETURNS TABLE (leaf regclass, link anshim.link, finding text)
BEGIN ATOMIC
	SELECT b.leaf, b.link, b.finding FROM broken(findings.target) b WHERE b.finding IS NOT NULL ORDER BY b.link;
END;
