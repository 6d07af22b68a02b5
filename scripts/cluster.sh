#!/usr/bin/env bash
#
# Throw-away servers, for use by hand.
#
#   cluster.sh start [NAME]           build anshim, start a cluster with it
#   cluster.sh psql [NAME] [OPTIONS]  connect to it
#   cluster.sh install [NAME]         build and install again; new sessions see it
#   cluster.sh log [NAME]             follow the server's log
#   cluster.sh env [NAME]             shell commands that point clients at it
#   cluster.sh list                   the clusters that run
#   cluster.sh stop [NAME]            stop it, and remove it with all its data
#   cluster.sh run COMMAND…           a cluster for just this command
#
# NAME is `dev` unless given.  CLUSTER_CONF holds further lines for
# postgresql.conf, JOBS=… says how many compilers run at a time.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

usage() {
	sed -n '3,/^$/s/^#\( \|$\)//p' "$0" >&2
	exit 2
}

named() { printf '%s\n' "$TOP/build/clusters/$1"; }

# Find the cluster of this name.
find_cluster() {
	[ -f "$(named "$1")" ] || die "no cluster '$1' runs here; start it: $0 start $1"
	CLUSTER=$(cat "$(named "$1")")
	if [ ! -d "$CLUSTER" ]; then
		rm "$(named "$1")"
		die "cluster '$1' is gone"
	fi
	PG_CONFIG=$(cat "$CLUSTER/files/pg_config")
	need build
	use_cluster
}

[ $# -gt 0 ] || usage
command=$1
shift

# An option is no name.
name=dev
case $command in
run | list) ;;
*)
	if [ $# -gt 0 ] && [[ $1 != -* ]]; then
		name=$1
		shift
	fi
	;;
esac

case $command in
start)
	if [ -f "$(named "$name")" ]; then
		[ ! -d "$(cat "$(named "$name")")" ] || die "cluster '$name' runs already"
	fi
	need build
	stop_cluster_at_exit
	start_cluster "${CLUSTER_CONF:-}"
	keep_cluster "$name"
	;;
psql)
	find_cluster "$name"
	exec psql "$@"
	;;
install)
	find_cluster "$name"
	build_make install DESTDIR="$CLUSTER/root" >/dev/null
	;;
log)
	find_cluster "$name"
	exec tail -n 50 -f "$CLUSTER/data/server.log"
	;;
env)
	find_cluster "$name"
	printf 'export %s\n' "PGHOST=$PGHOST PGPORT=$PGPORT PGUSER=$PGUSER PGDATABASE=$PGDATABASE" \
		"PATH=$CLUSTER_BIN:\$PATH"
	;;
list)
	for file in "$TOP"/build/clusters/*; do
		[ ! -f "$file" ] || printf '%s\t%s\n' "$(basename "$file")" "$(cat "$file")"
	done
	;;
stop)
	find_cluster "$name"
	stop_cluster
	rm -f "$(named "$name")"
	;;
run)
	[ $# -gt 0 ] || usage
	need build
	stop_cluster_at_exit
	start_cluster "${CLUSTER_CONF:-}"
	"$@"
	;;
*)
	usage
	;;
esac
