#!/usr/bin/env bash
#
# The installation that tests run with holds no link to the system's PostgreSQL,
# which nothing here may write to.

set -euo pipefail

root=$CLUSTER/root
for dir in --pkglibdir --sharedir --bindir; do
	dir=$("$PG_CONFIG" "$dir")
	[ -d "$root$dir" ]
	links=$(find "$root" -type l -lname "$dir/*")
	if [ -n "$links" ]; then
		echo "links to $dir: $(wc -l <<<"$links"), such as $(head -n 1 <<<"$links")"
		exit 1
	fi
done
