#!/usr/bin/env bash
#
# The SQL in README.md and docs/ does what these pages say: see pages.pl.

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

# Pages that make keys find an empty directory for them.
export KEY_DIRECTORY=$CLUSTER/keys.pages
as_server rm -rf "$KEY_DIRECTORY"
as_server mkdir -m 700 "$KEY_DIRECTORY"

exec perl test/scripts/pages.pl README.md docs/exposure.md docs/identities.md docs/security.md docs/tokens.md docs/tracking.md docs/cookbook.md docs/chains.md docs/formats.md docs/scale.md
