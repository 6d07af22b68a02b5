#!/usr/bin/env bash
#
# No line ends in white space, every text file ends with a newline, and C is
# indented with tabs.
. test/scripts/rules.bash

texts() {
	files '*' | grep -vE '\.(png|gz|csv|o|so|bc|d|pass)$|^expected/|^test/expected/|^test/vectors/|^anshim--'
}

texts | xargs -r grep -nIE '[[:blank:]]+$' |
	rule "White space at the end of a line"
texts | while read -r file; do
	[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || printf '%s\n' "$file"
done | rule "No newline at the end"
files '*.c' '*.h' | xargs -r grep -nE '^ {4}' |
	rule "Indented with spaces"
