#!/usr/bin/env bash
#
# ALTER EXTENSION anshim UPDATE gives the same catalog as a fresh install, from
# every version that was released: their install scripts are in sql/released.
#
# So that the comparison itself is tested, also while there is no older version,
# one is made up: what the last part of the install script adds is missing in
# it.  Its update script is once right, and then wrong in several ways.

set -euo pipefail

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" anshim.control)
folder=$("$CLUSTER_BIN/pg_config" --sharedir)/extension
failed=0
made=0
trap 'rm -f "$folder"/anshim--0.0.1*.sql' EXIT

# catalog VERSION: print the catalog with the extension, updated from there
catalog() {
	local database="upgrade_$((made += 1))_$$"

	createdb "$database"
	psql -XqAt -v ON_ERROR_STOP=1 -d "$database" -c "CREATE EXTENSION anshim VERSION '$1'" \
		-c "ALTER EXTENSION anshim UPDATE TO '$version'" 2>"$TEST_TMP/messages" || {
		cat "$TEST_TMP/messages"
		return 1
	}
	psql -XqAt -v ON_ERROR_STOP=1 -d "$database" -f test/upgrade/catalog.sql
	dropdb "$database"
}

catalog "$version" >"$TEST_TMP/fresh"
[ "$(wc -l <"$TEST_TMP/fresh")" -gt 200 ] || { echo "the catalog is too short"; exit 1; }

# What was released
for script in sql/released/anshim--*.sql; do
	[ -f "$script" ] || continue
	old=$(basename "$script" .sql)
	old=${old#anshim--}
	[ "$old" != "$version" ] || continue
	cp "$script" "$folder"
	catalog "$old" >"$TEST_TMP/updated"
	diff -u --label "fresh $version" --label "updated from $old" "$TEST_TMP/fresh" "$TEST_TMP/updated" || failed=1
done

# What was never released
last=$(printf '%s\n' sql/[0-9]*.sql | tail -n 1)
parts=(sql/[0-9]*.sql)
sed '/^--|/d' "${parts[@]:0:${#parts[@]}-1}" >"$folder/anshim--0.0.1.sql"
guard='\echo Use "ALTER EXTENSION anshim UPDATE" to load this file. \quit'

# update [SQL]: by the made-up script, and this at its end
update() {
	{ echo "$guard" && sed '/^--|/d' "$last" && echo "${1:-}"; } >"$folder/anshim--0.0.1--$version.sql"
	catalog 0.0.1 >"$TEST_TMP/updated"
}

update
diff -u --label "fresh $version" --label "updated from one that was made up" "$TEST_TMP/fresh" "$TEST_TMP/updated" || failed=1

while read -r wrong; do
	update "$wrong"
	if cmp -s "$TEST_TMP/fresh" "$TEST_TMP/updated"; then
		echo "the comparison does not see: $wrong"
		failed=1
	fi
done <<-'SQL'
	CREATE FUNCTION anshim.forgotten() RETURNS int LANGUAGE sql RETURN 1;
	COMMENT ON FUNCTION anshim.kid(anshim.token) IS NULL;
	ALTER FUNCTION anshim.kid(anshim.token) PARALLEL UNSAFE;
	ALTER FUNCTION anshim.kid(anshim.token) COST 7;
	GRANT EXECUTE ON FUNCTION anshim.sign TO PUBLIC;
	GRANT INSERT ON anshim.key TO PUBLIC;
	ALTER TABLE anshim.key DROP CONSTRAINT key_kid;
	ALTER TABLE anshim.key ALTER issuer DROP NOT NULL;
	ALTER TABLE anshim.key ENABLE REPLICA TRIGGER key_changed;
	ALTER EVENT TRIGGER anshim_follow_renamed DISABLE;
	SELECT pg_catalog.pg_extension_config_dump('anshim.key', 'WHERE false');
	ALTER EXTENSION anshim DROP FUNCTION anshim.kid(anshim.token);
SQL

# Every update script starts at a version that was released.
for script in sql/updates/anshim--*--*.sql; do
	[ -f "$script" ] || continue
	old=$(basename "$script" .sql)
	old=${old#anshim--}
	[ -f "sql/released/anshim--${old%--*}.sql" ] || { echo "$script: ${old%--*} was not released"; failed=1; }
done
exit "$failed"
