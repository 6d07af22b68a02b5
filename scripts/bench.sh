#!/usr/bin/env bash
#
# make bench: measure one thing, in a cluster of its own.
#
#   make bench               tracing (WHAT=exposure)
#   make bench WHAT=tokens   another thing: test/bench/WHAT.sh, which says on
#                            top what else can be asked for

here=$(dirname "$0")/../test/bench
script=$here/${WHAT:-exposure}.sh

if [ ! -f "$script" ]; then
	echo "make bench: WHAT is one of these:" >&2
	find "$here" -name '*.sh' -exec basename {} .sh \; >&2
	exit 2
fi
exec "$script"
