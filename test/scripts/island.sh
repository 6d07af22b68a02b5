#!/usr/bin/env bash
#
# The demo's day on the island: all come in, the trace agrees with contacts(),
# both verifiers name the very row that was removed, and the checkpoint of that
# night still proves when the visits have gone.

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

keys=$CLUSTER/keys.island
as_server rm -rf "$keys"
as_server mkdir -m 700 "$keys"
psql -X -q -c "ALTER DATABASE $PGDATABASE SET anshim.key_directory = '$keys'"

psql -X -q -v ON_ERROR_STOP=1 -v outdir="$TEST_TMP" -f test/demo/island.sql >"$TEST_TMP/printed" 2>"$TEST_TMP/errors"
if [ -s "$TEST_TMP/errors" ]; then
	cat "$TEST_TMP/errors"
	exit 1
fi

wrong=0
prints() {
	grep -qE "$1" "$TEST_TMP/printed" && return
	echo "It does not print: $1"
	wrong=1
}
value() { psql -X -At -c "$1"; }
is() {
	[ "$(value "$1")" = "$2" ] && return
	echo "$1 gives $(value "$1"), and not $2"
	wrong=1
}

is "SELECT count(DISTINCT subject) FROM island.plan" 2000
is "SELECT count(DISTINCT way) FROM island.plan" 3
is "SELECT count(*) > 0 AND count(DISTINCT degree) = 2 FROM island.warn" t

link=$(value "SELECT format('%s | %s', anshim.strand(link), anshim.seq(link)) FROM island.removed")
prints "^missing \| $link \| The row of seq"
prints "^island.visit: missing: strand ${link%% *}, seq ${link##* }: "
[ "$(grep -c '^island.visit: 1 finding$' "$TEST_TMP/printed")" = 1 ] || { echo "anshim_verify has not 1 finding"; wrong=1; }
prints 'with its link: intact$'
prints "anshim.expire removes $(value "SELECT detail->>'rows' FROM anshim.event WHERE kind = 'expired'") rows; 0 are left"
prints 'checkpoint of that night: intact$'
prints 'continues that of the checkpoint: t$'
[ "$(tail -n 1 "$TEST_TMP/printed")" = 'island.visit: intact' ] || { echo "anshim_verify does not end well"; wrong=1; }
grep -q '<svg' "$TEST_TMP/island-poster.svg" || { echo "there is no poster"; wrong=1; }
[ "$wrong" = 0 ] || { cat "$TEST_TMP/printed"; exit 1; }
