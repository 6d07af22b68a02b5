#!/usr/bin/env bash
#
# make check-matrix: all tests on further releases of Debian, with the
# PostgreSQL that each has.  Needs root, for the chroots (see chroot.sh).
#
#   check-matrix.sh                 PostgreSQL 17 on Debian 13, and 18 on unstable, and
#                                   the Debian packages, and pg_upgrade
#   check-matrix.sh here trixie     this machine as well
#
# The last line sums up all: N passed, N failed.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

passed=0
failed=0

# count TITLE COMMAND…: run it, and add up what its last line says
count() {
	local title=$1 output
	shift

	say "" "== $title =="
	output=$(mktemp)
	"$@" </dev/null 2>&1 | tee "$output" || true
	if [[ $(grep -v '^make: ' "$output" | tail -n 1) =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
	else
		say "it did not come to its end"
		failed=$((failed + 1))
	fi
	rm -f "$output"
}

[ $# -gt 0 ] || set -- trixie sid packages pg_upgrade
for place; do
	case $place in
	here) count "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" timeout 40m make -C "$TOP" check ;;
	pg_upgrade) count "pg_upgrade" "$TOP/scripts/check-pg-upgrade.sh" ;;
	packages) count "Debian packages" "$TOP/scripts/deb.sh" --check trixie ;;
	*) count "Debian $place" "$TOP/scripts/chroot.sh" "$place" make check ;;
	esac
done

say "" "$passed passed, $failed failed"
[ "$failed" = 0 ]
