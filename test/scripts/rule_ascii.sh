#!/usr/bin/env bash
#
# What gets into a database is ASCII: a message or a comment has to be right in
# every server encoding, and pgindent damages other characters.  The prose of
# the reference, `--|` lines, does not get there.
. test/scripts/rules.bash

files '*.c' '*.h' 'sql/*.sql' '*.control' | LC_ALL=C xargs grep -nP '[^\x00-\x7F]' |
	grep -v '^[^:]*:[0-9]*:--|' |
	rule "Not in ASCII"
