#!/usr/bin/env bash
#
# pg_upgrade from PostgreSQL 15 to 17 with tracked and chained tables: afterwards
# they are intact, say the same, and go on.  Ends with: N passed, N failed
#
#   check-pg-upgrade.sh           in a chroot of Debian 13 (needs root)
#   check-pg-upgrade.sh --inside  in a system that is thrown away: Debian 12's
#                                 PostgreSQL 15 is installed beside the 17

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

old=15
new=17
[ "${1:-}" = --inside ] || exec "$TOP/scripts/chroot.sh" trixie scripts/check-pg-upgrade.sh --inside

need build
[ "$MAJOR" = "$new" ] || die "PostgreSQL $new is not here"
printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s bookworm main\n' "$(debian_mirror)" \
	>/etc/apt/sources.list.d/bookworm.list
apt-get -q update >&2
apt_install "postgresql-$old" "postgresql-server-dev-$old"
for major in $old $new; do
	mkdir -p "/tmp/build$major"
	make -s -j2 -C "/tmp/build$major" -f "$TOP/pgxs.mk" "PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config" install >/dev/null
done

work=$(mktemp -d /tmp/upgrade.XXXXXX)
chown postgres: "$work"
CLUSTER=$work
bin() { printf '/usr/lib/postgresql/%s/bin/%s\n' "$1" "$2"; }
sql() { as_server psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p 5444 -d "${database:-health}" "$@"; }

start() {
	as_server "$(bin "$1" pg_ctl)" start -s -w -D "$work/data$1" -l "$work/log$1" \
		-o "-c listen_addresses='' -c unix_socket_directories=$work -c port=5444" || {
		cat "$work/log$1"
		die "PostgreSQL $1 does not start"
	}
}

stop() { as_server "$(bin "$1" pg_ctl)" stop -s -w -D "$work/data$1"; }

for major in $old $new; do
	as_server "$(bin "$major" initdb)" -D "$work/data$major" -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
done
start $old
database=postgres sql -c "CREATE DATABASE health"
sql <<'SQL'
CREATE EXTENSION anshim;
SELECT anshim.create_visit_log('visit', '[2021-03-01, 2021-03-04)', 'UTC');
CREATE TABLE note (id int PRIMARY KEY, body text, dropped int, at timestamptz DEFAULT now());
ALTER TABLE note DROP COLUMN dropped;
SELECT anshim.chain('note');
INSERT INTO visit (subject, venue, entered_at, left_at)
SELECT format('00000000-0000-0000-0000-%s', lpad((i % 50)::text, 12, '0'))::uuid,
	format('00000000-0000-0000-0001-%s', lpad((i % 7)::text, 12, '0'))::uuid,
	'2021-03-01 00:00Z'::timestamptz + i * interval '4 min', '2021-03-01 00:00Z'::timestamptz + i * interval '4 min' + interval '50 min'
FROM generate_series(0, 999) i;
INSERT INTO note SELECT i, 'note ' || i FROM generate_series(1, 600) i;
SELECT anshim.seal('note'), anshim.seal('visit');
INSERT INTO note VALUES (601, 'not sealed yet');
SQL

# What must be the same before and after
state() {
	sql <<-'SQL'
		SELECT md5(string_agg(note::text, ',' ORDER BY id)) FROM note;
		SELECT md5(string_agg(visit::text, ',' ORDER BY id)) FROM visit;
		SELECT * FROM anshim.chained ORDER BY 1;
		SELECT * FROM anshim.layout ORDER BY 1, 2;
		SELECT * FROM anshim.block ORDER BY 1, 2;
		SELECT * FROM anshim.segment ORDER BY 1, 2, 3;
		SELECT chain, level, tile, md5(hashes) FROM anshim.tile ORDER BY 1, 2, 3;
		SELECT kind, detail, link FROM anshim.event ORDER BY chain, anshim.seq(link);
		SELECT * FROM anshim.visit_log;
		SELECT * FROM anshim.exposures('visit', ARRAY['00000000-0000-0000-0000-000000000007'::uuid], '[2021-03-01, 2021-03-03)', degrees => 3) ORDER BY 1;
		SELECT * FROM anshim.verify_chain('note');
		SELECT * FROM anshim.verify_chain('visit');
	SQL
}

state >"$work/before"
stop $old
(cd "$work" && as_server "$(bin $new pg_upgrade)" -b "/usr/lib/postgresql/$old/bin" -B "/usr/lib/postgresql/$new/bin" \
	-d "$work/data$old" -D "$work/data$new" -s "$work") >"$work/pg_upgrade.log" || {
	tail -n 30 "$work/pg_upgrade.log"
	die "pg_upgrade failed"
}
start $new
state >"$work/after"

passed=0
failed=0
# is WHAT COMMAND…
is() {
	local what=$1
	shift
	if "$@"; then
		say "ok       $what"
		passed=$((passed + 1))
	else
		say "FAILED   $what"
		failed=$((failed + 1))
	fi
}
answers() { [ "$(sql -c "$2" 2>&1 | tail -n 1)" = "$1" ] || { sql -c "$2" 2>&1 | tail -n 3 && false; }; }
refused() { { sql -c "$1" 2>&1 || true; } | grep -q "append-only"; }

is "the state before was worth comparing" test "$(wc -l <"$work/before")" -gt 30
is "rows, links, log and traces are the same" diff "$work/before" "$work/after"
is "the library is the new server's" answers "$new" "SELECT current_setting('server_version_num')::int / 10000"
is "rows are appended to their strands" answers 602 "INSERT INTO note VALUES (602, 'after'); SELECT max(anshim.seq(link)) FROM note"
is "changes are refused" refused "UPDATE note SET body = 'x' WHERE id = 1"
is "the log goes on" answers t "SELECT anshim.seal('note') > 602"
is "the old root is in the new log" answers t "
	SELECT anshim.verify_consistency(o.size, n.size, o.root, n.root, anshim.consistency_proof('note', o.size))
	FROM anshim.block o JOIN anshim.block n ON n.chain = o.chain AND n.block = o.block + 1
	WHERE o.chain = (SELECT chain FROM anshim.chained WHERE target = 'note'::regclass)"
is "all of it verifies" answers 0 "SELECT count(*) FROM anshim.verify_chain('note')"
is "days are added" answers 2 "SELECT anshim.add_days('visit', '[2021-03-04, 2021-03-06)')"
stop $new
say "" "$passed passed, $failed failed"
[ "$failed" = 0 ]
