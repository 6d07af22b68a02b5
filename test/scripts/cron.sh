#!/usr/bin/env bash
#
# The jobs of docs/operations.md under pg_cron, in a server of its own: they are
# what the page shows, and the first of them seals.  pg_cron's finest interval is
# a minute in some versions, so this waits for up to one.

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

library=$CLUSTER/root$("$PG_CONFIG" --pkglibdir)/pg_cron.so
[ -e "$library" ] || {
	echo "pg_cron is not here"
	exit 77
}

server=$CLUSTER/cron
as_server mkdir -m 700 "$server" "$server/keys" "$server/heads"
as_server "$CLUSTER_BIN/initdb" -D "$server/data" -U postgres -A trust --no-sync >"$TEST_TMP/initdb.log"
as_server tee -a "$server/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$server'
fsync = off
shared_preload_libraries = 'pg_cron'
cron.use_background_workers = on
anshim.key_directory = '$server/keys'
anshim.head_directory = '$server/heads'
CONF
as_server "$CLUSTER_BIN/pg_ctl" start -s -w -D "$server/data" -l "$server/log"
trap 'as_server "$CLUSTER_BIN/pg_ctl" stop -s -m immediate -D "$server/data"; cp "$server/log" "$TEST_TMP"' EXIT

export PGHOST=$server PGDATABASE=postgres
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

sql <<'SQL'
CREATE EXTENSION pg_cron;
CREATE EXTENSION anshim;
SELECT anshim.create_visit_log('visit', '[2021-01-01, 2021-01-03)', 'UTC');
SELECT anshim.generate_key('log-2021', 'jeju.example');
INSERT INTO visit (subject, venue, entered_at) VALUES (gen_random_uuid(), gen_random_uuid(), '2021-01-01 12:00+00');
SQL

# The page's blocks that schedule something
# shellcheck disable=SC2016
perl -0777 -ne 'print "$1\n" while /^```sql\n((?:(?!^```).)*cron\.schedule.*?)^```$/gms' docs/operations.md >"$TEST_TMP/jobs.sql"
sql -f "$TEST_TMP/jobs.sql"
jobs=$(sql -c "SELECT count(*) FROM cron.job")
[ "$jobs" -ge 5 ] || {
	echo "docs/operations.md schedules $jobs jobs only"
	exit 1
}

for ((i = 0; i < 75; i++)); do
	[ "$(sql -c "SELECT unsealed FROM anshim.status WHERE target = 'visit'::regclass")" != 0 ] || break
	sleep 1
done
sql -c "SELECT format('%s: %s', status, return_message) FROM cron.job_run_details JOIN cron.job USING (jobid) WHERE jobname = 'anshim seal'" | tee "$TEST_TMP/runs"
grep -q '^succeeded' "$TEST_TMP/runs" || exit 1

# What would come later works as well.
sql -c "SELECT command FROM cron.job ORDER BY jobid" >"$TEST_TMP/commands.sql"
sql -f <(sed 's/$/;/' "$TEST_TMP/commands.sql") >"$TEST_TMP/commands.out"
[ "$(sql -c "SELECT count(*) FROM anshim.checkpoint WHERE size = (SELECT max(size) FROM anshim.block)")" = 1 ] || {
	echo "no checkpoint was signed"
	exit 1
}
