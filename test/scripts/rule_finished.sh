#!/usr/bin/env bash
#
# Nothing is left for later in the code: what is not done is an issue.
. test/scripts/rules.bash

files '*.c' '*.h' '*.sql' '*.pl' '*.pm' '*.sh' '*.bash' 'Makefile' '*.mk' | grep -v rule_finished |
	xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' |
	rule "Left for later"
