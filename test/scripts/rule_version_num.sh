#!/usr/bin/env bash
#
# Differences between PostgreSQL's versions are in src/compat.h (and compat.c
# behind it) alone.
. test/scripts/rules.bash

files 'src/*.[ch]' 'bin/*.[ch]' | grep -v '^src/compat\.[ch]$' |
	xargs -r grep -n 'PG_VERSION_NUM' |
	rule "Versions are told apart in src/compat.h alone"
