#!/usr/bin/env bash
#
# A short run of `make fuzz`, with another seed every time.

set -euo pipefail

FUZZ_DIR=${TEST_TMP:-$(mktemp -d)} FUZZ_RUNS=${FUZZ_RUNS:-20000} bash test/fuzz/fuzz.sh
