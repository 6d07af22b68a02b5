#!/usr/bin/env bash
#
# No expected output shows an internal error: XX000 cannot be reached from SQL.
. test/scripts/rules.bash

files 'expected/*.out' 'test/expected/*.out' | xargs -r grep -nE 'XX00[0-9]|internal error' |
	rule "Expected outputs with an internal error"
