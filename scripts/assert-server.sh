#!/usr/bin/env bash
#
# assert-server.sh [COMMAND…]: a PostgreSQL that checks itself, built from the
# source package of this Debian's server.
#
#   assert-server.sh                     build it, and say where its pg_config is
#   assert-server.sh make check          run this with it: PG_CONFIG is set
#
# It has assertions (--enable-cassert) and tells valgrind about its memory
# (-DUSE_VALGRIND), which make valgrind needs.  It is built once for each version
# of that package, in build/server, in ten minutes or so.  PostGIS is a copy of
# Debian's: both are of one major version.
#
# It is installed nowhere else.  Debian's patches are left out, as with them it
# would be: they name the system's own directories, whatever the prefix.  And it
# is installed below DESTDIR first, to see that there is nothing but the prefix.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2119
need build
major=$MAJOR
[ "$PG_CONFIG" = "/usr/lib/postgresql/$major/bin/pg_config" ] || die "$PG_CONFIG is not Debian's"
version=$(dpkg-query -W -f '${source:Version}' "postgresql-$major")
tool=${BUILD_DIR:-$TOP/build}/server/$version
packages=(bison flex dpkg-dev libicu-dev libipc-run-perl liblz4-dev libreadline-dev libssl-dev libxml2-dev pkg-config valgrind
	"postgresql-$major-postgis-3" zlib1g-dev)

# The source of the package that is installed, from wherever apt has packages of
# Debian; where that is gone from the mirrors, the newest one that is there.
get_source() {
	local work=$1 options versions

	mkdir -p "$work"/{lists/partial,cache/archives/partial}
	# shellcheck disable=SC2016
	apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
		--format 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) $(COMPONENT)' |
		sort -u >"$work/sources.list"
	options=(-q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State=$work" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User="$(id -un)")
	cd "$work"
	apt-get "${options[@]}" update
	mapfile -t versions < <(apt-cache "${options[@]}" showsrc --only-source "postgresql-$major" |
		sed -n 's/^Version: //p' | sort -ruV)
	for source_version in "$version" "${versions[@]}"; do
		! apt-get "${options[@]}" source --download-only "postgresql-$major=$source_version" || break
	done
	tar -xf "postgresql-$major"_*.orig.tar.bz2
	mv "postgresql-$major"*/ source
}

build_server() {
	local work=$tool.new found libraries shared

	need_packages "${packages[@]}"
	rm -rf "$work" "$tool"
	say "building PostgreSQL $version with assertions; its log: $tool.log"
	mkdir -p "$work"
	# In the background, as what stands before || does not stop at an error
	(
		get_source "$work"
		mkdir "$work/objects"
		cd "$work/objects"
		# the options that change what extensions see are Debian's
		CFLAGS="-O1 -g -fno-omit-frame-pointer" CPPFLAGS=-DUSE_VALGRIND \
			../source/configure --prefix="$tool" \
			--enable-cassert --enable-debug --enable-tap-tests --with-icu --with-ssl=openssl --with-lz4 --with-libxml
		make -s -j"${JOBS:-2}" world-bin
		make -s install-world-bin DESTDIR="$work/root"
		cp ../source/src/tools/valgrind.supp "$work/root$tool"
		strays=$(find "$work/root" -not -type d -not -path "$work/root$tool/*" | head -n 3)
		[ -z "$strays" ] || die "it would be installed elsewhere as well: $strays"
		mv "$work/root$tool" "$tool"
	) >"$tool.log" 2>&1 &
	wait $! || {
		tail -n 20 "$tool.log" >&2
		die "PostgreSQL could not be built"
	}
	found=$("$tool/bin/pg_config" --version)
	case $version in
	"${found#PostgreSQL }"-*) ;;
	*) say "the source of $version is not to be had: this is $found" ;;
	esac
	libraries=$("$tool/bin/pg_config" --pkglibdir)
	shared=$("$tool/bin/pg_config" --sharedir)
	# copies: through a link, what is installed here would be written to the system's files
	cp -L "$PKGLIBDIR"/*postgis*.so "$libraries"
	cp -L "$SHAREDIR"/extension/postgis* "$shared/extension"
	rm -rf "$work"
}

[ -x "$tool/bin/pg_config" ] || build_server
if [ $# = 0 ]; then
	say "$tool/bin/pg_config"
else
	exec env PG_CONFIG="$tool/bin/pg_config" BUILD_DIR="${BUILD_DIR:-$TOP/build}/with-assertions" "$@"
fi
