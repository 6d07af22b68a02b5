#!/usr/bin/env bash
#
# README.md does not lie: its sql blocks run, one after the other in one
# session of psql, in the top folder; and where a text block comes right after
# one, it is what psql prints.
set -eu

[ -f README.md ] || { echo "no README.md"; exit 77; }

# Cut it up: what psql reads, and what it should print.
# shellcheck disable=SC2016
perl - "$TEST_TMP" README.md <<'PERL'
use strict;
use warnings;
my ($dir, $readme) = @ARGV;
my ($language, $last) = (undef, '');	# of the block we are in; the block just before
open my $in, '<', $readme or die;
open my $sql, '>', "$dir/readme.sql" or die;
open my $expected, '>', "$dir/expected" or die;
while (my $line = <$in>)
{
	if (!defined $language && $line =~ /^```(\w*)/)
	{
		$language = $1;
		print $sql "\\echo == $.\n" if $language eq 'sql';
		print $expected "== $last\n" if $language eq 'text';
		$last = $language eq 'sql' ? $. : '';
	}
	elsif (defined $language && $line =~ /^```\s*$/)
	{
		undef $language;
	}
	elsif (defined $language)
	{
		print $sql $line if $language eq 'sql';
		print $expected $line if $language eq 'text';
	}
	elsif ($line =~ /\S/)
	{
		$last = '';
	}
}
PERL

psql -X -q -v ON_ERROR_STOP=1 <"$TEST_TMP/readme.sql" >"$TEST_TMP/printed" 2>"$TEST_TMP/errors" || {
	printf 'README.md, the block at line %s:\n' "$(sed -n 's/^== //p' "$TEST_TMP/printed" | tail -n 1)"
	cat "$TEST_TMP/errors"
	exit 1
}

# Compare the blocks that have an expected output.
perl - "$TEST_TMP/expected" "$TEST_TMP/printed" <<'PERL'
use strict;
use warnings;

sub blocks
{
	my ($file) = @_;
	my (%block, $start);
	open my $in, '<', $file or die;
	while (my $line = <$in>)
	{
		if ($line =~ /^== (\d*)/) { $start = $1; next; }
		$line =~ s/\s+$//;
		$block{$start} .= "$line\n" if defined $start && $start ne '' && $line ne '';
	}
	return \%block;
}

my ($expected, $printed) = map { blocks($_) } @ARGV;
my $wrong = 0;
for my $start (sort { $a <=> $b } keys %$expected)
{
	my $got = $printed->{$start} // '';
	next if $got eq $expected->{$start};
	print "README.md, the block at line $start prints:\n$got";
	$wrong = 1;
}
exit $wrong;
PERL
