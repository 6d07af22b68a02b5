--| # Drawing a trace
--|
--| A trace is a tree, and a tree wants to be seen. These functions write it in the language of
--| [Graphviz](https://graphviz.org), whose `dot` makes an SVG, a PDF or a PNG of it:
--|
--|     psql -XAt -c "SELECT anshim.exposure_dot('visit', ARRAY['child 184'], '[1861-10-29, 1861-12-01)', degrees => 2)" |
--|         dot -Tsvg -o trace.svg

--| Makes any text safe inside Graphviz' HTML-like labels: markup characters become entities, control characters
--| (which no SVG may hold) become question marks, line breaks become spaces, and an empty text becomes a blank, as
--| Graphviz refuses to write nothing.
CREATE FUNCTION anshim.dot_escape(content text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.regexp_replace(
           pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(
               pg_catalog.translate(CASE content WHEN '' THEN ' ' ELSE content END, E'\t\n\r', '   '),
               '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
           '[\x01-\x1f\x7f]', '?', 'g');
COMMENT ON FUNCTION anshim.dot_escape(text)
IS 'Makes a text safe inside HTML-like labels of Graphviz.';

--| Writes hops as a DOT graph. The arrays hold one hop a position, as the columns of `exposure_paths` do, cast to
--| text. `exposure_dot` calls it; call it yourself to draw a tree that comes from somewhere else, such as one that
--| investigators wrote down.
--|
--| A subject is a box, coloured by the least step at which she was infected; `cases` are drawn even if they infect
--| nobody. Those who were infected in one encounter (same infector, venue and moment) hang on one edge, which says
--| where and when (in the session's time zone), and those of them who infect nobody share one box. A hop that comes
--| twice is drawn once. A NULL venue makes a dashed edge, a NULL moment is left out, and a hop whose step, infector or
--| infected is NULL is not drawn. The same hops make the same text, whatever their order.
CREATE FUNCTION anshim.hops_dot(step integer[], infector text[], infected text[], venue text[],
                                exposed_at timestamptz[], cases text[] DEFAULT '{}', title text DEFAULT NULL)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
WITH hop AS (
    SELECT h.infector, h.infected, h.venue, h.exposed_at, min(h.step) AS step
    FROM unnest($1, $2, $3, $4, $5) AS h (step, infector, infected, venue, exposed_at)
    WHERE num_nulls(h.step, h.infector, h.infected) = 0
    GROUP BY h.infector, h.infected, h.venue, h.exposed_at
),
role AS (
    SELECT h.infected AS name, h.step, true AS infected, false AS infects FROM hop AS h
    UNION ALL
    SELECT h.infector, h.step - 1, false, true FROM hop AS h
    UNION ALL
    SELECT c.name, 0, false, true FROM unnest($6) AS c (name) WHERE c.name IS NOT NULL
),
-- number things as people do: 'child 9' before 'child 10'
subject AS (
    SELECT r.name, greatest(min(r.step), 0) AS step, NOT bool_or(r.infects) AND count(*) FILTER (WHERE r.infected) = 1 AS is_leaf,
           row_number() OVER (ORDER BY min(r.step), length(r.name), r.name COLLATE "C") AS id
    FROM role AS r
    GROUP BY r.name
),
encounter AS (
    SELECT min(h.step) AS step, f.id AS infector, h.venue, h.exposed_at,
           row_number() OVER (ORDER BY f.id, h.exposed_at, length(h.venue), h.venue COLLATE "C") AS id,
           array_agg(t.id ORDER BY t.id) FILTER (WHERE NOT t.is_leaf) AS boxes,
           array_agg(anshim.dot_escape(t.name) ORDER BY t.id) FILTER (WHERE t.is_leaf) AS leaves
    FROM hop AS h
    JOIN subject AS f ON f.name = h.infector
    JOIN subject AS t ON t.name = h.infected
    GROUP BY f.id, h.venue, h.exposed_at
),
-- one colour a step, the last for all further ones
colour AS (
    SELECT s.step, c.fill, c.ink
    FROM (SELECT DISTINCT step FROM subject) AS s
    JOIN (VALUES (0, '#7d1128', '#ffffff'), (1, '#d8572a', '#ffffff'), (2, '#f7b267', '#33261d'), (3, '#f4e3b2', '#33261d'),
                 (4, '#cfe3d4', '#33261d'), (5, '#9cc5c9', '#33261d'), (6, '#8fa8c8', '#33261d')) AS c (step, fill, ink)
      ON c.step = least(s.step, 6)
),
legend AS (
    SELECT string_agg(format('<TD BGCOLOR="%s"><FONT COLOR="%s">%s</FONT></TD>', c.fill, c.ink, l.words), '' ORDER BY c.step) AS cells
    FROM colour AS c
    CROSS JOIN LATERAL (
        SELECT CASE c.step WHEN 0 THEN format('%s case%s', count(*), CASE WHEN count(*) > 1 THEN 's' END)
                           ELSE format('%s at hop %s', count(*), c.step) END AS words
        FROM subject AS s WHERE s.step = c.step) AS l
),
-- leaves of one encounter in as many columns as make the box about as wide as high
leaf_box AS (
    SELECT e.id, string_agg('<TR>' || r.cells || '</TR>', '' ORDER BY r.line) AS trs
    FROM encounter AS e
    CROSS JOIN LATERAL (
        SELECT (l.n - 1) / ceil(sqrt(cardinality(e.leaves) / 3.0))::integer AS line,
               string_agg('<TD>' || l.name || '</TD>', '' ORDER BY l.n) AS cells
        FROM unnest(e.leaves) WITH ORDINALITY AS l (name, n)
        GROUP BY 1) AS r
    GROUP BY e.id
),
-- each encounter's edge: straight to its only target, or to a point from where its targets fan out
edge AS (
    SELECT e.id, e.infector, e.step, e.boxes, e.leaves IS NOT NULL AS has_leaves,
           coalesce(cardinality(e.boxes), 0) + (e.leaves IS NOT NULL)::integer > 1 AS fans_out,
           format('label=<%s%s>%s', coalesce(anshim.dot_escape(e.venue), ' '),
                  '<BR/><FONT COLOR="#8a8178">' || to_char(e.exposed_at, 'YYYY-MM-DD HH24:MI') || '</FONT>',
                  CASE WHEN e.venue IS NULL THEN ', style=dashed' END) AS looks
    FROM encounter AS e
),
line AS (
    SELECT 1 AS part, s.id, 0::bigint AS target,
           format('  n%s [label=<%s>, fillcolor="%s", fontcolor="%s"];', s.id, anshim.dot_escape(s.name), c.fill, c.ink) AS dot
    FROM subject AS s JOIN colour AS c USING (step)
    WHERE NOT s.is_leaf
    UNION ALL
    SELECT 2, b.id, 0,
           format('  g%s [shape=plain, style="", label=<<TABLE STYLE="rounded" BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4" BGCOLOR="%s">%s</TABLE>>, fontcolor="%s"];',
                  b.id, c.fill, b.trs, c.ink)
    FROM leaf_box AS b JOIN edge AS e USING (id) JOIN colour AS c USING (step)
    UNION ALL
    SELECT 3, e.id, 0,
           CASE WHEN e.fans_out
                THEN format('  e%1$s [shape=point, width=0.05, color="#8a8178"]; n%2$s -> e%1$s [%3$s, arrowhead=none];', e.id, e.infector, e.looks)
                ELSE format('  n%s -> %s [%s, minlen=2];', e.infector, CASE WHEN e.has_leaves THEN 'g' || e.id ELSE 'n' || e.boxes[1] END, e.looks)
           END
    FROM edge AS e
    UNION ALL
    SELECT 4, e.id, t.target, format('  e%s -> n%s;', e.id, t.target)
    FROM edge AS e CROSS JOIN unnest(e.boxes) AS t (target) WHERE e.fans_out
    UNION ALL
    SELECT 5, e.id, 0, format('  e%1$s -> g%1$s;', e.id)
    FROM edge AS e WHERE e.fans_out AND e.has_leaves
)
SELECT format($dot$digraph exposure {
  graph [rankdir=LR, ranksep=0.35, nodesep=0.12, pad=0.3, bgcolor="#fffdf9", fontname="Helvetica,Arial,sans-serif", fontsize=11,
         labelloc=t, label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="6" CELLPADDING="5"><TR><TD BORDER="0" COLSPAN="%s"><FONT POINT-SIZE="20">%s</FONT></TD></TR><TR>%s</TR></TABLE>>];
  node [shape=box, style="rounded,filled", penwidth=0, height=0.28, margin="0.10,0.04", fontname="Helvetica,Arial,sans-serif", fontsize=10];
  edge [color="#b8ada2", fontcolor="#33261d", fontname="Helvetica,Arial,sans-serif", fontsize=8, arrowsize=0.5];
%s
}
$dot$,
              greatest((SELECT count(*) FROM colour), 1),
              coalesce(anshim.dot_escape($7), 'Exposure'),
              coalesce((SELECT cells FROM legend), '<TD>nobody</TD>'),
              (SELECT string_agg(l.dot, E'\n' ORDER BY l.part, l.id, l.target) FROM line AS l))
$$;
COMMENT ON FUNCTION anshim.hops_dot(integer[], text[], text[], text[], timestamptz[], text[], text)
IS 'Draws hops, one a position of the arrays, as a graph in the DOT language of Graphviz.';

--| Draws the tree that `exposure_paths` returns for the same arguments, for `dot` to lay out.
CREATE FUNCTION anshim.exposure_dot(visits regclass, cases anyarray, during tstzrange, degrees integer DEFAULT 1,
                                    linger interval DEFAULT '0', min_overlap interval DEFAULT '0',
                                    within double precision DEFAULT 0, latent interval DEFAULT '0',
                                    infectious_for interval DEFAULT NULL, until timestamptz DEFAULT NULL,
                                    case_periods tstzrange[] DEFAULT NULL, title text DEFAULT NULL)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT anshim.hops_dot(array_agg(p.step), array_agg(p.infector::text), array_agg(p.infected::text), array_agg(p.venue::text),
                       array_agg(p.exposed_at), $2::text[], coalesce($12, 'Exposure during ' || $3))
FROM anshim.exposure_paths($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS p
$$;
COMMENT ON FUNCTION anshim.exposure_dot(regclass, anyarray, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], text)
IS 'Draws who was exposed, by whom, where and when as a graph in the DOT language of Graphviz.';

--| The same for a log whose subjects and venues are of different types.
CREATE FUNCTION anshim.exposure_dot(visits regclass, cases anyarray, venue_type anycompatible, during tstzrange, degrees integer DEFAULT 1,
                                    linger interval DEFAULT '0', min_overlap interval DEFAULT '0',
                                    within double precision DEFAULT 0, latent interval DEFAULT '0',
                                    infectious_for interval DEFAULT NULL, until timestamptz DEFAULT NULL,
                                    case_periods tstzrange[] DEFAULT NULL, title text DEFAULT NULL)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT anshim.hops_dot(array_agg(p.step), array_agg(p.infector::text), array_agg(p.infected::text), array_agg(p.venue::text),
                       array_agg(p.exposed_at), $2::text[], coalesce($13, 'Exposure during ' || $4))
FROM anshim.exposure_paths($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS p
$$;
COMMENT ON FUNCTION anshim.exposure_dot(regclass, anyarray, anycompatible, tstzrange, integer, interval, interval, double precision, interval, interval, timestamptz, tstzrange[], text)
IS 'Draws who was exposed, by whom, where and when as a graph in the DOT language of Graphviz (subjects and venues of different types).';
