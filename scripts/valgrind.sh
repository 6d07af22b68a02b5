#!/usr/bin/env bash
#
# make valgrind: run tests in a server under valgrind, and fail if that finds
# fault: memory that is used before it is set, or after it is freed.
#
#   make valgrind                        those tests that end within minutes
#   make valgrind TESTS="token chain*"   these
#
# The server is that of assert-server.sh, which tells valgrind what a memory
# context gives out and takes back.  Faults that are PostgreSQL's own are
# suppressed by its own list.  Leaks are not looked for: what lives as long as
# a process is no leak there, and test/sql/loops.sql sees what grows.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

need_packages valgrind
config=$("$TOP/scripts/assert-server.sh" | tail -n 1)
VALGRIND=$(dirname "$(dirname "$config")")/valgrind.supp
[ -f "$VALGRIND" ] || die "PostgreSQL's suppressions are not at $VALGRIND"
export VALGRIND TEST_TIMEOUT=${TEST_TIMEOUT:-3600}
export TESTS=${TESTS:-sql/extension sql/objects sql/token* sql/key sql/sign sql/crypto sql/qr sql/checkin sql/identity sql/hpke
	sql/chain* sql/link* sql/seal* sql/track_* sql/trace_errors sql/trace_partitions sql/venues sql/dot sql/risk sql/purpose}
PG_CONFIG=$config BUILD_DIR=${BUILD_DIR:-$TOP/build}/with-assertions exec "$TOP/scripts/check.sh"
