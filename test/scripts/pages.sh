#!/usr/bin/env bash
#
# The SQL in README.md and docs/ does what these pages say: see pages.pl.

set -euo pipefail

exec perl test/scripts/pages.pl README.md docs/exposure.md docs/tracking.md
