#!/usr/bin/env bash
#
# Measure tokens on one core: signatures against what OpenSSL's own benchmark
# does on that core in the same run, and text in and out.
#
#   make bench WHAT=tokens
#
# In the environment:
#   ROUNDS=5         rounds, of which the median is reported
#   TOKENS=50000     different tokens, more than a session remembers
#   REPEATS=1000000  tokens read or written as text, verifications of one poster
#   CORE=0           the core on which everything runs
#
# The report goes to standard output, as Markdown, and into build/bench.  A
# round measures everything once, right after OpenSSL's benchmark, which its
# ratios are to; each measurement is a session of its own and counts whole
# statements, the scan of the table included.

# shellcheck source=test/bench/bench.bash
. "$(dirname "$0")/bench.bash"

ROUNDS=${ROUNDS:-5}
TOKENS=${TOKENS:-50000}
REPEATS=${REPEATS:-1000000}
CORE=${CORE:-0}

# The text of SQL that defines what is measured: `rates` holds what came out,
# with OpenSSL's own under 'openssl sign' and 'openssl verify'.
SETUP="
CREATE EXTENSION anshim;
SELECT anshim.generate_key('door-2026', 'jeju'), anshim.generate_key('till-2026', 'jeju', 'HMAC 256/256');
CREATE TABLE rates (round int, what text, rate float8);
CREATE TABLE tokens AS
SELECT kid, anshim.sign(kid, gen_random_uuid(), NULL, tstzrange(now(), now() + interval '1 year')) AS token
FROM unnest(ARRAY['door-2026', 'till-2026']) kid, generate_series(1, $TOKENS);
CREATE TABLE posters AS
SELECT token, token::text AS text FROM (SELECT token FROM tokens WHERE kid = 'door-2026' LIMIT 1) t, generate_series(1, $REPEATS);
CREATE TABLE texts AS
SELECT token, token::text AS text FROM tokens, generate_series(1, $REPEATS / $TOKENS) WHERE kid = 'door-2026';
VACUUM (FREEZE, ANALYZE);

-- A count of anything less than all is an error: what fails is quick.
CREATE PROCEDURE measure(round int, what text, query text) LANGUAGE plpgsql AS \$\$
DECLARE
	begun timestamptz := clock_timestamp();
	counted bigint;
	rows bigint;
BEGIN
	EXECUTE query INTO counted, rows;
	IF counted <> rows THEN
		RAISE EXCEPTION '%: only % of %', what, counted, rows;
	END IF;
	INSERT INTO rates VALUES (round, what, rows / extract(epoch FROM clock_timestamp() - begun));
END \$\$;
"

# OpenSSL's signatures and verifications a second
measure_openssl() {
	local round=$1 sign verify

	read -r sign verify < <(taskset -c "$CORE" openssl speed -seconds 2 -mr ed25519 2>/dev/null |
		awk -F : '$4 == "Ed25519" { print $5, $6 }')
	sql -c "INSERT INTO rates VALUES ($round, 'openssl sign', $sign), ($round, 'openssl verify', $verify)"
}

measure() {
	sql -c "SET jit = off" -c "SET max_parallel_workers_per_gather = 0" -c "CALL measure($1, '$2', '$3')"
}

# WHAT, and the query: how many were counted, of how many
measure_round() {
	local round=$1

	progress "round $round"
	measure_openssl "$round"
	measure "$round" verify \
		"SELECT count(*) FILTER (WHERE anshim.verify(token)), count(*) FROM tokens WHERE kid = ''door-2026''"
	measure "$round" poster \
		"SELECT count(*) FILTER (WHERE anshim.verify(token)), count(*) FROM posters"
	measure "$round" input "SELECT count(text::anshim.token), count(*) FROM texts"
	measure "$round" output "SELECT count(token::text), count(*) FROM texts"
	measure "$round" sign \
		"SELECT count(anshim.sign(''door-2026'', gen_random_uuid())), count(*) FROM generate_series(1, $TOKENS / 2)"
	measure "$round" hmac \
		"SELECT count(*) FILTER (WHERE anshim.verify(token)), count(*) FROM tokens WHERE kid = ''till-2026''"
}

# Each round's ratio, to OpenSSL's verifications or to 500 thousand; of these,
# and of the rates, the median.
SUMMARY="
WITH wanted (place, what, title, base, least) AS (VALUES
	(1, 'openssl verify', 'OpenSSL''s benchmark: verifying Ed25519', NULL, NULL),
	(2, 'verify', 'verifying different Ed25519 tokens', 'openssl verify', 0.9),
	(3, 'poster', 'verifying one poster''s token again and again', '500000', 1),
	(4, 'input', 'text input', '500000', 1),
	(5, 'output', 'text output', '500000', 1),
	(6, 'hmac', 'verifying different HMAC tokens', NULL, NULL),
	(7, 'openssl sign', 'OpenSSL''s benchmark: signing with Ed25519', NULL, NULL),
	(8, 'sign', 'signing with Ed25519, each signature verified', NULL, NULL)
), rounds AS (
	SELECT w.*, r.rate, r.rate / CASE base WHEN '500000' THEN 500000 ELSE b.rate END AS ratio
	FROM wanted w JOIN rates r USING (what) LEFT JOIN rates b ON b.round = r.round AND b.what = w.base
)
SELECT title AS \"what\", round(percentile_cont(0.5) WITHIN GROUP (ORDER BY rate)) AS \"a second\",
	CASE base WHEN '500000' THEN '500 000 a second' WHEN 'openssl verify' THEN 'OpenSSL''s benchmark' END AS \"against\",
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ratio)::numeric, 2) AS ratio,
	least AS \"wanted, at least\"
FROM rounds GROUP BY place, title, base, least ORDER BY place"

report() {
	cat <<-TEXT
		## Tokens, $(date -u +%Y-%m-%d)

		$(machine) $(openssl version | cut -d ' ' -f 1-2).

		One core; the median of $ROUNDS rounds. Tokens of $(sql -c "SELECT round(avg(octet_length(token::bytea))) FROM texts") bytes.

	TEXT
	table "$SUMMARY"
}

need bench
need_packages openssl util-linux
stop_cluster_at_exit
start_cluster "shared_buffers = '1GB'" "autovacuum = off" "timezone = 'UTC'"
as_server mkdir -m 700 "$CLUSTER/socket/keys"
sql -c "ALTER DATABASE postgres SET anshim.key_directory = '$CLUSTER/socket/keys'"
taskset -cp "$CORE" "$(head -n 1 "$CLUSTER/data/postmaster.pid")" >/dev/null
progress "making tokens"
sql -f - <<<"$SETUP" >/dev/null
for ((round = 1; round <= ROUNDS; round++)); do
	measure_round "$round"
done
report | tee "$BENCH/tokens.md"
