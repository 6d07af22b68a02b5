#!/usr/bin/env bash
#
# make bench: measure tracing in a cluster of its own; SCALE=10 loads ten times
# as much.  What else can be asked for is said in test/bench/run.sh.

exec "$(dirname "$0")/../test/bench/run.sh"
