#!/usr/bin/env bash
#
# Measure how fast a chain is verified: every row hashed again, its link put into
# the tree, and the tree compared with the log.
#
#   make bench WHAT=verify
#
# In the environment:
#   ROWS=1000000   rows of a ready-made visit log
#   RUNS=5         runs, of which the median is taken
#
# The report goes to standard output, as Markdown, and into build/bench.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

ROWS=${ROWS:-1000000}
RUNS=${RUNS:-5}

need bench
stop_cluster_at_exit
start_cluster
export PGDATABASE=postgres

progress "loading $ROWS rows"
sql -c "CREATE EXTENSION anshim" \
	-c "SELECT anshim.create_visit_log('visit')" \
	-c "INSERT INTO visit (subject, venue, entered_at)
		SELECT gen_random_uuid(), gen_random_uuid(), timestamptz '2021-03-01' + n * interval '1 s'
		FROM generate_series(1, $ROWS) n" \
	-c "SELECT anshim.seal('visit')" -c "VACUUM ANALYZE visit" \
	-c "CREATE TABLE times (workers int, ms float8)" >/dev/null

for workers in 0 1; do
	progress "verifying, with $workers parallel workers"
	for ((run = 0; run <= RUNS; run++)); do
		sql -c "SET max_parallel_workers_per_gather = $workers" -c "DO \$\$
			DECLARE
				begun timestamptz := clock_timestamp();
			BEGIN
				IF EXISTS (SELECT FROM anshim.verify_chain('visit')) THEN
					RAISE EXCEPTION 'what nobody has touched gives a finding';
				END IF;
				-- the first run warms up
				INSERT INTO times SELECT $workers, 1000 * extract(epoch FROM clock_timestamp() - begun) WHERE $run > 0;
			END \$\$"
	done
done

{
	printf '\n%s\n\n' "$(machine)"
	table "SELECT 1 + workers AS processes, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric) AS \"median ms\",
			round(min(ms)::numeric) AS least, round(max(ms)::numeric) AS greatest,
			round((1000 * $ROWS / percentile_cont(0.5) WITHIN GROUP (ORDER BY ms))::numeric, -3) AS \"rows a second\",
			round((1000 * $ROWS / percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) / (1 + workers))::numeric, -3) AS \"a process\",
			500000 AS \"wanted, at least\"
		FROM times GROUP BY workers ORDER BY workers"
} | tee "$BENCH/verify.md"
