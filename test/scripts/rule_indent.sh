#!/usr/bin/env bash
#
# C is laid out as pgindent does it.
set -eu

if [ ! -x /usr/lib/postgresql/17/bin/pgindent ] && [ ! -x build/indent/bin/pgindent ]; then
	echo "pgindent is not here yet; make indent fetches it"
	exit 77
fi
scripts/indent.sh --check || {
	echo "make indent does this"
	exit 1
}
