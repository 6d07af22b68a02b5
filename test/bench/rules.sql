-- Minutes that add up, beside the same in SQL, and what details cost.
--
-- rival.added_up_over_contacts answers what anshim.exposures does with
-- min_overlap => '15 minutes', accumulate => '24 hours': level by level, the
-- time that everybody spent with those who are newly infectious comes from
-- anshim.contacts, is united, and added up in a window that slides.  Those sums
-- alone are formed again to which something came.

CREATE FUNCTION rival.added_up_over_contacts(log regclass, index_case bigint, lo timestamptz, hi timestamptz, degrees integer)
RETURNS TABLE (subject bigint, degree integer, exposed_at timestamptz)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
	CREATE TEMPORARY TABLE IF NOT EXISTS infectious (subject bigint PRIMARY KEY, level integer, t timestamptz, changed integer);
	CREATE TEMPORARY TABLE IF NOT EXISTS breath (subject bigint, s timestamptz, e timestamptz, level integer);
	CREATE INDEX IF NOT EXISTS breath_subject ON breath (subject);
	TRUNCATE infectious, breath;
	INSERT INTO infectious VALUES (index_case, 0, lo, 0);
	FOR this_level IN 1..degrees LOOP
		INSERT INTO breath
		SELECT c.subject, c.started_at, c.ended_at, this_level
		FROM infectious AS i CROSS JOIN LATERAL anshim.contacts(log, i.subject, tstzrange(i.t, hi)) AS c
		WHERE i.changed = this_level - 1 AND c.subject <> index_case;
		ANALYZE breath;

		INSERT INTO infectious AS i
		WITH begun AS (
			SELECT subject, s, e,
				max(e) OVER (PARTITION BY subject ORDER BY s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended,
				max(e) OVER (PARTITION BY subject) AS last_end
			FROM breath
			WHERE subject IN (SELECT subject FROM breath WHERE level = this_level)
		), united AS (
			SELECT subject, s, coalesce(lead(ended) OVER (PARTITION BY subject ORDER BY s), last_end) AS e
			FROM begun
			WHERE ended IS NULL OR ended < s
		), added AS (
			-- the last in the window may reach beyond it
			SELECT subject, s, sum(e - s) OVER day - greatest(max(e) OVER day - (s + interval '24 hours'), interval '0') AS minutes
			FROM united
			WINDOW day AS (PARTITION BY subject ORDER BY s RANGE BETWEEN CURRENT ROW AND interval '24 hours' FOLLOWING)
		)
		SELECT subject, this_level, min(s), this_level
		FROM added
		WHERE minutes >= interval '15 minutes'
		GROUP BY subject
		ON CONFLICT (subject) DO UPDATE SET t = EXCLUDED.t, changed = EXCLUDED.changed
		WHERE EXCLUDED.t < i.t;
		ANALYZE infectious;
	END LOOP;
	RETURN QUERY SELECT subject, level, t FROM infectious WHERE level > 0;
END
$$;

CALL rival.define_watch('added_up', $$anshim.exposures($1, ARRAY[$2], tstzrange($3, $4), degrees => $5,
	min_overlap => '15 minutes', accumulate => '24 hours')$$);
CALL rival.define_watch('added_up_in_sql', 'rival.added_up_over_contacts($1, $2, $3, $4, $5)');
CALL rival.define_watch('details', 'anshim.exposures($1, ARRAY[$2], tstzrange($3, $4), details => true, degrees => $5)');
