--| # Drawing a trace
--|
--| A trace is a tree, and a tree wants to be seen. These functions write one in
--| the language of [Graphviz](https://graphviz.org), whose `dot` makes an SVG, a
--| PDF or a PNG of it:
--|
--|     psql -XAt -c "SELECT anshim.exposure_dot('visit', ARRAY['Ann'],
--|         '[2021-03-01, 2021-03-15)', degrees => 3)" | dot -Tsvg -o trace.svg

--| ## anshim.dot_escape
--| Makes any text safe inside Graphviz' HTML-like labels: markup characters
--| become entities, backslashes are doubled (Graphviz writes the node's name for
--| `\N`), control characters (which no SVG may hold) become question marks, line
--| breaks blanks, and an empty text a blank, as Graphviz refuses to write nothing.
CREATE FUNCTION anshim.dot_escape(content text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.regexp_replace(
	pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(
		pg_catalog.translate(CASE content WHEN '' THEN ' ' ELSE content END, E'\t\n\r', '   '),
		'&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), E'\\', E'\\\\'),
	'[\x01-\x1f\x7f]', '?', 'g');
COMMENT ON FUNCTION anshim.dot_escape(text)
IS 'a text, made safe for the HTML-like labels of Graphviz';

--| ## anshim.hops_dot
--| Draws hops: the arrays hold one hop a position, as the columns of
--| `anshim.exposure_paths` do, cast to text. `anshim.exposure_dot` calls it; call
--| it yourself to draw a tree that comes from somewhere else, such as one that
--| investigators wrote down.
--|
--| - A subject is a box, coloured by the least step at which she was infected.
--|   `cases` are drawn even if they infect nobody.
--| - Those infected in one encounter (same infector, venue and moment) hang on
--|   one edge, which says where and when, in the session's time zone; those of
--|   them who infect nobody share one box.
--| - A hop that comes twice is drawn once. A NULL venue makes a dashed edge, a
--|   NULL moment is left out, and a hop whose step, infector or infected is NULL
--|   is not drawn.
--|
--| The same hops make the same text, in whatever order they come.
CREATE FUNCTION anshim.hops_dot(
	step integer[], infector text[], infected text[], venue text[],
	exposed_at timestamptz[],
	cases text[] DEFAULT '{}',
	title text DEFAULT NULL)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
WITH hop AS (
	SELECT h.infector, h.infected, h.venue, h.exposed_at, pg_catalog.min(h.step) AS step
	FROM ROWS FROM (pg_catalog.unnest(hops_dot.step), pg_catalog.unnest(hops_dot.infector),
		pg_catalog.unnest(hops_dot.infected), pg_catalog.unnest(hops_dot.venue),
		pg_catalog.unnest(hops_dot.exposed_at)) AS h (step, infector, infected, venue, exposed_at)
	WHERE pg_catalog.num_nulls(h.step, h.infector, h.infected) = 0
	GROUP BY h.infector, h.infected, h.venue, h.exposed_at
),
role AS (
	SELECT h.infected AS name, h.step, true AS infected, false AS infects
	FROM hop AS h
	UNION ALL
	SELECT h.infector, h.step - 1, false, true
	FROM hop AS h
	UNION ALL
	SELECT c.name, 0, false, true
	FROM pg_catalog.unnest(hops_dot.cases) AS c (name)
	WHERE c.name IS NOT NULL
),
-- numbered as people sort: 'child 9' before 'child 10'
subject AS (
	SELECT r.name, greatest(pg_catalog.min(r.step), 0) AS step,
		NOT pg_catalog.bool_or(r.infects) AND pg_catalog.count(*) FILTER (WHERE r.infected) = 1 AS is_leaf,
		pg_catalog.row_number() OVER (ORDER BY pg_catalog.min(r.step),
			pg_catalog.length(r.name), r.name COLLATE "C") AS id
	FROM role AS r
	GROUP BY r.name
),
encounter AS (
	SELECT pg_catalog.min(h.step) AS step, f.id AS infector, h.venue, h.exposed_at,
		pg_catalog.row_number() OVER (ORDER BY f.id, h.exposed_at,
			pg_catalog.length(h.venue), h.venue COLLATE "C") AS id,
		coalesce(pg_catalog.array_agg(t.id ORDER BY t.id) FILTER (WHERE NOT t.is_leaf), '{}') AS boxes,
		pg_catalog.array_agg(anshim.dot_escape(t.name) ORDER BY t.id) FILTER (WHERE t.is_leaf) AS leaves
	FROM hop AS h
	JOIN subject AS f ON f.name = h.infector
	JOIN subject AS t ON t.name = h.infected
	GROUP BY f.id, h.venue, h.exposed_at
),
-- a colour a step, the last for all further ones
colour AS (
	SELECT s.step, c.fill, c.ink
	FROM (SELECT DISTINCT step FROM subject) AS s
	JOIN (VALUES (0, '#7d1128', '#ffffff'),
			(1, '#d8572a', '#ffffff'),
			(2, '#f7b267', '#33261d'),
			(3, '#f4e3b2', '#33261d'),
			(4, '#cfe3d4', '#33261d'),
			(5, '#9cc5c9', '#33261d'),
			(6, '#8fa8c8', '#33261d')) AS c (step, fill, ink)
		ON c.step = least(s.step, 6)
),
legend AS (
	SELECT pg_catalog.count(*) AS cells,
		pg_catalog.string_agg(pg_catalog.format('<TD BGCOLOR="%s"><FONT COLOR="%s">%s</FONT></TD>',
			c.fill, c.ink, l.words), '' ORDER BY c.step) AS row
	FROM colour AS c
	CROSS JOIN LATERAL (
		SELECT CASE
				WHEN c.step > 0 THEN pg_catalog.format('%s at hop %s', pg_catalog.count(*), c.step)
				WHEN pg_catalog.count(*) > 1 THEN pg_catalog.format('%s cases', pg_catalog.count(*))
				ELSE '1 case'
			END AS words
		FROM subject AS s
		WHERE s.step = c.step) AS l
),
-- an encounter's leaves, in so many columns that the box is not far from square
leaf_row AS (
	SELECT e.id, e.step,
		(l.n - 1) / pg_catalog.ceil(pg_catalog.sqrt(pg_catalog.cardinality(e.leaves)::float8 / 3::float8))::bigint AS line,
		pg_catalog.string_agg('<TD>' || l.name || '</TD>', '' ORDER BY l.n) AS cells
	FROM encounter AS e
	CROSS JOIN LATERAL pg_catalog.unnest(e.leaves) WITH ORDINALITY AS l (name, n)
	GROUP BY 1, 2, 3
),
leaf_box AS (
	SELECT r.id, r.step, pg_catalog.string_agg('<TR>' || r.cells || '</TR>', '' ORDER BY r.line) AS rows
	FROM leaf_row AS r
	GROUP BY r.id, r.step
),
-- an encounter's edge leads straight to its one box, or fans out from a point
edge AS (
	SELECT e.id, e.infector, e.boxes, e.leaves IS NOT NULL AS has_leaves,
		pg_catalog.cardinality(e.boxes) + (e.leaves IS NOT NULL)::integer > 1 AS fans_out,
		pg_catalog.format('label=<%s%s>%s', coalesce(anshim.dot_escape(e.venue), ' '),
			'<BR/><FONT COLOR="#8a8178">' || pg_catalog.to_char(e.exposed_at, 'YYYY-MM-DD HH24:MI') || '</FONT>',
			CASE WHEN e.venue IS NULL THEN ', style=dashed' END) AS looks
	FROM encounter AS e
),
line AS (
	SELECT 1 AS part, s.id, 0::bigint AS target,
		pg_catalog.format('  n%s [label=<%s>, fillcolor="%s", fontcolor="%s"];',
			s.id, anshim.dot_escape(s.name), c.fill, c.ink) AS dot
	FROM subject AS s
	JOIN colour AS c USING (step)
	WHERE NOT s.is_leaf
	UNION ALL
	SELECT 2, b.id, 0,
		pg_catalog.format('  g%s [shape=plain, style="", fontcolor="%s", label=<<TABLE STYLE="rounded" '
			'BGCOLOR="%s" BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4">%s</TABLE>>];',
			b.id, c.ink, c.fill, b.rows)
	FROM leaf_box AS b
	JOIN colour AS c USING (step)
	UNION ALL
	SELECT 3, e.id, 0, pg_catalog.format('  n%s -> g%s [%s, minlen=2];', e.infector, e.id, e.looks)
	FROM edge AS e
	WHERE NOT e.fans_out AND e.has_leaves
	UNION ALL
	SELECT 3, e.id, 0, pg_catalog.format('  n%s -> n%s [%s, minlen=2];', e.infector, e.boxes[1], e.looks)
	FROM edge AS e
	WHERE NOT e.fans_out AND NOT e.has_leaves
	UNION ALL
	SELECT 3, e.id, 0,
		pg_catalog.format(E'  e%1$s [shape=point, width=0.05, color="#8a8178"];\n'
			'  n%2$s -> e%1$s [%3$s, arrowhead=none];', e.id, e.infector, e.looks)
	FROM edge AS e
	WHERE e.fans_out
	UNION ALL
	SELECT 4, e.id, b.id, pg_catalog.format('  e%s -> n%s;', e.id, b.id)
	FROM edge AS e
	CROSS JOIN LATERAL pg_catalog.unnest(e.boxes) AS b (id)
	WHERE e.fans_out
	UNION ALL
	SELECT 5, e.id, 0, pg_catalog.format('  e%1$s -> g%1$s;', e.id)
	FROM edge AS e
	WHERE e.fans_out AND e.has_leaves
)
SELECT pg_catalog.format($dot$digraph exposure {
  graph [rankdir=LR, ranksep=0.35, nodesep=0.12, pad=0.3, bgcolor="#fffdf9",
         fontname="Helvetica,Arial,sans-serif", fontsize=11, labelloc=t,
         label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="6" CELLPADDING="5">
                <TR><TD COLSPAN="%s"><FONT POINT-SIZE="20">%s</FONT></TD></TR>
                <TR>%s</TR></TABLE>>];
  node [shape=box, style="rounded,filled", penwidth=0, height=0.28, margin="0.10,0.04",
        fontname="Helvetica,Arial,sans-serif", fontsize=10];
  edge [color="#b8ada2", fontcolor="#33261d", arrowsize=0.5,
        fontname="Helvetica,Arial,sans-serif", fontsize=8];
%s
}
$dot$,
	greatest(l.cells, 1::bigint), coalesce(anshim.dot_escape(hops_dot.title), 'Exposure'),
	coalesce(l.row, '<TD>nobody</TD>'),
	(SELECT pg_catalog.string_agg(line.dot, E'\n' ORDER BY line.part, line.id, line.target) FROM line))
FROM legend AS l;
END;
COMMENT ON FUNCTION anshim.hops_dot(integer[], text[], text[], text[], timestamptz[], text[], text)
IS 'draws hops, one a position of the arrays, in the DOT language of Graphviz';

--| ## anshim.exposure_dot
--| Draws what `anshim.exposure_paths` returns for the same arguments, as
--| `anshim.hops_dot` does. Where a subject's own chain and one that passes
--| through her differ, she has several edges.
CREATE FUNCTION anshim.exposure_dot(
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
	title text DEFAULT NULL)
RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 20000
SET search_path = pg_catalog, pg_temp
AS $$
SELECT anshim.hops_dot(array_agg(p.step), array_agg(p.infector::text), array_agg(p.infected::text),
	array_agg(p.venue::text), array_agg(p.exposed_at), $2::text[],
	coalesce($14, 'Exposure' || coalesce(' from ' || to_char(lower($3), 'YYYY-MM-DD HH24:MI'), '')
		|| coalesce(' to ' || to_char(upper($3), 'YYYY-MM-DD HH24:MI'), '')))
FROM anshim.exposure_paths(anshim.check_call($1, $2, ($2)[1], $3, 'anshim.exposure_dot(%s, during, ...)'),
	$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS p
$$;
COMMENT ON FUNCTION anshim.exposure_dot(regclass, anyarray, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, text)
IS 'draws who was exposed by whom, where and when, in the DOT language of Graphviz; for a log whose subjects and venues share a type';

CREATE FUNCTION anshim.exposure_dot(
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
	title text DEFAULT NULL)
RETURNS text
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 20000
SET search_path = pg_catalog, pg_temp
AS $$
SELECT anshim.hops_dot(array_agg(p.step), array_agg(p.infector::text), array_agg(p.infected::text),
	array_agg(p.venue::text), array_agg(p.exposed_at), $2::text[],
	coalesce($15, 'Exposure' || coalesce(' from ' || to_char(lower($4), 'YYYY-MM-DD HH24:MI'), '')
		|| coalesce(' to ' || to_char(upper($4), 'YYYY-MM-DD HH24:MI'), '')))
FROM anshim.exposure_paths(anshim.check_call($1, $2, $3, $4, 'anshim.exposure_dot(%s, during, ...)'),
	$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS p
$$;
COMMENT ON FUNCTION anshim.exposure_dot(regclass, anyarray, anycompatible, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], double precision, interval, text)
IS 'draws who was exposed by whom, where and when, in the DOT language of Graphviz; for a log whose venues are of venue_type''s type';
