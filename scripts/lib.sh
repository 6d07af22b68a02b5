# shellcheck shell=bash
#
# What the scripts share: packages, building, and throw-away servers.
#
# A server here never touches the installed PostgreSQL.  It runs from a private
# copy of the installation (a "root"), into which anshim is installed.  That
# works because PostgreSQL finds its files relative to its own executable.  No
# file in it is a link to the system's: whatever writes there writes to copies.
#
# One directory under $TMPDIR holds all of a cluster, and goes away with it:
#   root/    the private installation       data/    the data directory
#   socket/  the Unix-domain socket         log      the server's log
#   heads/   anshim.head_directory          files/   the caller's, which the
#                                                    server can read
# Nobody else can enter it, so that its connections need no password.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Neither an outer make nor the caller's own servers matter here; a script that
# another one started inside its cluster stays in that.
unset MAKEFLAGS MFLAGS MAKELEVEL CDPATH
if [ -z "${CLUSTER:-}" ]; then
	for name in "${!PG@}"; do
		[ "$name" = PG_CONFIG ] || unset "$name"
	done
fi
export LC_ALL=C.UTF-8

# A line an argument
say() { printf '%s\n' "$@"; }

die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

#
# Who
#

# A server refuses to run as root; root's servers belong to user postgres.
if [ "$(id -u)" = 0 ]; then SERVER_USER=postgres; else SERVER_USER=$(id -un); fi

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Run a command as the server's owner, in a directory that she can enter.
as_server() {
	if [ "$(id -u)" = 0 ]; then
		(cd "${CLUSTER:-/}" && exec runuser -u "$SERVER_USER" -- "$@")
	else
		(cd "${CLUSTER:-/}" && exec "$@")
	fi
}

#
# Packages
#

is_installed() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q install -y --no-install-recommends "$@" </dev/null >&2
}

# Print those of these packages that are missing.  Elsewhere than on Debian we
# take what is there, and fail where it is not.
missing_packages() {
	local package

	command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
	for package; do
		is_installed "$package" || printf '%s ' "$package"
	done
}

# Install what is missing of these packages, and say so.
need_packages() {
	local missing

	read -ra missing <<<"$(missing_packages "$@")"
	[ "${#missing[@]}" -gt 0 ] || return 0
	say "Installing with apt-get: ${missing[*]}"
	# The package lists may be missing or old: a second try follows an update.
	apt_install "${missing[@]}" || { as_root apt-get -q update >&2 && apt_install "${missing[@]}"; } ||
		die "that did not work; an administrator can do it: apt-get install ${missing[*]}"
}

# The same of packages that some tests can do without
want_packages() {
	local missing

	missing=$(missing_packages "$@")
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then
		need_packages "$@"
	else
		say "Not installed, so that some tests are skipped: $missing"
	fi
}

# The mirror of Debian itself, not of its security updates, that apt uses here
debian_mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian|//p' | head -n 1
}

# Debian's newest server: of the installed ones if there are any.
debian_major() {
	local dir newest=0 major

	for dir in /usr/lib/postgresql/*/lib/pgxs; do
		[ -d "$dir" ] || continue
		major=${dir#/usr/lib/postgresql/}
		major=${major%%/*}
		[ "$major" -gt "$newest" ] && newest=$major
	done
	if [ "$newest" = 0 ]; then
		apt-cache show postgresql >/dev/null 2>&1 || as_root apt-get -q update >&2
		newest=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | tail -n 1)
	fi
	printf '%s\n' "$newest"
}

# Find PostgreSQL, and what else this purpose needs, or install it.
# Sets PG_CONFIG, MAJOR, and the installation's directories.
need() {
	local purpose=$1 packages=(gcc libc6-dev libpq-dev libqrencode-dev libssl-dev make) major=

	if [ -z "${PG_CONFIG:-}" ]; then
		if command -v apt-get >/dev/null; then
			major=$(debian_major)
			[ "${major:-0}" != 0 ] || die "apt-get knows no postgresql; give PG_CONFIG=/path/to/pg_config"
			PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config
		else
			PG_CONFIG=$(command -v pg_config) || die "no pg_config here; give PG_CONFIG=/path/to/pg_config"
		fi
	elif [[ $PG_CONFIG =~ ^/usr/lib/postgresql/([0-9]+)/ ]]; then
		major=${BASH_REMATCH[1]}
	fi
	if [ -n "$major" ]; then
		packages+=("postgresql-$major" "postgresql-server-dev-$major")
		[ "$purpose" = build ] || packages+=("postgresql-$major-postgis-3")
	fi
	case $purpose in
	demo) packages+=(graphviz) ;;
	check) packages+=(graphviz libipc-run-perl openssl) ;;
	esac
	need_packages "${packages[@]}"
	[ "$purpose" != check ] || want_packages shellcheck zbar-tools librsvg2-bin
	# A scheduler for the tests, where it is packaged
	if [ "$purpose" = check ] && [ -n "$major" ] && apt-cache show "postgresql-$major-cron" >/dev/null 2>&1; then
		want_packages "postgresql-$major-cron"
	fi
	# A proxy for the tests, where it is packaged
	if [ "$purpose" = check ] && [ -n "$major" ] && apt-cache show "postgresql-$major-plproxy" >/dev/null 2>&1; then
		want_packages "postgresql-$major-plproxy"
	fi
	# An HSM for the tests, where OpenSSL's provider for such is packaged
	if [ "$purpose" = check ] && apt-cache show pkcs11-provider >/dev/null 2>&1; then
		want_packages pkcs11-provider softhsm2
	fi

	"$PG_CONFIG" --pgxs >/dev/null || die "$PG_CONFIG does not work"
	export PG_CONFIG
	MAJOR=$("$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	BINDIR=$("$PG_CONFIG" --bindir)
	PKGLIBDIR=$("$PG_CONFIG" --pkglibdir)
	SHAREDIR=$("$PG_CONFIG" --sharedir)
	BUILD=${BUILD_DIR:-$TOP/build}/pg$MAJOR
}

#
# Building
#

# Run make in the build directory of this PostgreSQL, one at a time.
build_make() {
	mkdir -p "$BUILD"
	(
		flock 9
		# Objects of another installation of the same major are of no use.
		if ! "$PG_CONFIG" | cmp -s - "$BUILD/pg_config"; then
			find "$BUILD" -mindepth 1 -not -name lock -delete
			"$PG_CONFIG" >"$BUILD/pg_config"
		fi
		make -s -j"${JOBS:-2}" -C "$BUILD" -f "$TOP/pgxs.mk" PG_CONFIG="$PG_CONFIG" "$@" 9>&-
	) 9>"$BUILD/lock"
}

# Make a private installation under this directory, with anshim in it.
make_root() {
	local root=$1

	mkdir -p "$root$BINDIR" "$root$PKGLIBDIR" "$root$SHAREDIR"
	cp -L "$BINDIR"/* "$root$BINDIR"
	cp -a "$PKGLIBDIR/." "$root$PKGLIBDIR"
	cp -a "$SHAREDIR/." "$root$SHAREDIR"
	# Not whichever anshim is installed for everybody.
	rm -rf "$root$PKGLIBDIR"/anshim* "$root$PKGLIBDIR"/bitcode/anshim* \
		"$root$SHAREDIR"/extension/anshim*
	build_make install DESTDIR="$root" >/dev/null
}

#
# Clusters
#

# Make a throw-away cluster and start it.  Further arguments are lines for
# postgresql.conf.  Sets CLUSTER, and the environment of its clients.
start_cluster() {
	CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/anshim.XXXXXX")
	# A socket's path must be short, and may hold no comma.
	if [ "${#CLUSTER}" -gt 80 ] || [[ $CLUSTER == *,* ]]; then
		rmdir "$CLUSTER"
		CLUSTER=$(mktemp -d /tmp/anshim.XXXXXX)
	fi
	mkdir "$CLUSTER"/{data,socket,files}
	mkdir -m 700 "$CLUSTER/heads"
	if [ "$(id -u)" = 0 ]; then
		chown "$SERVER_USER" "$CLUSTER" "$CLUSTER"/{data,socket,heads}
	fi
	make_root "$CLUSTER/root"
	use_cluster
	as_server "$CLUSTER_BIN/initdb" -D "$CLUSTER/data" -U postgres -A trust \
		-E UTF8 --locale=C.UTF-8 --no-sync >"$CLUSTER/files/initdb.log" 2>&1 || {
		cat "$CLUSTER/files/initdb.log" >&2
		die "initdb failed"
	}
	{
		printf '%s\n' \
			"unix_socket_directories = '$CLUSTER/socket'" \
			"listen_addresses = ''" \
			"fsync = off" \
			"log_line_prefix = '%m [%p] %d '" \
			"log_error_verbosity = verbose" \
			"max_prepared_transactions = 10" \
			"anshim.head_directory = '$CLUSTER/heads'" \
			"$@"
	} >>"$CLUSTER/data/postgresql.conf"
	[ -z "${VALGRIND:-}" ] || put_under_valgrind
	as_server "$CLUSTER_BIN/pg_ctl" start -s -w -t 300 -D "$CLUSTER/data" -l "$CLUSTER/data/server.log" || {
		tail -n 20 "$CLUSTER/data/server.log" >&2
		die "the server did not start"
	}
}

# Let the cluster's server run under valgrind, as scripts/valgrind.sh wants it:
# each process writes a file of what is wrong.
put_under_valgrind() {
	local server=$CLUSTER_BIN/postgres

	mkdir "$CLUSTER/valgrind"
	[ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$CLUSTER/valgrind"
	mv "$server" "$server.bin"
	cat >"$server" <<-SCRIPT
		#!/bin/sh
		exec valgrind --quiet --suppressions="$VALGRIND" --trace-children=yes --track-origins=yes --leak-check=no \\
			--gen-suppressions=all --time-stamp=yes --error-markers=VALGRINDERROR-BEGIN,VALGRINDERROR-END \\
			--log-file="$CLUSTER/valgrind/%p.log" "$server.bin" "\$@"
	SCRIPT
	chmod +x "$server"
}

# Point clients at CLUSTER.
use_cluster() {
	CLUSTER_BIN=$CLUSTER/root$BINDIR
	export CLUSTER CLUSTER_BIN PGHOST=$CLUSTER/socket PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	export PATH=$CLUSTER_BIN:$PATH
}

# Stop the cluster, and whatever servers a test left in its directory.
stop_cluster() {
	local file

	[ -n "${CLUSTER:-}" ] && [ -d "$CLUSTER" ] || return 0
	find "$CLUSTER" -name postmaster.pid | while read -r file; do
		as_server "$CLUSTER_BIN/pg_ctl" stop -s -m immediate -D "$(dirname "$file")" || true
	done
	rm -rf "$CLUSTER"
	CLUSTER=
}

# keep_cluster NAME [DATABASE]: a cluster that outlives its script has a name, by
# which cluster.sh finds it; another one if that is taken.
keep_cluster() {
	local names=$TOP/build/clusters name=$1 i=1

	mkdir -p "$names"
	while [ -f "$names/$name" ] && [ -d "$(cat "$names/$name")" ]; do
		i=$((i + 1))
		name=$1-$i
	done
	printf '%s\n' "$CLUSTER" >"$names/$name"
	printf '%s\n' "$PG_CONFIG" >"$CLUSTER/files/pg_config"
	say "psql:  $CLUSTER_BIN/psql -h $CLUSTER/socket -U postgres ${2:-postgres}" \
		"stop:  $TOP/scripts/cluster.sh stop $name"
	CLUSTER=
}

# What a script with a cluster of its own does first: the cluster goes away
# when the script ends, however that comes.
stop_cluster_at_exit() {
	trap 'trap "" INT TERM HUP; stop_cluster' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
}
