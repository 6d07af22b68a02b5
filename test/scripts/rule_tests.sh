#!/usr/bin/env bash
#
# Every test has its expected output, and every expected output its test.
. test/scripts/rules.bash

{
	for file in test/sql/*.sql; do
		name=$(basename "$file" .sql)
		[ -f "expected/$name.out" ] || printf '%s: no expected/%s.out\n' "$file" "$name"
	done
	for file in test/specs/*.spec; do
		[ -f "$file" ] || continue
		name=$(basename "$file" .spec)
		[ -f "test/expected/$name.out" ] || printf '%s: no test/expected/%s.out\n' "$file" "$name"
	done
	for file in expected/*.out; do
		name=$(basename "$file" .out)
		[ -f "test/sql/$name.sql" ] || [ -f "test/sql/${name%_[0-9]}.sql" ] || printf '%s: no test\n' "$file"
	done
	for file in test/expected/*.out; do
		[ -f "$file" ] || continue
		name=$(basename "$file" .out)
		[ -f "test/specs/$name.spec" ] || [ -f "test/specs/${name%_[0-9]}.spec" ] || printf '%s: no test\n' "$file"
	done
} | rule "Tests and expected outputs that miss each other"
