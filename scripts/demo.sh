#!/usr/bin/env bash
#
# make demo: trace a real outbreak, and play a day on the island, in a throw-away
# database.
#
# Runs test/demo/*.sql in the database anshim_demo, with the psql variables
# `data` (the folder test/data, as the server reads it) and `outdir` (where the
# client writes files: demo-output/).  KEEP=1 leaves the cluster up.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

need demo
stop_cluster_at_exit
start_cluster "${CLUSTER_CONF:-}"
cp -r "$TOP/test/data" "$CLUSTER/files/data"
chmod -R a+rX "$CLUSTER/files"
output=$TOP/demo-output
mkdir -p "$output"

createdb anshim_demo
as_server mkdir -m 700 "$CLUSTER/keys"
psql -X -q -d anshim_demo -c "ALTER DATABASE anshim_demo SET anshim.key_directory = '$CLUSTER/keys'"
for script in "$TOP"/test/demo/*.sql; do
	psql -X -q -v ON_ERROR_STOP=1 -v data="$CLUSTER/files/data" -v outdir="$output" \
		-d anshim_demo -f "$script"
done

say "" "Files written:"
find "$output" -type f -printf '  %p\n'
if [ "${KEEP:-0}" != 0 ]; then
	say "" "The cluster stays up:"
	keep_cluster demo anshim_demo
	say "try:   SELECT * FROM anshim.exposures('visit', ARRAY['child 184'], '[1861-10-29, 1861-11-10)', degrees => 2);"
fi
