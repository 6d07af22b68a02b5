#!/usr/bin/env bash
#
# make deb: build Debian packages for the servers that are packaged here, into
# build/deb.
#
#   deb.sh                 build them
#   deb.sh --check         build them on a bare Debian, install them on another
#                          bare one, and try them there (needs root)
#   deb.sh --install       install those in build/deb, and try them

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

folder=${BUILD_DIR:-$TOP/build}/deb

# A copy of the source tree is built in, as dpkg-buildpackage writes to it, and
# to the folder above.
build() {
	local work

	command -v apt-get >/dev/null || die "needs Debian"
	need_packages build-essential debhelper libpq-dev libqrencode-dev libssl-dev postgresql-common postgresql-server-dev-all
	work=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$work'" EXIT
	mkdir "$work/anshim"
	tar -C "$TOP" --exclude=./build --exclude=./.git --exclude='*.o' --exclude='*.bc' -c . | tar -C "$work/anshim" -x
	(
		cd "$work/anshim"
		pg_buildext updatecontrol
		dpkg-buildpackage -b -us -uc --no-check-builddeps
	)
	rm -rf "$folder"
	mkdir -p "$folder"
	cp "$work"/*.deb "$folder"
	say "" "$folder:" "$(cd "$folder" && ls -1)"
}

install_and_try() {
	local file names=()

	for file in "$folder"/*.deb; do
		[[ $file == *-dbgsym_* ]] || names+=("$file")
	done
	apt_install "${names[@]}" postgresql-common || { as_root apt-get -q update >&2 && apt_install "${names[@]}" postgresql-common; }
	"$TOP/debian/tests/installed"
}

case ${1:-} in
'') build ;;
--install) install_and_try ;;
--check)
	release=${2:-trixie}
	"$TOP/scripts/chroot.sh" "$release" scripts/deb.sh
	"$TOP/scripts/chroot.sh" "$release" scripts/deb.sh --install
	say "1 passed, 0 failed"
	;;
*) die "no such option: $1" ;;
esac
