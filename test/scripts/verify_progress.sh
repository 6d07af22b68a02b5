#!/usr/bin/env bash
#
# With anshim.progress on, a verification that takes a while says every few
# seconds how far it is, alone or with workers; with it off, nothing.  That it
# takes a while is seen to by stopping its process for longer than that.

set -euo pipefail

fail() {
	echo "$1"
	exit 1
}

psql -XAtq -v ON_ERROR_STOP=1 <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION anshim;
CREATE TABLE visit (id bigint PRIMARY KEY, subject int, venue int);
SELECT FROM anshim.chain('visit', 'jeju.example/visit');
INSERT INTO visit SELECT i, i % 1000, i % 77 FROM generate_series(1, 1000000) AS i;
SELECT FROM anshim.seal('visit');
SQL

# signal NAME PID: sent to that process and its parallel workers.  The server is
# not asked for these: a process that was stopped may hold a lock that nobody can
# connect without.
signal() {
	local title all=()

	for title in /proc/[0-9]*/cmdline; do
		if grep -qsaE "parallel worker for PID $2([^0-9]|$)" "$title"; then
			title=${title#/proc/}
			all+=("${title%/cmdline}")
		fi
	done
	kill "-$1" "$2" "${all[@]}" 2>/dev/null
}

# hold_up PID: that process and its workers, which would otherwise do the leader's
# part of the work too, for longer than there is between two notices.  A worker
# that was only starting is met the second time.
hold_up() {
	kill -STOP "$1" 2>/dev/null || return
	signal STOP "$1" || true
	sleep 0.05
	signal STOP "$1" || true
	sleep 3.2
	signal CONT "$1" || true
}

# verify NAME WORKERS PROGRESS: into files of that name, held up three times, or
# until it has said something
verify() {
	local out=$TEST_TMP/$1 client pid round

	psql -XAtq -v ON_ERROR_STOP=1 -v pid="$out.pid" >"$out.stdout" 2>"$out.stderr" <<SQL &
SET anshim.progress = $3;
SET max_parallel_workers_per_gather = $2;
SET min_parallel_table_scan_size = 0;
SELECT pg_backend_pid() \g :pid
SELECT count(*) FROM anshim.verify_chain('visit');
SQL
	client=$!
	until [ -s "$out.pid" ]; do sleep 0.01; done
	pid=$(<"$out.pid")
	for round in 1 2 3; do
		sleep 0.1
		[ ! -s "$out.stderr" ] || break
		hold_up "$pid" || break
	done
	wait "$client" || fail "$1: the verification failed: $(<"$out.stderr")"
	[ "$(<"$out.stdout")" = 0 ] || fail "$1: $(<"$out.stdout") findings"
	[ "$round" -gt 1 ] || fail "$1: was over before it could be held up"
}

# said NAME: there are notices, each tells of a part of the rows, and none of fewer
# than the one before
said() {
	local line last=0 notice='^NOTICE:  verified ([0-9]+) of about 10[0-9]{5} rows, ([0-9]+)%, [0-9]+ a second$'

	[ -s "$TEST_TMP/$1.stderr" ] || fail "$1: nothing was said"
	while read -r line; do
		[[ $line =~ $notice ]] || fail "$1: $line"
		[ "${BASH_REMATCH[1]}" -gt "$last" ] || fail "$1: $line, after $last"
		[ "${BASH_REMATCH[2]}" -le 100 ] || fail "$1: $line"
		last=${BASH_REMATCH[1]}
	done <"$TEST_TMP/$1.stderr"
}

verify alone 0 on
said alone
verify workers 1 on
said workers
verify silent 0 off
[ ! -s "$TEST_TMP/silent.stderr" ] || fail "silent: $(<"$TEST_TMP/silent.stderr")"
