#!/usr/bin/env bash
#
# Measure what chaining a table costs those who insert into it: against the same
# table without a chain, and against two usual recipes for a chain.
#
#   make bench WHAT=chain
#
# In the environment:
#   ROUNDS=5         rounds, of which the median is reported
#   SECONDS_EACH=5   how long clients insert
#   ROWS=1000000     rows that are copied in one transaction
#
# The report goes to standard output, as Markdown, and into build/bench.  Each
# measurement is of a new table, with the two indexes of a tracked visit log.
# In a round all tables are measured in the same way one after the other, in
# every second round in the other order; ratios are those of a round.  Commits
# wait for the disk.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-5}
ROWS=${ROWS:-1000000}
# The recipe with a head takes time by the square of the rows of a transaction.
HEAD_SHARE=100

SETUP="
CREATE EXTENSION anshim;
CREATE EXTENSION pgcrypto;
CREATE TABLE rates (round int, rows int, clients int, kind text, rate float8);
CREATE TABLE source AS
SELECT gen_random_uuid() AS subject, ('00000000-0000-0000-0000-' || lpad((i % 9973)::text, 12, '0'))::uuid AS venue,
	'2021-01-01 00:00Z'::timestamptz + i * interval '1 second' AS entered_at,
	'2021-01-01 00:30Z'::timestamptz + i * interval '1 second' AS left_at
FROM generate_series(1, $ROWS) i;
"

# The usual recipe: a trigger that hashes the row and the hash before it, which
# it finds in the one head of the chain, locked to the end of the transaction.
HEAD="
CREATE TABLE chain_head (hash bytea NOT NULL);
INSERT INTO chain_head VALUES ('');
CREATE FUNCTION link_row() RETURNS trigger LANGUAGE plpgsql AS \$\$
DECLARE
	previous bytea;
BEGIN
	SELECT hash INTO previous FROM chain_head FOR UPDATE;
	NEW.hash := digest(previous || convert_to(concat_ws('|', NEW.subject, NEW.venue, NEW.entered_at, NEW.left_at), 'UTF8'), 'sha256');
	UPDATE chain_head SET hash = NEW.hash;
	RETURN NEW;
END \$\$;
ALTER TABLE head ADD COLUMN hash bytea;
CREATE TRIGGER link_row BEFORE INSERT ON head FOR EACH ROW EXECUTE FUNCTION link_row();
"

# The same without a head: a lock, and the last row by its number.
LAST="
CREATE FUNCTION link_row() RETURNS trigger LANGUAGE plpgsql AS \$\$
DECLARE
	previous record;
BEGIN
	PERFORM pg_advisory_xact_lock(1);
	SELECT id, hash INTO previous FROM last ORDER BY id DESC LIMIT 1;
	NEW.id := coalesce(previous.id, 0) + 1;
	NEW.hash := digest(coalesce(previous.hash, '') ||
		convert_to(concat_ws('|', NEW.id, NEW.subject, NEW.venue, NEW.entered_at, NEW.left_at), 'UTF8'), 'sha256');
	RETURN NEW;
END \$\$;
ALTER TABLE last ADD COLUMN id bigint PRIMARY KEY, ADD COLUMN hash bytea;
CREATE TRIGGER link_row BEFORE INSERT ON last FOR EACH ROW EXECUTE FUNCTION link_row();
"

make_table() {
	sql -c "DROP TABLE IF EXISTS plain, chained, head, chain_head, last" -c "DROP FUNCTION IF EXISTS link_row" \
		-c "CREATE TABLE $1 (subject uuid, venue uuid, entered_at timestamptz NOT NULL, left_at timestamptz)" \
		-c "SELECT anshim.track_visits('$1')" >/dev/null
	case $1 in
	chained) sql -c "SELECT anshim.chain('chained')" >/dev/null ;;
	head) sql -c "$HEAD" ;;
	last) sql -c "$LAST" ;;
	esac
	sql -c CHECKPOINT
}

# ROUND ROWS CLIENTS KIND RATE
record() { sql -c "INSERT INTO rates VALUES ($1, $2, $3, '$4', $5)"; }

# Clients that insert so many rows a transaction
measure_inserts() {
	local round=$1 rows=$2 clients=$3 kind=$4 tps

	make_table "$kind"
	tps=$(
		pgbench -n -M prepared -c "$clients" -j 2 -T "$SECONDS_EACH" -f - <<-SQL 2>&1 | sed -n 's/^tps = \([0-9.]*\) .*/\1/p'
			\\set i random(1, 1000000)
			INSERT INTO $kind (subject, venue, entered_at, left_at)
			SELECT gen_random_uuid(), ('00000000-0000-0000-0000-' || lpad((i % 9973)::text, 12, '0'))::uuid, now(), now() + interval '30 minutes'
			FROM generate_series(:i, :i + $rows - 1) i;
		SQL
	)
	record "$round" "$rows" "$clients" "$kind" "$tps * $rows"
}

# All rows in one COPY
measure_copy() {
	local round=$1 kind=$2 rows=$ROWS

	[ "$kind" != head ] || rows=$((ROWS / HEAD_SHARE))
	make_table "$kind"
	record "$round" "$ROWS" 1 "$kind" "$(
		sql <<-SQL
			SELECT clock_timestamp() AS begun \\gset
			COPY $kind (subject, venue, entered_at, left_at) FROM '$CLUSTER/socket/$rows.copy' (FORMAT binary);
			SELECT $rows / extract(epoch FROM clock_timestamp() - :'begun');
		SQL
	)"
}

# ROUND ROWS CLIENTS KIND...
measure_all() {
	local round=$1 rows=$2 clients=$3 kinds kind

	kinds=$(printf '%s\n' "${@:4}")
	[ $((round % 2)) = 1 ] || kinds=$(tac <<<"$kinds")
	for kind in $kinds; do
		if [ "$rows" = "$ROWS" ]; then
			measure_copy "$round" "$kind"
		else
			measure_inserts "$round" "$rows" "$clients" "$kind"
		fi
	done
}

measure_round() {
	progress "round $1"
	measure_all "$1" 1 1 plain chained head last
	measure_all "$1" 1 8 plain chained head last
	measure_all "$1" 1 32 plain chained
	measure_all "$1" 100 1 plain chained head last
	measure_all "$1" 100 8 plain chained head last
	measure_all "$1" "$ROWS" 1 plain chained head last
}

# What was measured, and what against: the median of each round's ratio, with
# what is wanted of it
SUMMARY="
WITH ratios AS (
	SELECT rows, clients, c.rate, o.kind, c.rate / o.rate AS ratio
	FROM rates c JOIN rates o USING (round, rows, clients) WHERE c.kind = 'chained'
), medians AS (
	SELECT rows, clients, kind, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY rate)) AS rate,
		round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio)::numeric, 2) AS ratio
	FROM ratios GROUP BY rows, clients, kind
)
SELECT CASE rows WHEN $ROWS THEN 'COPY of $ROWS rows' WHEN 1 THEN 'single rows' ELSE rows || ' rows a transaction' END AS \"what is inserted\",
	clients, max(rate) AS \"rows a second\",
	max(ratio) FILTER (WHERE kind = 'plain') AS \"to no chain\",
	CASE rows WHEN 1 THEN 0.9 WHEN $ROWS THEN 0.7 END AS \"wanted\",
	max(ratio) FILTER (WHERE kind = 'head') AS \"to a head\",
	max(ratio) FILTER (WHERE kind = 'last') AS \"to the last row\"
FROM medians GROUP BY rows, clients ORDER BY rows, clients"

# The time that a flush to the disk takes
flush_time() {
	"$CLUSTER_BIN/pg_test_fsync" -s 1 -f "$BENCH/fsync" |
		awk '$1 == "fdatasync" { print $(NF - 1), "µs"; exit }'
	rm -f "$BENCH/fsync"
}

report() {
	cat <<-TEXT
		## Chains, $(date -u +%Y-%m-%d)

		$(machine) A flush to the disk takes $(flush_time).

		The median of $ROUNDS rounds; rows of two uuids and two timestamps.

	TEXT
	table "$SUMMARY"
}

need bench
need_packages util-linux
stop_cluster_at_exit
start_cluster "fsync = on" "shared_buffers = '2GB'" "max_wal_size = '16GB'" "checkpoint_timeout = '1h'" "autovacuum = off" "timezone = 'UTC'"
progress "making rows"
sql -f - <<<"$SETUP" >/dev/null
for rows in "$ROWS" $((ROWS / HEAD_SHARE)); do
	sql -c "COPY (SELECT * FROM source LIMIT $rows) TO '$CLUSTER/socket/$rows.copy' (FORMAT binary)"
done
for ((round = 1; round <= ROUNDS; round++)); do
	measure_round "$round"
done
report | tee "$BENCH/chain.md"
