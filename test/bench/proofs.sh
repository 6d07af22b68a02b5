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
#
# The report goes to standard output, as Markdown, and into build/bench.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

ROWS=${ROWS:-10000000}
LOADS=${LOADS:-20}
PROOFS=${PROOFS:-2000}

# `times` holds what was measured, in milliseconds, a row a measurement.
SETUP="
CREATE EXTENSION anshim;
SELECT anshim.generate_key('log', 'bench.example');
CREATE TABLE visit (subject bigint NOT NULL, venue integer NOT NULL, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.chain('visit', 'bench.example/visits');
CREATE TABLE times (what text, rows bigint, ms float8);

CREATE PROCEDURE seal() LANGUAGE plpgsql AS \$\$
DECLARE
	had bigint := coalesce(max(size), 0) FROM anshim.block;
	begun timestamptz := clock_timestamp();
	has bigint := anshim.seal('visit');
BEGIN
	INSERT INTO times VALUES ('seal', has - had, 1000 * extract(epoch FROM clock_timestamp() - begun));
END \$\$;

-- Whatever does not verify is an error: what fails is quick.
CREATE PROCEDURE prove_inclusion() LANGUAGE plpgsql AS \$\$
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
		INSERT INTO times VALUES ('inclusion', 1, 1000 * extract(epoch FROM ended - begun));
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
		INSERT INTO times VALUES ('consistency', 1, 1000 * extract(epoch FROM ended - begun));
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
"

# Half of the proofs are for the whole log, half for a smaller one of any size
# that has the link.
SAMPLE="
CREATE TABLE sample AS
SELECT v.link, CASE WHEN random() < 0.5 THEN NULL ELSE s.first + (random() * (b.size - s.first))::bigint END AS size, b.size AS last, b.root
FROM visit v TABLESAMPLE BERNOULLI (100.0 * 1.5 * $PROOFS / $ROWS)
CROSS JOIN (SELECT size, root FROM anshim.block ORDER BY block DESC LIMIT 1) b
JOIN LATERAL (SELECT first_index + anshim.seq(v.link) - first_seq + 1 AS first FROM anshim.segment
	WHERE strand = anshim.strand(v.link) AND first_seq <= anshim.seq(v.link) ORDER BY first_seq DESC LIMIT 1) s ON true
ORDER BY random() LIMIT $PROOFS
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
		sql -c "CALL seal()"
	done
}

SUMMARY="
SELECT CASE what WHEN 'inclusion' THEN 'proof of inclusion' WHEN 'consistency' THEN 'proof of consistency' ELSE what END AS \"what\", count(*) AS \"times\",
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 2) AS \"median, ms\",
	round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 2) AS \"99 %, ms\",
	round(max(ms)::numeric, 2) AS \"longest, ms\",
	CASE what WHEN 'inclusion' THEN 10 END AS \"wanted, at most\"
FROM times WHERE what <> 'seal' GROUP BY what ORDER BY what DESC"

report() {
	cat <<-TEXT
		## Proofs, $(date -u +%Y-%m-%d)

		$(machine)

		A log of $(sql -c "SELECT max(size) FROM anshim.block") leaves, sealed in $(sql -c "SELECT count(*) FROM anshim.block") blocks;
		$(sql -c "SELECT strands FROM anshim.chained") strands. The table has $(sql -c "SELECT pg_size_pretty(pg_table_size('visit'))"),
		its position index $(sql -c "SELECT pg_size_pretty(pg_indexes_size('visit'))"),
		the nodes that are kept of the tree $(sql -c "SELECT pg_size_pretty(pg_total_relation_size('anshim.tile'))").

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
load_and_seal
sql -c "VACUUM (FREEZE, ANALYZE) visit" -c "$SAMPLE"
progress "proving"
sql -c "CALL prove_inclusion()"
sql -c "CALL prove_consistency()"
sql -c "CALL sign()"
report | tee "$BENCH/proofs.md"
