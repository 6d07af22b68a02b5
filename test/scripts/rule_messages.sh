#!/usr/bin/env bash
#
# Primary messages begin in lower case, and end without a full stop; details
# and hints are sentences.
. test/scripts/rules.bash

# shellcheck disable=SC2016
files 'src/*.[ch]' | xargs -r perl -0777 -ne '
	s{/\*.*?\*/}{ $& =~ s/[^\n]//gr }egs;
	while (/\b(errmsg(?:_internal|_plural)?|errdetail|errhint)\s*\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)/g) {
		my ($what, $text, $start) = ($1, $2, $-[0]);
		my $line = 1 + (() = substr($_, 0, $start) =~ /\n/g);
		$text =~ s/"\s*"//g;
		$text =~ s/^"|"\s*$//g;
		if ($what =~ /^errmsg/) {
			print "$ARGV:$line: $text\n" if $text =~ /^[A-Z][a-z]+ / || $text =~ /\.$/;
		} else {
			print "$ARGV:$line: $text\n" if $text !~ /^([A-Z"%0-9]|\w+\(\) )/ || $text !~ /([.?)";]|%s)$/;
		}
	}' | rule "Messages that are not in the style of the house"
