#!/usr/bin/env bash
#
# run-test.sh KIND/NAME: run one test, inside the cluster that check.sh made.
#
# What the tests read lies in the cluster's directory, as its owner may not be
# able to enter the source tree: $CLUSTER/test is a copy of test/, and
# $CLUSTER/regress what pg_regress wants of it in one place.  What a test
# writes goes to $CLUSTER/out/KIND.NAME.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

kind=${1%%/*}
name=${1#*/}
out=$CLUSTER/out/$kind.$name

# pg_regress and its sibling make a database for the one test.
regress() {
	local program=$1 input=$2

	[ -f "$input/expected/$name.out" ] || say "There is no expected output of $name yet."
	as_server mkdir "$out"
	as_server "$PGXS_DIR/test/$program" \
		--inputdir="$input" --outputdir="$out" --bindir="$CLUSTER_BIN" \
		--host="$PGHOST" --port="$PGPORT" --user="$PGUSER" --encoding=UTF8 \
		--dbname="${kind}_$name" --load-extension=anshim "$name"
}

case $kind in
sql)
	regress regress/pg_regress "$CLUSTER/regress"
	;;
isolation)
	regress isolation/pg_isolation_regress "$CLUSTER/test"
	;;
tap)
	as_server mkdir "$out"
	# Servers of its own, in its own directories; none of ours.
	unset PGHOST PGPORT PGUSER PGDATABASE
	# shellcheck disable=SC2016
	as_server env TESTDIR="$out" TESTDATADIR="$out/data" TESTLOGDIR="$out/log" \
		PG_REGRESS="$PGXS_DIR/test/regress/pg_regress" TEST_DATA="$CLUSTER/test/data" \
		sh -c 'cd "$1" && shift && exec "$@"' sh "$out" \
		prove -v -I "$PGXS_DIR/test/perl" -I "$CLUSTER/test/perl" "$CLUSTER/test/t/$name.pl"
	;;
script)
	mkdir "$out"
	createdb "script_$name"
	cd "$TOP"
	PGDATABASE="script_$name" TEST_TMP="$out" bash "test/scripts/$name.sh"
	;;
esac
