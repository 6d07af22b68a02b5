# shellcheck shell=bash
#
# What the measurements of `make bench` share.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

# What is built and reported
BENCH=$TOP/build/bench
mkdir -p "$BENCH"

progress() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

sql() { PGOPTIONS='-c client_min_messages=warning' psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# A query's result as a Markdown table
table() {
	psql -X -q -A -v ON_ERROR_STOP=1 -P footer=off -c "$1" | awk -F '|' -v OFS=' | ' '
		{ $1 = $1; print "| " $0 " |" }
		NR == 1 { for (i = 1; i <= NF; i++) $i = "---:"; print "| " $0 " |" }'
}

machine() {
	printf '%s, %s cores, %s GB of memory; Linux %s; PostgreSQL %s.\n' \
		"$(lscpu | sed -n 's/^Model name: *//p')" "$(nproc)" \
		"$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo)" \
		"$(uname -r | sed 's/[^0-9.].*//')" "$(sql -c 'SHOW server_version')"
}
