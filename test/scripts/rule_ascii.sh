#!/usr/bin/env bash
#
# What gets into a database is ASCII: a message or a comment has to be right in
# every server encoding, and pgindent damages other characters.
. test/scripts/rules.bash

files '*.c' '*.h' 'sql/*.sql' '*.control' | LC_ALL=C xargs grep -nP '[^\x00-\x7F]' |
	rule "Not in ASCII"
