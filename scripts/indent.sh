#!/usr/bin/env bash
#
# make indent: lay out all C as PostgreSQL's own pgindent does.
#
#   indent.sh            bring typedefs.list up to date, and change the files
#   indent.sh --check    change nothing; show what would be, and fail
#   indent.sh --get      only see to it that pgindent is here
#
# pgindent's output differs between PostgreSQL's majors, so it is one for all:
# the program and the script in Debian 13's postgresql-server-dev-17.  Elsewhere
# than there it is taken from that package, without installing it, together
# with the C library that it runs on: into build/indent, with apt's own
# machinery, but lists and configuration apart from the system's.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

suite=trixie
major=17
tool=${BUILD_DIR:-$TOP/build}/indent

get() {
	local work options file loader libraries

	command -v apt-get >/dev/null || die "needs Debian's packages; run pgindent of PostgreSQL $major yourself"
	work=$tool.new
	rm -rf "$work"
	mkdir -p "$work"/{lists/partial,cache/archives/partial}
	printf 'deb [signed-by=%s] %s %s main\n' \
		/usr/share/keyrings/debian-archive-keyring.gpg "$(debian_mirror)" "$suite" >"$work/sources.list"
	touch "$work/status"
	options=(-q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State=$work" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache"
		-o APT::Sandbox::User="$(id -un)")
	(
		cd "$work"
		apt-get "${options[@]}" update
		apt-get "${options[@]}" download "postgresql-server-dev-$major" libc6
		for file in *.deb; do
			dpkg -x "$file" root
		done
	) >"$tool.log" 2>&1 || {
		tail -n 5 "$tool.log" >&2
		return 1
	}
	mkdir "$work/bin"
	mv "$work/root/usr/lib/postgresql/$major/bin"/{pgindent,pg_bsd_indent} "$work/bin"
	loader=$(find "$work/root" -name 'ld-linux*.so.*' | head -n 1)
	libraries=$(dirname "$(find "$work/root" -name libc.so.6 | head -n 1)")
	mv "$libraries" "$work/lib"
	[ -f "$loader" ] || loader=$work/lib/$(basename "$loader")
	mv "$work/bin/pg_bsd_indent" "$work/lib"
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nlib=$(dirname "$0")/../lib\nexec "$lib/%s" --library-path "$lib" "$lib/pg_bsd_indent" "$@"\n' \
		"$(basename "$loader")" >"$work/bin/pg_bsd_indent"
	chmod +x "$work/bin/pg_bsd_indent"
	rm -rf "$work"/{root,lists,cache,*.deb}
	rm -rf "$tool"
	mv "$work" "$tool"
}

bin=/usr/lib/postgresql/$major/bin
if [ ! -x "$bin/pgindent" ] || [ "$("$bin/pg_bsd_indent" --version 2>&1 | cut -d ' ' -f 1)" != pg_bsd_indent ]; then
	bin=$tool/bin
	[ -x "$bin/pgindent" ] || get || die "no pgindent of PostgreSQL $major is to be had"
fi

cd "$TOP"
options=()
case ${1:-} in
--get) exit ;;
--check) options=(--check --diff) ;;
*) "$TOP/scripts/typedefs.sh" ;;
esac
folders=()
for folder in src bin test; do
	[ ! -d "$folder" ] || folders+=("$folder")
done

# It damages what is not ASCII.
! LC_ALL=C grep -rnP --include='*.[ch]' '[^\x00-\x7F]' "${folders[@]}" || die "not in ASCII; pgindent would damage it"

# It writes temporary files to the current directory.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$bin/pgindent" --indent="$bin/pg_bsd_indent" --typedefs="$TOP/typedefs.list" \
	"${options[@]}" "${folders[@]/#/$TOP/}"
