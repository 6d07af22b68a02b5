#!/usr/bin/env bash
#
# The scripts pass shellcheck.
. test/scripts/rules.bash

command -v shellcheck >/dev/null || { echo "shellcheck is not installed"; exit 77; }
files '*.sh' '*.bash' '.ci/run' | xargs shellcheck -x
