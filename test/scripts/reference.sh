#!/usr/bin/env bash
#
# docs/reference.md is what its sources say, and leaves nothing out: every
# function of the extension is in it, marked if not everybody may call it, and
# every setting, with its description.

set -euo pipefail

scripts/reference.pl --check

psql -XqAt -c 'CREATE EXTENSION anshim'
failed=0

# ask [PSQL OPTION]: run standard input, and keep what it returns
ask() { psql -XqAt -v ON_ERROR_STOP=1 "$@" | LC_ALL=C sort >"$TEST_TMP/database"; }

# same TITLE: compare what the page says with what the database says
same() {
	diff -u --label page --label database "$TEST_TMP/page" "$TEST_TMP/database" || {
		printf '%s\n' "$1"
		failed=1
	}
}

perl -ne '
	$name = $1 if /^- `(anshim\.\w+)\(.* → .*`\\$/;
	if (defined $name && /^  .*\*(.*)\.\*$/) {
		print "$name ", $1 =~ /not for everybody/ ? "granted" : "everybody", "\n";
		undef $name;
	}' docs/reference.md | LC_ALL=C sort >"$TEST_TMP/page"
# Nobody calls a trigger's function; whom it is open to means nothing there.
ask -F ' ' <<-'SQL'
	SELECT 'anshim.' || proname,
		CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE')
			OR prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) THEN 'everybody' ELSE 'granted' END
	FROM pg_proc p JOIN pg_depend ON objid = p.oid AND classid = 'pg_proc'::regclass AND deptype = 'e'
	WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'anshim')
SQL
same "functions that docs/reference.md leaves out, or whose callers it gets wrong"

sed -nE 's/^- (table|view) .(anshim\.\w+).\\$/\2/p' docs/reference.md | LC_ALL=C sort >"$TEST_TMP/page"
ask <<-'SQL'
	SELECT 'anshim.' || relname
	FROM pg_class c JOIN pg_depend ON objid = c.oid AND classid = 'pg_class'::regclass AND deptype = 'e'
	WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'anshim') AND relkind IN ('r', 'p', 'v')
SQL
same "tables and views that docs/reference.md leaves out"

sed -n '/^## Settings$/,$p' docs/reference.md | perl -0777 -ne '
	print "$1|$2|$3\n" while /^### (\S+)\n\n([^\n]+)\n\n(?:.*?\n\n)??Type `(\w+)`/gsm' |
	LC_ALL=C sort >"$TEST_TMP/page"
ask <<-'SQL'
	LOAD 'anshim';
	SELECT name, short_desc || '. ' || regexp_replace(extra_desc, ' +', ' ', 'g'),
		CASE vartype WHEN 'integer' THEN 'int' ELSE vartype END
	FROM pg_settings WHERE name LIKE 'anshim.%'
SQL
same "settings that docs/reference.md leaves out or describes otherwise"
exit "$failed"
