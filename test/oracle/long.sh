#!/usr/bin/env bash
#
# make check-oracle: compare the engine with the oracle on many random logs, in
# a throw-away cluster.
#
#   make check-oracle                        50 000 logs of some seed
#   make check-oracle SEED=7 LOGS=2000       these very logs
#
# The seed is printed.  Logs come in rounds of 2 000, the seed of each one more
# than that of the round before.  It stops after a round with a difference.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

LOGS=${LOGS:-50000}
SEED=${SEED:-$((RANDOM * 1000))}

need check
stop_cluster_at_exit
start_cluster "${CLUSTER_CONF:-}"
cp -r "$TOP/test/oracle" "$CLUSTER/files"
say "$("$PG_CONFIG" --version), $LOGS logs, SEED=$SEED"

run() { psql -X -q -v ON_ERROR_STOP=1 -d oracle "$@"; }

while [ "$LOGS" -gt 0 ]; do
	round=$((LOGS < 2000 ? LOGS : 2000))
	createdb oracle
	run -c 'CREATE EXTENSION anshim; CREATE EXTENSION postgis'
	run -v seed="$SEED" -v logs="$round" -v reports=10 -f "$CLUSTER/files/oracle/run.sql" >"$CLUSTER/files/found"
	run -At -F ' ' -c "
		SELECT format('seed %s: %s answers, %s with rows, %s different',
					  $SEED, sum(logs), sum(with_answer), sum(different))
		FROM oracle.compared"
	if [ "$(run -At -c 'SELECT count(*) FROM oracle.mismatch')" != 0 ]; then
		cat "$CLUSTER/files/found"
		exit 1
	fi
	dropdb oracle
	LOGS=$((LOGS - round))
	SEED=$((SEED + 1))
done
