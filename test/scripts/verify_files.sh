#!/usr/bin/env bash
#
# anshim_verify against files that somebody else has written: see
# verify_files.pl.

set -euo pipefail

exec perl test/scripts/verify_files.pl
