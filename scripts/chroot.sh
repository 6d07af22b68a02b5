#!/usr/bin/env bash
#
# Other releases of Debian, and the PostgreSQL that each of them has.
#
#   chroot.sh RELEASE COMMAND…          run this in a bare system of that release
#   chroot.sh --keep RELEASE COMMAND…   the same in one that stays, for the next time
#   chroot.sh --drop RELEASE            remove that one
#
# For example, does it compile, and can it be created, on PostgreSQL 17 and 18?
#
#   for release in trixie sid; do
#       chroot.sh --keep $release scripts/cluster.sh run psql -c 'CREATE EXTENSION anshim'
#   done
#
# The command runs as root, in a copy of this source tree at /anshim: of what is
# committed in a bare system, and of the files as they are in one that is kept,
# which also keeps its build/.  Packages in build/deb are there, too, and come back
# from there.  Whatever the command starts or mounts ends with it.  TIMEOUT is how long it may take, 40 minutes by default.
#
# debootstrap makes the system, in /var/tmp, from the mirror that this machine's
# apt uses.  Downloads are kept in /var/cache/anshim-ci if that can be written to.
# Needs root.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cache=/var/cache/anshim-ci
limit=${TIMEOUT:-40m}
kept=/var/tmp/anshim-chroots
work=

usage() {
	sed -n '3,/^$/s/^#\( \|$\)//p' "$0" >&2
	exit 2
}

# A bare system of this release in this directory, unpacked or made.
make_system() {
	local suite=$1 root=$2 base=$cache/$1.tar.gz

	# Old package lists name packages that are gone.
	find "$base" -mtime +7 -delete 2>/dev/null || true
	mkdir -p "$root"
	if [ ! -f "$base" ]; then
		need_packages debootstrap >&2
		say "debootstrap $suite" >&2
		debootstrap --variant=minbase --include=make "$suite" "$root" \
			"$(debian_mirror)" /usr/share/debootstrap/scripts/sid >"$root.log" 2>&1 || {
			tail -n 20 "$root.log" >&2
			die "no system of $suite could be made"
		}
		rm -f "$root.log"
		tar -C "$root" -c . | gzip -1 >"$base.$$"
		mv "$base.$$" "$base"
		rm -rf "$root"
		mkdir "$root"
	fi
	tar -C "$root" -xzf "$base"
	cp "$cache"/archives/*.deb "$root/var/cache/apt/archives" 2>/dev/null || true
	apt-config dump Acquire::http Acquire::https >"$root/etc/apt/apt.conf.d/00host"
	# Packages start no servers in there.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	mkdir "$root/anshim"
}

# Replace the source tree in there, but for what was built.
copy_sources() {
	local root=$1

	find "$root/anshim" -mindepth 1 -maxdepth 1 -not -name build -exec rm -rf {} +
	if [ -n "$keep" ]; then
		git -c safe.directory='*' -C "$TOP" ls-files -z --cached --others --exclude-standard |
			tar -C "$TOP" -c --null --ignore-failed-read --files-from=- |
			tar -C "$root/anshim" -x
	else
		git -c safe.directory='*' -C "$TOP" archive HEAD | tar -C "$root/anshim" -x
	fi
}

# copy_packages FROM TO: Debian packages that deb.sh made
copy_packages() {
	[ -d "$1/build/deb" ] || return 0
	mkdir -p "$2/build"
	rm -rf "$2/build/deb"
	cp -r "$1/build/deb" "$2/build"
}

# Whatever is mounted and started there ends with the command: it has mounts
# and processes of its own.
in_system() {
	# shellcheck disable=SC2016
	timeout "$limit" unshare --mount --pid --fork --kill-child bash -euc '
		mount -t proc proc "$0/proc"
		mount -t tmpfs tmpfs "$0/dev/shm"
		exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
			TESTS="${TESTS:-}" JOBS="${JOBS:-}" \
			sh -c '\''cd /anshim && exec "$@"'\'' sh "$@"' "$@"
}

keep=
case ${1:-} in
--keep) keep=1 && shift ;;
--drop)
	[ $# = 2 ] || usage
	rm -rf "${kept:?}/$2"
	exit
	;;
esac
[ $# -ge 2 ] || usage
[ "$(id -u)" = 0 ] || die "needs root, for the chroot"
suite=$1
shift

trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if [ -n "$keep" ]; then
	root=$kept/$suite
	mkdir -p "$kept"
	exec 8>"$kept/$suite.lock"
	flock 8
else
	work=$(mktemp -d /var/tmp/anshim-chroot.XXXXXX)
	root=$work/root
fi
mkdir -p "$cache/archives" 2>/dev/null || {
	cache=${work:-$kept}/cache
	mkdir -p "$cache/archives"
}
[ -d "$root/anshim" ] || make_system "$suite" "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
copy_sources "$root"
copy_packages "$TOP" "$root/anshim"
status=0
in_system "$root" "$@" || status=$?
copy_packages "$root/anshim" "$TOP"
cp "$root"/var/cache/apt/archives/*.deb "$cache/archives" 2>/dev/null || true
exit "$status"
