#!/usr/bin/env bash
#
# assert-server.sh [COMMAND…]: a PostgreSQL that checks itself, built from the
# source package of this Debian's server.
#
#   assert-server.sh                     build it, and say where its pg_config is
#   assert-server.sh make check          run this with it: PG_CONFIG is set
#
# It has assertions (--enable-cassert) and tells valgrind about its memory
# (-DUSE_VALGRIND), which make valgrind needs.  It is built once, in build/server,
# in ten minutes or so, and installed nowhere else.  PostGIS is that of Debian's
# package: both are of one major version.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2119
need build
major=$MAJOR
[ "$PG_CONFIG" = "/usr/lib/postgresql/$major/bin/pg_config" ] || die "$PG_CONFIG is not Debian's"
tool=${BUILD_DIR:-$TOP/build}/server/$major
packages=(bison flex dpkg-dev libicu-dev liblz4-dev libreadline-dev libssl-dev libxml2-dev pkg-config valgrind
	"postgresql-$major-postgis-3" zlib1g-dev)

# The source of the package that is installed, or of the newest in its place
get_source() {
	local work=$1 options

	mkdir -p "$work"/{lists/partial,cache/archives/partial}
	printf 'deb-src [signed-by=%s] %s %s main\n' /usr/share/keyrings/debian-archive-keyring.gpg \
		"$(debian_mirror)" "$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" >"$work/sources.list"
	options=(-q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State=$work" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User="$(id -un)")
	(
		cd "$work"
		apt-get "${options[@]}" update
		apt-get "${options[@]}" source "postgresql-$major"
	)
}

build_server() {
	local work=$tool.new

	need_packages "${packages[@]}"
	rm -rf "$work" "$tool"
	say "building PostgreSQL $major with assertions; its log: $tool.log"
	mkdir -p "$work"
	(
		get_source "$work"
		mv "$work/postgresql-$major"-*/ "$work/source"
		mkdir "$work/objects"
		cd "$work/objects"
		# the options that change what extensions see are Debian's
		CFLAGS="-O1 -g -fno-omit-frame-pointer" CPPFLAGS=-DUSE_VALGRIND \
			../source/configure --prefix="$tool" \
			--enable-cassert --enable-debug --with-icu --with-ssl=openssl --with-lz4 --with-libxml
		make -s -j"${JOBS:-2}" world-bin
		make -s install-world-bin
		cp ../source/src/tools/valgrind.supp "$tool"
	) >"$tool.log" 2>&1 || {
		tail -n 20 "$tool.log" >&2
		die "PostgreSQL could not be built"
	}
	cp -as "$PKGLIBDIR"/{postgis,rtpostgis,address_standardizer}* "$("$tool/bin/pg_config" --pkglibdir)" 2>/dev/null || true
	cp -as "$SHAREDIR"/extension/postgis* "$("$tool/bin/pg_config" --sharedir)/extension" 2>/dev/null || true
	rm -rf "$work"
}

[ -x "$tool/bin/pg_config" ] || build_server
if [ $# = 0 ]; then
	say "$tool/bin/pg_config"
else
	exec env PG_CONFIG="$tool/bin/pg_config" BUILD_DIR="${BUILD_DIR:-$TOP/build}/with-assertions" "$@"
fi
