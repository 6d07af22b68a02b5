#!/usr/bin/env bash
#
# Every error that can reach a user has a SQLSTATE, and more than a bare
# message: ereport() with errcode().  elog(ERROR) is for what cannot happen.
. test/scripts/rules.bash

# shellcheck disable=SC2016
files 'src/*.[ch]' 'bin/*.c' | xargs -r perl -0777 -ne '
	s{/\*.*?\*/}{ $& =~ s/[^\n]//gr }egs;
	while (/\b(?:ereport|ereturn|errsave)\s*(\((?:[^()"]|"(?:[^"\\]|\\.)*"|(?1))*\))/g) {
		my ($call, $start) = ($1, $-[0]);
		my $line = 1 + (() = substr($_, 0, $start) =~ /\n/g);
		next if $call =~ /\berrcode\w*\s*\(/ || $call =~ /dummy_value|__VA_ARGS__/ || $call =~ /^\(\s*(DEBUG|LOG|INFO|NOTICE)/;
		print "$ARGV:$line\n";
	}' | rule "These ereport() calls have no errcode()"

# XX000 by name is no better than none.
files 'src/*.[ch]' | xargs -r grep -n 'ERRCODE_INTERNAL_ERROR' |
	rule "An internal error is no SQLSTATE for a user"
