#!/usr/bin/env bash
#
# The SQL in README.md and docs/ does what the pages say: see pages.pl.

set -euo pipefail

exec perl test/scripts/pages.pl README.md docs/tracking.md
