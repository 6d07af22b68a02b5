#!/usr/bin/env bash
#
# make check: build anshim and run all of its tests in a throw-away cluster.
#
#   make check                        everything
#   make check TESTS="oracle tap/*"   the tests of these names, or kind/names
#   make check JOBS=1                 one at a time; 2 by default
#
# A test is a file, found by its place:
#   sql        test/sql/X.sql, expected/X.out           pg_regress
#   isolation  test/specs/X.spec, test/expected/X.out   pg_isolation_regress
#   tap        test/t/X.pl                              Perl, with its own servers
#   script     test/scripts/X.sh                        exit 0: passed, 77: skipped
# Each has a database of its own, in which sql and isolation tests find the
# extension created.  Roles are shared: name them regress_X_….  What a test
# wrote lies in build/check/ afterwards.  See run-test.sh for the details.
# A test whose first lines say `run alone` has no other beside it: one that
# depends on which transactions are running, say, in whatever database.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

JOBS=${JOBS:-2}
TEST_TIMEOUT=${TEST_TIMEOUT:-900}

results=$TOP/build/check
passed=0
failed=0

# is_there PATTERN TEST…: is one of these tests called so, with its kind or without?
is_there() {
	local pattern=$1 test

	for test in "${@:2}"; do
		# shellcheck disable=SC2053 # it is a pattern
		[[ $test != $pattern && ${test#*/} != $pattern ]] || return 0
	done
	return 1
}

# list KIND FOLDER EXTENSION: the wanted tests of one kind
list() {
	local file name pattern

	for file in "$TOP/$2"/*."$3"; do
		[ -f "$file" ] || continue
		name=$(basename "$file" ".$3")
		for pattern in "${wanted[@]}"; do
			if is_there "$pattern" "$1/$name"; then
				printf '%s/%s\n' "$1" "$name"
				break
			fi
		done
	done
}

# Does the test ask to have no other beside it?
is_alone() {
	local kind=${1%%/*} name=${1#*/} file

	case $kind in
	sql) file=test/sql/$name.sql ;;
	isolation) file=test/specs/$name.spec ;;
	tap) file=test/t/$name.pl ;;
	script) file=test/scripts/$name.sh ;;
	esac
	head -n 20 "$TOP/$file" | grep -qiE '^ *(--|#).*\brun alone\b'
}

# report RESULT TEST [MICROSECONDS]
report() {
	local seconds=

	[ -z "${3:-}" ] || seconds=$(printf '%4d.%d s' $(($3 / 1000000)) $(($3 / 100000 % 10)))
	printf '%-8s %-40s %s\n' "$1" "$2" "$seconds"
	case $1 in
	ok) passed=$((passed + 1)) ;;
	FAILED) failed=$((failed + 1)) ;;
	esac
}

# finish TEST STATUS MICROSECONDS: say how it went, and why if badly
finish() {
	local kind=${1%%/*} log=$CLUSTER/logs/${1/\//.} out=$CLUSTER/out/${1/\//.}

	[ ! -d "$out" ] || cp -r "$out" "$results"
	cp "$log" "$results/${1/\//.}.log"
	if [ "$2" = 0 ]; then
		report ok "$1" "$3"
	elif [ "$2" = 77 ] && [ "$kind" = script ]; then
		report skipped "$1" "$3"
		sed 's/^/    /' "$log"
	else
		report FAILED "$1" "$3"
		[ "$2" != 124 ] || say "    was stopped after $TEST_TIMEOUT s"
		if [ -s "$out/regression.diffs" ]; then
			head -n 200 "$out/regression.diffs"
		elif [ "$kind" = tap ]; then
			grep -E '^ *(not ok|#)|^Bail|^Dubious| line [0-9]+\.$' "$log" | head -n 100
		else
			tail -n 100 "$log"
		fi | sed 's/^/    /' || true # head may leave before all is read
		say "    All that it wrote: $results/${1/\//.}*"
	fi
}

# Nothing that a user does may crash a server, or end in an internal error that
# was raised by a file of ours.
check_server_log() {
	local log=$CLUSTER/data/server.log found

	cp "$log" "$results/server.log"
	found=$(
		grep -nE 'PANIC: |TRAP: |was terminated by signal' "$log" || true
		awk -v files=" $(cd "$TOP/src" && find . -name '*.c' -printf '%f ')" '
			/(ERROR|FATAL):  XX/ { hit = NR ": " $0 }
			hit && /LOCATION: / {
				file = $NF
				sub(/:.*/, "", file)
				if (index(files, " " file " "))
					print hit "\n" NR ": " $0
				hit = ""
			}' "$log"
	)
	if [ -z "$found" ]; then
		report ok server-log
	else
		report FAILED server-log
		head -n 40 <<<"$found" | sed 's/^/    /'
		say "    All of it: $results/server.log"
	fi
}

# What valgrind says of the server's processes
check_valgrind_logs() {
	mkdir "$results/valgrind"
	find "$CLUSTER/valgrind" -name '*.log' -size +0 -exec cp {} "$results/valgrind" \;
	if grep -lr VALGRINDERROR-BEGIN "$results/valgrind" >"$results/valgrind.found"; then
		report FAILED valgrind
		sed -n '/VALGRINDERROR-BEGIN/,/VALGRINDERROR-END/p' "$(head -n 1 "$results/valgrind.found")" | head -n 60 | sed 's/^/    /'
		say "    All of it: $results/valgrind"
	else
		report ok valgrind
	fi
}

# What ends this script ends the running tests, which may need a moment to stop
# servers of their own.
end_tests() {
	local pid i

	for pid in "${!running[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null || continue
		for ((i = 0; i < 50; i++)); do
			kill -0 -- "-$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL -- "-$pid" 2>/dev/null || true
	done
	stop_cluster
}

read -ra wanted <<<"${TESTS:-*}"
mapfile -t tests < <(
	list tap test/t pl
	list isolation test/specs spec
	list sql test/sql sql
	list script test/scripts sh
)
others=()
alone=()
for test in "${tests[@]}"; do
	if is_alone "$test"; then alone+=("$test"); else others+=("$test"); fi
done
tests=("${others[@]}" "${alone[@]}")
for pattern in "${wanted[@]}"; do
	is_there "$pattern" "${tests[@]}" || die "no test is called $pattern"
done

need check
say "$("$PG_CONFIG" --version), ${#tests[@]} tests"
stop_cluster_at_exit
declare -A running=()
trap 'trap "" INT TERM HUP; exec 2>/dev/null; end_tests' EXIT
start_cluster "${CLUSTER_CONF:-}"

mkdir -p "$CLUSTER"/{logs,regress,out}
as_root_owner() { [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$@"; }
as_root_owner "$CLUSTER/out"
cp -r "$TOP/test" "$CLUSTER/test"
cp -r "$TOP/expected" "$CLUSTER/regress/expected"
ln -s ../test/sql ../test/data "$CLUSTER/regress"
chmod -R a+rX "$CLUSTER/test" "$CLUSTER/regress"
PGXS_DIR=$(dirname "$(dirname "$("$PG_CONFIG" --pgxs)")")
export PGXS_DIR
rm -rf "$results"
mkdir -p "$results"

# As many at a time as there are JOBS, each in a process group of its own.
set -m
next=0
declare -A begun=()
while [ "$next" -lt "${#tests[@]}" ] || [ "${#running[@]}" -gt 0 ]; do
	[ "$next" -lt "${#others[@]}" ] || JOBS=1
	if [ "$next" -lt "${#tests[@]}" ] && [ "${#running[@]}" -lt "$JOBS" ]; then
		test=${tests[next]}
		next=$((next + 1))
		timeout "$TEST_TIMEOUT" "$TOP/scripts/run-test.sh" "$test" \
			>"$CLUSTER/logs/${test/\//.}" 2>&1 </dev/null &
		running[$!]=$test
		begun[$!]=${EPOCHREALTIME/./}
		continue
	fi
	status=0
	wait -n -p pid "${!running[@]}" || status=$?
	test=${running[$pid]}
	unset "running[$pid]"
	finish "$test" "$status" $((${EPOCHREALTIME/./} - begun[$pid]))
done
set +m
check_server_log
[ -z "${VALGRIND:-}" ] || check_valgrind_logs

say "$passed passed, $failed failed"
[ "$failed" = 0 ]
