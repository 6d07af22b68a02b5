#!/usr/bin/env bash
#
# make bench: run test/bench/run.sh against a throw-away cluster that is set
# up for measuring.  SCALE=10 loads ten times as much.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

need bench
stop_cluster_at_exit
start_cluster "${CLUSTER_CONF:-}" \
	"shared_buffers = 2GB" \
	"work_mem = 256MB" \
	"maintenance_work_mem = 1GB" \
	"max_wal_size = 16GB" \
	"wal_level = minimal" \
	"max_wal_senders = 0" \
	"synchronous_commit = off" \
	"autovacuum = off" \
	"jit = off"
"$TOP/test/bench/run.sh"
