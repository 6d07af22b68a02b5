#!/usr/bin/env bash
#
# A function that runs with its owner's rights has a search_path that nobody
# else can write to.
. test/scripts/rules.bash

# shellcheck disable=SC2016
files 'sql/*.sql' | xargs perl -0777 -ne '
	while (/^(CREATE\b.*?)(?=^CREATE\b|\z)/gms) {
		my ($statement, $start) = ($1, $-[0]);
		my $line = 1 + (() = substr($_, 0, $start) =~ /\n/g);
		$statement =~ s/^\s*--.*$//mg;
		print "$ARGV:$line\n"
			if $statement =~ /SECURITY\s+DEFINER/i
			&& $statement !~ /SET\s+search_path\s*(?:=|TO)\s*pg_catalog\s*,\s*pg_temp\b/i;
	}' | rule "SECURITY DEFINER without SET search_path = pg_catalog, pg_temp"
