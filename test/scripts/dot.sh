#!/usr/bin/env bash
#
# Graphviz lays out what anshim.hops_dot() writes, whatever the names hold, and
# they arrive in the picture as they are.

set -euo pipefail

command -v dot >/dev/null || { echo "Graphviz is not installed"; exit 77; }

psql -X -q -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION anshim'

# draw ARGUMENTS: the texts of the picture, a line each
draw() {
	psql -X -At -v ON_ERROR_STOP=1 -c "SELECT anshim.hops_dot($1)" >"$TEST_TMP/graph.dot"
	dot -Tsvg "$TEST_TMP/graph.dot" >"$TEST_TMP/graph.svg" 2>"$TEST_TMP/errors" || true
	if [ -s "$TEST_TMP/errors" ]; then
		cat "$TEST_TMP/errors" >&2
		return 1
	fi
	sed -n 's/.*<text[^>]*>\(.*\)<\/text>.*/\1/p' "$TEST_TMP/graph.svg"
}

expect() {
	grep -qxF -- "$1" "$TEST_TMP/texts" || {
		printf 'not in the picture: %s\n' "$1"
		cat "$TEST_TMP/texts"
		exit 1
	}
}

draw "'{1,1,2,2,2}', '{a\\\\N,a\\\\N,\"<i>\",\"<i>\",\"<i>\"}', ARRAY['<i>', '', '\"quoted\"', '&lt;', '-->'],
	ARRAY['] } ;', '', NULL, 'x', '\\'], '{2021-03-01,NULL,NULL,2021-03-02,2021-03-02}', ARRAY['alone'], '<TABLE>'" >"$TEST_TMP/texts"
for text in 'a\N' '&lt;i&gt;' '&quot;quoted&quot;' '&amp;lt;' '&#45;&#45;&gt;' '] } ;' "\\" 'alone' '&lt;TABLE&gt;'; do
	expect "$text"
done

# No case, nobody; and cases that infect nobody
draw "'{}', '{}', '{}', '{}', '{}'" >"$TEST_TMP/texts"
expect 'nobody'
draw "'{}', '{}', '{}', '{}', '{}', '{x,y}'" >"$TEST_TMP/texts"
expect '2 cases'
