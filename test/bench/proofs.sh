#!/usr/bin/env bash
#
# Measure the log of a chained table: how fast rows are sealed, how long a proof
# takes in a log of ten million rows, and a checkpoint of it.
#
#   make bench WHAT=proofs
#
# In the environment:
#   ROWS=10000000    rows in the log
#   LOADS=20         the rows come in so many COPYs, two at a time, of which each
#                    pair is sealed at once
#   PROOFS=2000      proofs that are measured of each kind
#   SECONDS_BESIDE=30   for so long eight clients insert single rows afterwards, 500
#                    a second, while what is there is sealed again and again
#
# The report goes to standard output, as Markdown, and into build/bench.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

ROWS=${ROWS:-10000000}
LOADS=${LOADS:-20}
PROOFS=${PROOFS:-2000}
SECONDS_BESIDE=${SECONDS_BESIDE:-30}

# `times` holds what was measured, in milliseconds, a row a measurement.
SETUP="
CREATE EXTENSION anshim;
SELECT anshim.generate_key('log', 'bench.example');
CREATE TABLE visit (subject bigint NOT NULL, venue integer NOT NULL, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.chain('visit', 'bench.example/visits');
CREATE TABLE times (what text, rows bigint, ms float8);
CREATE TABLE rates (what text, rate float8);

CREATE PROCEDURE seal(what text) LANGUAGE plpgsql AS \$\$
DECLARE
	had bigint := coalesce(max(size), 0) FROM anshim.block;
	begun timestamptz := clock_timestamp();
	has bigint := anshim.seal('visit');
BEGIN
	INSERT INTO times VALUES (what, has - had, 1000 * extract(epoch FROM clock_timestamp() - begun));
END \$\$;

-- Whatever does not verify is an error: what fails is quick.
CREATE PROCEDURE prove_inclusion(what text) LANGUAGE plpgsql AS \$\$
DECLARE
	asked record;
	proof record;
	begun timestamptz;
	ended timestamptz;
BEGIN
	FOR asked IN SELECT * FROM sample LOOP
		begun := clock_timestamp();
		SELECT * INTO proof FROM anshim.inclusion_proof('visit', asked.link, asked.size);
		ended := clock_timestamp();
		INSERT INTO times VALUES (what, 1, 1000 * extract(epoch FROM ended - begun));
		IF proof.size = asked.last AND NOT anshim.verify_inclusion(anshim.leaf_hash(asked.link), proof.index, proof.size, proof.path, asked.root) THEN
			RAISE EXCEPTION 'a proof of inclusion does not verify';
		END IF;
	END LOOP;
END \$\$;

CREATE PROCEDURE prove_consistency() LANGUAGE plpgsql AS \$\$
DECLARE
	asked record;
	proof bytea[];
	begun timestamptz;
	ended timestamptz;
BEGIN
	FOR asked IN SELECT old.size AS old_size, old.root AS old_root, new.size AS new_size, new.root AS new_root
		FROM anshim.block old JOIN anshim.block new ON new.size > old.size, generate_series(1, 1000) ORDER BY random() LIMIT $PROOFS
	LOOP
		begun := clock_timestamp();
		proof := anshim.consistency_proof('visit', asked.old_size, asked.new_size);
		ended := clock_timestamp();
		INSERT INTO times VALUES ('proof of consistency', 1, 1000 * extract(epoch FROM ended - begun));
		IF NOT anshim.verify_consistency(asked.old_size, asked.new_size, asked.old_root, asked.new_root, proof) THEN
			RAISE EXCEPTION 'a proof of consistency does not verify';
		END IF;
	END LOOP;
END \$\$;

CREATE PROCEDURE sign() LANGUAGE plpgsql AS \$\$
DECLARE
	begun timestamptz;
BEGIN
	FOR i IN 1 .. 100 LOOP
		begun := clock_timestamp();
		PERFORM anshim.checkpoint('visit', 'log');
		INSERT INTO times VALUES ('checkpoint', 1, 1000 * extract(epoch FROM clock_timestamp() - begun));
	END LOOP;
END \$\$;

-- Rows of blocks from this one on.  Half of the proofs are for the whole log, half
-- for a smaller one of any size that has the link.
CREATE PROCEDURE choose(block_from bigint) LANGUAGE sql AS \$\$
	DROP TABLE IF EXISTS sample;
	CREATE TABLE sample AS
	SELECT v.link, CASE WHEN random() < 0.5 THEN NULL ELSE s.index + 1 + floor(random() * (b.size - s.index - 1))::bigint END AS size, b.size AS last, b.root
	FROM generate_series(1, $PROOFS)
	CROSS JOIN (SELECT size, root FROM anshim.block ORDER BY block DESC LIMIT 1) b
	CROSS JOIN LATERAL (SELECT old.size + floor(random() * (b.size - old.size))::bigint AS index
		FROM (SELECT coalesce(max(size), 0) AS size FROM anshim.block WHERE block < block_from AND generate_series > 0) old) i -- another each time
	CROSS JOIN LATERAL (SELECT strand, first_seq + i.index - first_index AS seq, i.index FROM anshim.segment
		WHERE first_index <= i.index ORDER BY first_index DESC LIMIT 1) s
	JOIN visit v ON anshim.strand(v.link) = s.strand AND anshim.seq(v.link) = s.seq
\$\$;
"

# COPY of so many rows, from a client that makes them
load() {
	awk -v n="$1" -v seed="$2" 'BEGIN {
		srand(seed)
		for (i = 0; i < n; i++)
			printf "%d\t%d\t2021-03-%02d %02d:%02d:00+09\t2021-03-%02d 23:59:00+09\n",
				rand() * 2000000, rand() * 50000, d = 1 + rand() * 28, rand() * 23, rand() * 60, d
	}' | sql -c "COPY visit (subject, venue, entered_at, left_at) FROM STDIN"
}

load_and_seal() {
	local rows=$((ROWS / LOADS)) i

	for ((i = 0; i < LOADS; i += 2)); do
		progress "loading rows $((i * rows)) to $(((i + 2) * rows))"
		load "$rows" "$i" &
		load "$rows" "$((i + 1))"
		wait "$!"
		sql -c "CALL seal('seal')"
	done
}

# Eight clients that insert single rows; how many a second
insert() {
	pgbench -n -c 8 -j 2 "$@" -f <(echo "INSERT INTO visit VALUES (random() * 2000000, random() * 50000, now(), NULL);") 2>&1 |
		tee "$BENCH/pgbench.log" | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

# Does sealing each second slow them down?
insert_beside_sealing() {
	local round sealer

	insert -T 5 >/dev/null
	for ((round = 1; round <= 3; round++)); do
		progress "inserting, round $round"
		sql -c "INSERT INTO rates VALUES ('alone', $(insert -T 8))"
		sql -c "SELECT anshim.seal('visit')" >/dev/null
		while sleep 1; do sql -c "SELECT anshim.seal('visit')" >/dev/null; done &
		sealer=$!
		sql -c "INSERT INTO rates VALUES ('beside', $(insert -T 8))"
		kill "$sealer"
		wait "$sealer" || true
	done
}

rate() { sql -c "SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY rate)) FROM rates WHERE what = '$1'"; }

# Many small blocks, of many strands
insert_and_seal() {
	local writers

	progress "inserting and sealing at once"
	insert -R 500 -T "$SECONDS_BESIDE" >/dev/null &
	writers=$!
	while kill -0 "$writers" 2>/dev/null; do
		sql -c "CALL seal('seal beside writers')"
		sleep 0.1
	done
	wait "$writers"
	sql -c "CALL seal('seal beside writers')"
}

SUMMARY="
SELECT what, count(*) AS \"times\",
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 2) AS \"median, ms\",
	round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 2) AS \"99 %, ms\",
	round(max(ms)::numeric, 2) AS \"longest, ms\",
	CASE WHEN what LIKE 'proof of inclusion%' THEN 10 END AS \"wanted, at most\"
FROM times WHERE what <> 'seal' GROUP BY what ORDER BY what DESC"

report() {
	cat <<-TEXT
		## Proofs, $(date -u +%Y-%m-%d)

		$(machine)

		A log of $(sql -c "SELECT max(size) FROM anshim.block") leaves, sealed in $(sql -c "SELECT count(*) FROM anshim.block") blocks;
		$(sql -c "SELECT strands FROM anshim.chained") strands. The table has $(sql -c "SELECT pg_size_pretty(pg_table_size('visit'))"),
		its position index $(sql -c "SELECT pg_size_pretty(pg_indexes_size('visit'))"),
		the nodes that are kept of the tree $(sql -c "SELECT pg_size_pretty(pg_total_relation_size('anshim.tile'))").

		Eight clients insert $(rate alone) single rows a second, and $(rate beside) while what they insert is sealed each second; the medians of three rounds.

		Sealing: $(sql -c "SELECT round(sum(rows) / sum(ms) * 1000) FROM times WHERE what = 'seal'") rows a second.

	TEXT
	table "$SUMMARY"
}

need bench
stop_cluster_at_exit
start_cluster "shared_buffers = '1GB'" "max_wal_size = '8GB'" "autovacuum = off" "timezone = 'UTC'" "jit = off" "fsync = on"
as_server mkdir -m 700 "$CLUSTER/socket/keys"
sql -c "ALTER DATABASE postgres SET anshim.key_directory = '$CLUSTER/socket/keys'"
sql -f - <<<"$SETUP" >/dev/null
insert_beside_sealing
load_and_seal
small=$(sql -c "SELECT max(block) + 1 FROM anshim.block")
insert_and_seal
sql -c "VACUUM (FREEZE, ANALYZE)"
progress "proving"
sql -c "CALL choose(1)" -c "CALL prove_inclusion('proof of inclusion')"
sql -c "CALL choose($small)" -c "CALL prove_inclusion('proof of inclusion, small blocks')"
sql -c "CALL prove_consistency()"
sql -c "CALL sign()"
report | tee "$BENCH/proofs.md"
