/*
 * test/oracle/generate.sql
 *
 * Random logs and questions. Everything comes from a hash of the seed, the
 * log's number and the name of what is drawn, so that a log is the same on
 * every server, and does not change when another one is left out.
 *
 * Times lie on a small grid, so that ties, touching visits and equal bounds
 * abound. The grid's step is a microsecond or some hours; on a grid of hours
 * some times are moved by a microsecond. The origin is a midnight in UTC, an
 * hour before the clocks of Europe go forward.
 */

-- How the logs of one table are to be: how many; how much larger than others;
-- the grid; and what anshim.track_visits() is told, in steps of it.
CREATE TYPE oracle.shape AS (
	logs integer,
	scale integer,
	step interval,
	jitter boolean,
	max_stay integer,
	default_stay integer
);

CREATE FUNCTION oracle.rnd(seed bigint, log integer, what text, below integer)
RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN ((hashtextextended(log || ' ' || what, seed) & 9223372036854775807)
		% below)::integer;

-- One of the list.
CREATE FUNCTION oracle.pick(seed bigint, log integer, what text,
							VARIADIC choices integer[])
RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN choices[1 + oracle.rnd(seed, log, what, cardinality(choices))];

-- Keys are numbered over all logs of a table: the n-th of one log sorts before
-- the (n+1)-th of any other, so that the logs interleave.
CREATE FUNCTION oracle.key_number(log integer, n integer, shape oracle.shape)
RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN n * (shape).logs + log;

-- Half of the logs are to have long chains: many rows, an early or late case,
-- and time enough.
CREATE FUNCTION oracle.is_long(seed bigint, log integer) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN oracle.rnd(seed, log, 'long', 2) = 0;

CREATE FUNCTION oracle.subjects_of(seed bigint, log integer) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE
		   WHEN oracle.is_long(seed, log)
		   THEN oracle.pick(seed, log, 'subjects', 6, 7, 8)
		   ELSE oracle.pick(seed, log, 'subjects', 2, 3, 4, 5, 6, 7, 8)
	   END;

CREATE FUNCTION oracle.venues_of(seed bigint, log integer) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE
		   WHEN oracle.is_long(seed, log)
		   THEN oracle.pick(seed, log, 'venues', 2, 3, 4, 5)
		   ELSE oracle.pick(seed, log, 'venues', 1, 1, 2, 2, 3, 5)
	   END;

-- Visits begin on so many points of the grid.
CREATE FUNCTION oracle.span_of(seed bigint, log integer) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN oracle.pick(seed, log, 'span', 8, 12, 16, 20, 24, 40);

-- A point of the grid; the first few lie before the origin.
CREATE FUNCTION oracle.grid(shape oracle.shape, n integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
RETURN oracle.origin() + (n - 5) * (shape).step;

-- 0, and on a coarse grid sometimes a microsecond more or less.
CREATE FUNCTION oracle.jitter(seed bigint, log integer, what text,
							  shape oracle.shape)
RETURNS interval
LANGUAGE sql IMMUTABLE
RETURN CASE
		   WHEN (shape).jitter
		   THEN oracle.pick(seed, log, what || ' jitter', 0, 0, 0, 0, -1, 1)
				* interval '1 microsecond'
		   ELSE interval '0'
	   END;

CREATE FUNCTION oracle.random_rows(seed bigint, log integer, shape oracle.shape)
RETURNS oracle.log_row[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	subjects integer := oracle.subjects_of(seed, log) * shape.scale;
	venues integer := oracle.venues_of(seed, log) * shape.scale;
	span integer := oracle.span_of(seed, log);
	longest interval := (shape).max_stay * (shape).step;
	n_rows integer := CASE
						  WHEN oracle.is_long(seed, log)
						  THEN 22 + oracle.rnd(seed, log, 'rows', 9)
						  ELSE 3 + oracle.rnd(seed, log, 'rows',
											  oracle.pick(seed, log, 'most rows', 5, 18, 28))
					  END;
	rows oracle.log_row[];
	r oracle.log_row;
	visit text;
	begins integer;
	stay integer;
BEGIN
	FOR n IN 1 .. n_rows * shape.scale LOOP
		-- Some rows are further rows of an earlier row's visit.
		visit := CASE
					 WHEN oracle.rnd(seed, log, n || ' again', 6) = 0
					 THEN 1 + oracle.rnd(seed, log, n || ' of', n)
					 ELSE n
				 END;
		begins := oracle.rnd(seed, log, visit || ' at', span);
		r.subject := oracle.key_number(log, oracle.rnd(seed, log, visit || ' subject', subjects), shape);
		r.venue := oracle.key_number(log, oracle.rnd(seed, log, visit || ' venue', venues), shape);
		r.entered_at := oracle.grid(shape, begins)
			+ oracle.jitter(seed, log, visit || ' entered', shape);

		-- Mostly short, sometimes as long as may be.
		stay := oracle.pick(seed, log, n || ' stay', 1, 1, 2, 2, 3, 3, 4, 0);
		IF stay = 0 THEN
			stay := 1 + oracle.rnd(seed, log, n || ' long stay', (shape).max_stay);
		END IF;
		r.left_at := least(oracle.grid(shape, begins + stay) + oracle.jitter(seed, log, n || ' left', shape),
						   r.entered_at + longest);

		IF oracle.rnd(seed, log, n || ' open', 6) = 0 THEN
			r.left_at := NULL;
		END IF;
		IF oracle.rnd(seed, log, visit || ' no subject', 40) = 0 THEN
			r.subject := NULL;
		END IF;
		IF oracle.rnd(seed, log, visit || ' no venue', 40) = 0 THEN
			r.venue := NULL;
		END IF;
		rows := rows || r;
	END LOOP;
	RETURN rows;
END;
$$;

-- Whole coordinates, so that distances are exact or far from any `within`.
-- Logs lie 1 km apart. Some venues have no location, some are not there, and
-- some have two. Half of them say how long visits last, or when they end.
CREATE FUNCTION oracle.random_places(seed bigint, log integer,
									 shape oracle.shape)
RETURNS oracle.place[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	places oracle.place[] := '{}';
	p oracle.place;
	there integer;
	what text;
BEGIN
	FOR n IN 0 .. oracle.venues_of(seed, log) * shape.scale - 1 LOOP
		there := oracle.rnd(seed, log, n || ' there', 12);
		CONTINUE WHEN there = 0;
		p.venue := oracle.key_number(log, n, shape);
		p.x := 1000 * log + oracle.rnd(seed, log, n || ' x', 9 * ceil(sqrt(shape.scale))::integer);
		p.y := oracle.rnd(seed, log, n || ' y', 9 * ceil(sqrt(shape.scale))::integer);
		IF there = 1 THEN
			p.x := NULL;
			p.y := NULL;
		END IF;
		FOR row IN 1 .. CASE oracle.rnd(seed, log, n || ' twice', 8) WHEN 0 THEN 2 ELSE 1 END LOOP
			what := format('%s, %s', n, row);
			p.stay := NULL;
			p.closes := NULL;
			p.time_zone := NULL;
			IF oracle.rnd(seed, log, what || ' stay', 3) = 0 THEN
				p.stay := oracle.random_length(seed, log, what || ' so long', shape, 1, 2, 2, 3, 4, 6, 8, 12, 25);
			END IF;
			IF oracle.rnd(seed, log, what || ' closes', 3) = 0 THEN
				p.time_zone := (ARRAY['UTC', 'Europe/Berlin', 'America/St_Johns', NULL])[1 + oracle.rnd(seed, log, what || ' zone', 4)];
				p.closes := CASE oracle.rnd(seed, log, what || ' midnight', 6)
								WHEN 0 THEN '24:00'
								ELSE ((oracle.grid(shape, oracle.rnd(seed, log, what || ' at', 40)) + oracle.jitter(seed, log, what || ' at', shape))
									  AT TIME ZONE coalesce(p.time_zone, 'Europe/Berlin'))::time
							END;
			END IF;
			places := places || p;
			p.x := p.x + 2;
		END LOOP;
	END LOOP;
	RETURN places;
END;
$$;

-- With bounds of all kinds, at least two steps long.
CREATE FUNCTION oracle.random_range(seed bigint, log integer, what text,
									shape oracle.shape)
RETURNS tstzrange
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	span integer := oracle.span_of(seed, log);
	lo integer := oracle.rnd(seed, log, what || ' from',
							 oracle.pick(seed, log, what || ' late', 2, 5, 8, span / 2));
	hi integer := lo + 2 + oracle.rnd(seed, log, what || ' to',
									  oracle.pick(seed, log, what || ' wide', 4, span, 2 * span));
BEGIN
	RETURN tstzrange(CASE oracle.rnd(seed, log, what || ' lower kind', 12)
						 WHEN 0 THEN NULL
						 WHEN 1 THEN '-infinity'
						 ELSE oracle.grid(shape, lo) + oracle.jitter(seed, log, what || ' lower', shape)
					 END,
					 CASE oracle.rnd(seed, log, what || ' upper kind', 12)
						 WHEN 0 THEN NULL
						 WHEN 1 THEN 'infinity'
						 ELSE oracle.grid(shape, hi) + oracle.jitter(seed, log, what || ' upper', shape)
					 END,
					 (ARRAY['[)', '[)', '[)', '(]', '[]', '()'])[1 + oracle.rnd(seed, log, what || ' bounds', 6)]);
END;
$$;

-- So many steps as an interval: in days and hours by chance, if that long.
CREATE FUNCTION oracle.random_length(seed bigint, log integer, what text,
									 shape oracle.shape,
									 VARIADIC steps integer[])
RETURNS interval
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	length interval := oracle.pick(seed, log, what, VARIADIC steps) * (shape).step;
BEGIN
	-- Longer than any sum with a timestamptz may be.
	IF oracle.rnd(seed, log, what || ' huge', 60) = 0 THEN
		RETURN '106751990 days';
	END IF;
	IF length > '0' THEN
		length := length + oracle.jitter(seed, log, what, shape);
	END IF;
	IF oracle.rnd(seed, log, what || ' in days', 3) > 0 OR length < '1 hour' THEN
		RETURN length;
	ELSIF length < '1 day' THEN
		RETURN interval '1 day' + (length - interval '24 hours');
	ELSE
		RETURN justify_hours(length);
	END IF;
END;
$$;

CREATE FUNCTION oracle.random_moment(seed bigint, log integer, what text,
									 shape oracle.shape)
RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN CASE oracle.rnd(seed, log, what || ' kind', 24)
			   WHEN 0 THEN '-infinity'
			   WHEN 1 THEN 'infinity'
			   ELSE oracle.grid(shape, oracle.rnd(seed, log, what, oracle.span_of(seed, log) + 8))
					+ oracle.jitter(seed, log, what, shape)
		   END;
END;
$$;

-- For a trace backwards the case may be late where else she is early.
CREATE FUNCTION oracle.random_question(seed bigint, log integer,
									   shape oracle.shape, backwards boolean)
RETURNS oracle.question
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	q oracle.question;
	subjects integer := oracle.subjects_of(seed, log) * shape.scale;
	span integer := oracle.span_of(seed, log);
	is_long boolean := oracle.is_long(seed, log);
	has_periods boolean := oracle.rnd(seed, log, 'periods', 3) = 0;
	n_cases integer := oracle.pick(seed, log, 'cases', 1, 1, 1, 2, 2, 3);
BEGIN
	q.cases := '{}';
	IF has_periods THEN
		q.case_periods := '{}';
	END IF;
	IF oracle.rnd(seed, log, 'no case', 50) = 0 THEN
		n_cases := 0;
	END IF;
	FOR n IN 1 .. n_cases LOOP
		-- Whoever made one of the first visits, or somebody who made none.
		q.cases := q.cases
			|| oracle.key_number(log,
								 CASE
									 WHEN oracle.rnd(seed, log, n || ' stranger', 25) = 0 THEN 8 * shape.scale
									 ELSE oracle.rnd(seed, log, 1 + oracle.rnd(seed, log, n || ' case', 3) || ' subject', subjects)
								 END,
								 shape);
		IF has_periods THEN
			q.case_periods := q.case_periods
				|| CASE oracle.rnd(seed, log, n || ' period kind', 6)
					   WHEN 0 THEN NULL
					   WHEN 1 THEN 'empty'
					   ELSE oracle.random_range(seed, log, n || ' period', shape)
				   END;
		END IF;
	END LOOP;

	IF is_long AND oracle.rnd(seed, log, 'narrow', 3) > 0 THEN
		q.during := CASE
						WHEN backwards
						THEN tstzrange(oracle.grid(shape, span - oracle.rnd(seed, log, 'during', 6)),
									   oracle.grid(shape, span + 4))
						ELSE tstzrange(oracle.grid(shape, 0),
									   oracle.grid(shape, 4 + oracle.rnd(seed, log, 'during', 8)))
					END;
	ELSE
		q.during := oracle.random_range(seed, log, 'during', shape);
	END IF;
	IF is_long AND oracle.rnd(seed, log, 'wide', 4) > 0 THEN
		q.until := oracle.grid(shape, span + oracle.rnd(seed, log, 'until', 5));
		q.since := oracle.grid(shape, oracle.rnd(seed, log, 'since', 5));
	ELSE
		IF oracle.rnd(seed, log, 'until given', 4) = 0 THEN
			q.until := oracle.random_moment(seed, log, 'until', shape);
		END IF;
		IF oracle.rnd(seed, log, 'since given', 4) = 0 THEN
			q.since := oracle.random_moment(seed, log, 'since', shape);
		END IF;
	END IF;

	q.degrees := oracle.pick(seed, log, 'degrees', 1, 2, 3, 3, 4, 5, 6, 8);
	q.linger := oracle.random_length(seed, log, 'linger', shape, 0, 0, 0, 1, 2, 3, 8);
	q.min_overlap := oracle.random_length(seed, log, 'min_overlap', shape, 0, 0, 0, 0, 1, 1, 2, 3);
	IF oracle.rnd(seed, log, 'all degrees', 30) = 0 THEN
		q.degrees := 2147483647;
	END IF;
	q.within := oracle.pick(seed, log, 'within', 0, 0, 0, 1, 2, 3, 5, 10, 25);
	IF oracle.rnd(seed, log, 'half', 4) = 0 THEN
		q.within := q.within / 2;
	END IF;
	q.latent := oracle.random_length(seed, log, 'latent', shape, 0, 0, 0, 0, 1, 2, 3, 5);
	IF oracle.rnd(seed, log, 'recovers', 2) = 0 THEN
		q.infectious_for := oracle.random_length(seed, log, 'infectious_for', shape, 0, 1, 2, 3, 4, 4, 5, 6, 8, 12);
	END IF;
	q.min_cases := oracle.pick(seed, log, 'min_cases', 1, 2, 2, 3);
	-- No sum is longer than the time in which it adds up.
	IF oracle.rnd(seed, log, 'adds up', 3) = 0 THEN
		q.min_overlap := oracle.random_length(seed, log, 'sum', shape, 0, 1, 2, 2, 3, 3, 4, 5, 6);
		q.accumulate := greatest(oracle.random_length(seed, log, 'accumulate', shape, 1, 2, 3, 4, 6, 8, 12, 20, 30), q.min_overlap, '1 microsecond');
	END IF;
	IF oracle.rnd(seed, log, 'follows', 3) = 0 THEN
		q.linger_ratio := oracle.pick(seed, log, 'linger_ratio', 0, 1, 2, 3, 4, 4, 6, 10) / 4.0;
	END IF;
	RETURN q;
END;
$$;

-- The logs of one table, and a question about each; another one for sources.
CREATE TABLE oracle.random_log (
	log integer PRIMARY KEY,
	rows oracle.log_row[] NOT NULL,
	places oracle.place[] NOT NULL,
	question oracle.question NOT NULL,
	backwards oracle.question NOT NULL
);

CREATE FUNCTION oracle.make_logs(seed bigint, shape oracle.shape) RETURNS void
LANGUAGE sql AS $$
	TRUNCATE oracle.random_log;
	INSERT INTO oracle.random_log
	SELECT n, oracle.random_rows(seed, n, shape),
		   oracle.random_places(seed, n, shape),
		   oracle.random_question(seed, n, shape, false),
		   oracle.random_question(seed, n, shape, true)
	FROM generate_series(0, (shape).logs - 1) AS n;
$$;
