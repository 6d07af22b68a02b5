#!/usr/bin/env bash
#
# make typedefs: write typedefs.list, the type names that pgindent has to know.
#
# They are the typedefs in the objects' debugging information that our sources
# use by name, and those that our sources define.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

need build
build_make all >/dev/null
cd "$TOP"

# Our code without comments and strings
code() {
	find . -path ./build -prune -o -name '*.[ch]' -print0 |
		xargs -0 perl -0777 -pe 's{/\*.*?\*/|"(?:[^"\\\n]|\\.)*"}{ }gs'
}

words() {
	code | grep -owE '[A-Za-z_][A-Za-z0-9_]*' | sort -u
}

known() {
	find "$BUILD/src" -name '*.o' -exec objdump -Wi {} + 2>/dev/null |
		awk '/DW_TAG_typedef/ { type = 1; next }
			type && /DW_AT_name/ { print $NF }
			/DW_TAG/ || /DW_AT_name/ { type = 0 }' | sort -u
}

own() {
	# shellcheck disable=SC2016
	code | perl -0777 -ne '
		print "$1\n" while /^\}\s*(\w+);/gm;
		print "$1\n" while /^typedef\s[^;{}()]*?(\w+);/gm;
		print "$1\n" while /^typedef\s[^;{}]*?\(\s*\*?\s*(\w+)\s*\)\s*\(/gm;'
}

{
	comm -12 <(words) <(known)
	own
} | sort -u >typedefs.list
say "typedefs.list: $(wc -l <typedefs.list) names"
