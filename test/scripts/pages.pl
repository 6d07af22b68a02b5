#!/usr/bin/env perl
#
# pages.pl [--write] PAGE…: run the SQL of Markdown pages
#
# Every block fenced as ```sql is run by psql, all of a page in one new
# database, in the order of the page; those fenced as ```sql last come at the
# end.  ```sh blocks are run as well, in an empty directory.  A ```text block that follows, with nothing between but blank lines, is
# what psql prints, errors included, but for blanks at line ends.  A block
# without one must just not fail.  --write puts into the page what was printed.
#
# The server is the one that libpq's environment variables name; KEY_DIRECTORY
# is where its anshim.key_directory is to be, if a page needs one.

use strict;
use warnings;

use File::Temp qw(tempdir);

my $write = @ARGV && $ARGV[0] eq '--write' && shift @ARGV;
my $failures = 0;
my $tmp = tempdir(CLEANUP => 1);

# Whatever the caller's settings are, the pages show these.
$ENV{PGTZ} = 'UTC';
$ENV{PGDATESTYLE} = 'ISO';
$ENV{PGCLIENTENCODING} = 'UTF8';
$ENV{LC_ALL} = 'C.UTF-8';
delete @ENV{qw(PGOPTIONS PSQL_PAGER PAGER PSQLRC)};

foreach my $page (@ARGV)
{
	check_page($page);
}
exit($failures ? 1 : 0);

sub slurp
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

# Blanks at line ends and lines at the end mean nothing.
sub trimmed
{
	my ($text) = @_;
	$text =~ s/[ \t]+$//mg;
	$text =~ s/\n+\z/\n/;
	return $text =~ /\S/ ? $text : '';
}

# The blocks of a page: line, language, source, whether it comes last, expected output, and
# where in the page that stands.
sub blocks
{
	my ($text) = @_;
	my @blocks;

	while ($text =~ /^```(sql|sh)( last)?[ ]*\n(.*?)^```[ ]*\n/msg)
	{
		my $block = { language => $1, last => $2, source => $3, line => 1 + (substr($text, 0, $-[0]) =~ tr/\n//) };

		if ($text =~ /\G\s*?^```text[ ]*\n(.*?)^```[ ]*\n/msgc)
		{
			@$block{qw(expected from to)} = ($1, $-[1], $+[1]);
		}
		push @blocks, $block;
	}
	return @blocks;
}

# What psql prints, each block in a session of its own: with the errors, in
# the order of both.
sub run
{
	my ($database, $sql, $language) = @_;
	my $file = "$tmp/block";

	open(my $handle, '>', $file) or die "$file: $!\n";
	print $handle $sql;
	close($handle) or die "$file: $!\n";
	return scalar qx(cd '$tmp' && PGDATABASE='$database' sh '$file' 2>&1) if $language eq 'sh';
	my $printed = qx(psql -X -q -d '$database' <'$file' 2>&1);
	die "psql cannot be run\n" if $? == -1;
	my $status = $? >> 8;
	die "psql cannot connect: $printed" if $status == 2;
	return $printed;
}

sub check_page
{
	my ($page) = @_;
	my $text = slurp($page);
	my @blocks = blocks($text);
	my $database = "pages_$$";
	my $wrong = 0;

	die "$page has no SQL\n" unless @blocks;
	die "$page: a block is fenced as neither ```sql nor ```sql last\n" if $text =~ /^```sql(?!( last)?[ ]*$)/m;
	system('createdb', $database) == 0 or die "cannot create a database\n";
	run($database, "ALTER DATABASE $database SET anshim.key_directory = '$ENV{KEY_DIRECTORY}'", 'sql') if $ENV{KEY_DIRECTORY};

	foreach my $block ((grep { !$_->{last} } @blocks), (grep { $_->{last} } @blocks))
	{
		my $printed = trimmed(run($database, @$block{qw(source language)}));

		$block->{printed} = $printed;
		if (defined $block->{expected})
		{
			next if $write || $printed eq trimmed($block->{expected});
			print "$page:$block->{line}: prints something else than the page says:\n";
		}
		else
		{
			next if $printed !~ /^(ERROR|FATAL|psql|invalid command)/m && $printed !~ /^\\/m;
			print "$page:$block->{line}: fails:\n";
		}
		$printed =~ s/^/    /mg;
		print $printed;
		$wrong++;
	}
	system('dropdb', $database) == 0 or die "cannot drop the database\n";

	if ($write)
	{
		foreach my $block (sort { $b->{from} <=> $a->{from} } grep { defined $_->{expected} } @blocks)
		{
			substr($text, $block->{from}, $block->{to} - $block->{from}) = $block->{printed};
		}
		open(my $handle, '>', $page) or die "$page: $!\n";
		print $handle $text;
		close($handle) or die "$page: $!\n";
	}
	printf "%s: %d blocks, %d wrong\n", $page, scalar @blocks, $wrong;
	$failures += $wrong;
	return;
}
