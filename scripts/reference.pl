#!/usr/bin/env perl
#
# reference.pl [--check]: write docs/reference.md, the reference manual
#
# It is made of what stands beside the objects themselves.  In the parts of
# the install script, `--|` lines are prose in Markdown; below each piece of it
# come the objects that are created there, with what the statements and their
# COMMENT ON say.  Of settings, the manual tells what their definitions in C
# say, and a comment before one whose lines begin with `*|`.
#
# --check changes nothing; it shows what would change, and fails if anything
# does.

use strict;
use warnings;
use File::Find;
use FindBin;

my $top = "$FindBin::Bin/..";
my $page = "$top/docs/reference.md";
my $check = @ARGV && $ARGV[0] eq '--check';

my %context = (
	PGC_USERSET => 'Anybody may set it.',
	PGC_SUSET => 'Superusers set it, or whom they grant `SET` on it.',
	PGC_SIGHUP => 'It is set in `postgresql.conf`, and takes effect at a reload.',
	PGC_POSTMASTER => 'It is set in `postgresql.conf`, and takes effect at a start.',
	PGC_BACKEND => 'It is set when a session begins.',
	PGC_SU_BACKEND => 'Superusers set it when a session begins.',);

my @parts = map { read_part($_) } sort glob("$top/sql/[0-9][0-9]-*.sql");
my $settings = settings_text();
my $text = manual(@parts);

if ($check)
{
	my $old = -e $page ? slurp($page) : '';

	exit 0 if $old eq $text;
	open(my $diff, '|-', 'diff', '-u', $page, '-') or die "diff: $!\n";
	print $diff $text;
	close($diff);
	print "docs/reference.md is stale: make docs\n";
	exit 1;
}
open(my $out, '>', $page) or die "$page: $!\n";
print $out $text;
close($out) or die "$page: $!\n";

sub slurp
{
	my ($file) = @_;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

#
# SQL
#

# A part of the install script: pieces of prose, each with the statements that
# follow it.
sub read_part
{
	my ($file) = @_;
	my @pieces = ({ prose => [], statements => [] });
	my $sql = '';

	foreach my $line (split(/\n/, slurp($file)))
	{
		if ($line =~ /^--\| ?(.*)/)
		{
			my $prose = $1;

			if ($sql =~ /\S/)
			{
				$pieces[-1]{statements} = [ statements($sql) ];
				push @pieces, { prose => [], statements => [] };
				$sql = '';
			}
			push @{ $pieces[-1]{prose} }, $prose;
			next;
		}
		push @{ $pieces[-1]{prose} }, ''
			if $line eq '' && $sql !~ /\S/ && @{ $pieces[-1]{prose} };
		$sql .= "$line\n" unless $line =~ /^\\echo/;
	}
	$pieces[-1]{statements} = [ statements($sql) ];
	return { pieces => \@pieces };
}

# Cut SQL into statements, without their comments.
sub statements
{
	my ($sql) = @_;
	my @statements;
	my $statement = '';

	pos($sql) = 0;
	while (pos($sql) < length($sql))
	{
		if ($sql =~ /\G--[^\n]*/gc) { next; }
		if ($sql =~ /\G('(?:[^'\\]|''|\\.)*'|"[^"]*")/gcs) { $statement .= $1; next; }
		if ($sql =~ /\G(\$(\w*)\$.*?\$\2\$)/gcs) { $statement .= $1; next; }
		if ($sql =~ /\G(BEGIN ATOMIC\b.*?^END)(?=;)/gcsm) { $statement .= $1; next; }
		if ($sql =~ /\G;/gc)
		{
			$statement =~ s/^\s+|\s+$//g;
			push @statements, $statement;
			$statement = '';
			next;
		}
		$sql =~ /\G(.)/gcs;
		$statement .= $1;
	}
	die "unfinished statement: $statement\n" if $statement =~ /\S/;
	return @statements;
}

# One line, as a reader writes it
sub plain
{
	my ($sql) = @_;
	$sql =~ s/\bpg_catalog\.//g;
	$sql =~ s/\s+/ /g;
	$sql =~ s/^ | $//g;
	$sql =~ s/\( /(/g;
	$sql =~ s/ \)/)/g;
	return $sql;
}

# Split at the commas that are in no parentheses and no string.
sub split_list
{
	my ($list) = @_;
	my @items = ('');
	my $depth = 0;

	while ($list =~ /\G('(?:[^']|'')*'|.)/gs)
	{
		my $token = $1;
		$depth++ if $token eq '(' || $token eq '[';
		$depth-- if $token eq ')' || $token eq ']';
		if ($token eq ',' && $depth == 0) { push @items, ''; next; }
		$items[-1] .= $token;
	}
	return grep { length } map { plain($_) } @items;
}

# Names and types of arguments, without names of defaults: what COMMENT ON and
# REVOKE call a function by.
sub call_types
{
	my ($arguments) = @_;
	my @types;

	foreach my $argument (split_list($arguments))
	{
		next if $argument =~ /^OUT /;
		$argument =~ s/ DEFAULT .*//s;
		$argument =~ s/^(?:INOUT|VARIADIC|IN) //;
		push @types, $argument;
	}
	return @types;
}

#
# Objects
#

# The comments on objects, and which functions not everybody may call, of all
# statements.
sub comments_of
{
	my (@statements) = @_;
	my (%comment, %revoked);

	foreach my $statement (@statements)
	{
		if ($statement =~ /^COMMENT ON (.*?)\s+IS\s+'((?:[^']|'')*)'$/s)
		{
			my ($object, $words) = (plain($1), $2);
			$words =~ s/''/'/g;
			$comment{$object} = $words;
		}
		elsif (plain($statement) =~ /^REVOKE (?:ALL|EXECUTE) ON FUNCTION (.*) FROM PUBLIC$/)
		{
			foreach my $function (split_list($1))
			{
				$revoked{$function} = 1;
			}
		}
		elsif (plain($statement) =~ /^GRANT ([\w, ]+) ON (?:TABLE )?(anshim\.\w+)\b.* TO PUBLIC$/s)
		{
			$revoked{"readers of $2"} = $1;
		}
	}
	return (\%comment, \%revoked);
}

# A function's identity for COMMENT ON may leave out argument names.
sub function_key
{
	my ($name, @arguments) = @_;
	my @types = map { s/^(?!double |timestamp |character |bit |time )\w+ (?=\S)//r } @arguments;
	return "$name(" . join(', ', @types) . ')';
}

# What is said of a statement's object: list items and tables of Markdown.
sub object_text
{
	my ($statement, $prose, $comment, $revoked) = @_;

	return function_text($statement, $comment, $revoked) if $statement =~ /^CREATE FUNCTION/;
	return table_text($statement, $prose, $comment, $revoked) if $statement =~ /^CREATE TABLE/;
	return view_text($statement, $prose, $comment, $revoked) if $statement =~ /^CREATE VIEW/;
	foreach my $kind (
		qr/TYPE (\S+) (?=[(A])/, qr/CAST (\([^)]*\))/, qr/AGGREGATE ([^(]+\([^)]*\))/,
		qr/OPERATOR CLASS (\S+)(?=.*\bUSING (?<method>\w+))/s, qr/EVENT TRIGGER (\S+)/, qr/TRIGGER (\S+)/, qr/DOMAIN (\S+)/, qr/SEQUENCE (\S+)/)
	{
		next unless $statement =~ /^CREATE (?:CONSTRAINT )?$kind/;
		return other_text($statement, plain($1) . (defined $+{method} ? " USING $+{method}" : ''), $comment);
	}
	return operator_text($statement, $comment) if $statement =~ /^CREATE OPERATOR anshim\./;
	return '';
}

sub function_text
{
	my ($statement, $comment, $revoked) = @_;
	my ($name, $arguments, $rest) = $statement =~ /^CREATE FUNCTION\s+(anshim\.\w+)\s*(\((?:[^()']|'(?:[^']|'')*'|(?2))*\))(.*)$/s
		or die "no function: $statement\n";
	$arguments =~ s/^\(|\)$//g;
	my ($returns) = $rest =~ /^\s*RETURNS\s+(TABLE\s*\(.*?\)(?=\s*(?:AS|LANGUAGE|\n))|SETOF\s+\S+|[\w.]+(?:\(\d+\))?(?:\[\])?(?: precision\b)?)/s
		or $arguments =~ /\bOUT /
		or die "$name returns nothing\n";
	my ($marks) = $rest =~ /\b(LANGUAGE\b.*)/s;
	my $head = $marks =~ s/(\$\w*\$|\bRETURN\b|\bBEGIN ATOMIC\b).*//sr;
	my @arguments = call_types($arguments);
	my $said;
	my $open = 1;

	# Comments and revocations may call it by types, or by names and types.
	foreach my $key ("$name(" . join(', ', @arguments) . ')', function_key($name, @arguments))
	{
		$said //= $comment->{"FUNCTION $key"};
		$open = 0 if $revoked->{$key};
	}
	die "no comment on $name(" . join(', ', @arguments) . ")\n" unless defined $said;

	my @marks = (lc(($head =~ /\b(IMMUTABLE|STABLE)\b/)[0] // 'volatile'));
	push @marks, 'strict' if $head =~ /\bSTRICT\b/;
	push @marks, lc('parallel ' . (($head =~ /\bPARALLEL (\w+)/)[0] // 'unsafe'));
	push @marks, "with its owner's rights" if $rest =~ /\bSECURITY DEFINER\b/;
	push @marks, 'not for everybody' unless $open || ($returns // '') =~ /trigger$/;
	return sprintf("- `%s(%s) → %s`\\\n  %s *%s.*\n",
		$name, join(', ', grep { !/^OUT / } split_list($arguments)),
		defined $returns ? plain($returns) : '(' . join(', ', map { /^OUT (.*)/ } split_list($arguments)) . ')',
		sentence($said), ucfirst(join(', ', @marks)));
}

sub sentence
{
	my ($words) = @_;
	$words = ucfirst($words);
	$words .= '.' unless $words =~ /[.!?]$/;
	return $words;
}

# A table of columns, unless the prose has a list of all of them.
sub columns_text
{
	my ($name, $prose, $comment, @columns) = @_;
	my @missing = grep { my $column = $_->[0]; $prose !~ /^- `\Q$column\E`/m } @columns;

	return '' unless @missing;
	my $typed = grep { $_->[1] ne '' } @columns;
	return join('',
		$typed ? "\n  | column | type | |\n  | --- | --- | --- |\n" : "\n  | column | |\n  | --- | --- |\n",
		map { sprintf("  | `%s` |%s %s |\n", $_->[0], $typed ? " `$_->[1]` |" : '',
				$comment->{"COLUMN $name.$_->[0]"} // die "no comment on $name.$_->[0]\n") } @columns);
}

sub relation_text
{
	my ($kind, $name, $prose, $comment, $revoked, @columns) = @_;
	my $said = $comment->{ uc($kind) . " $name" } // die "no comment on $name\n";
	my $readers = ($revoked->{"readers of $name"} // '') =~ /SELECT/ ? 'Everybody may read it.' : 'Not for everybody.';

	return sprintf("- %s `%s`\\\n  %s *%s*\n%s",
		$kind, $name, sentence($said), $readers, columns_text($name, $prose, $comment, @columns));
}

sub table_text
{
	my ($statement, $prose, $comment, $revoked) = @_;
	my ($name, $body) = $statement =~ /^CREATE TABLE\s+(anshim\.\w+)\s*\((.*)\)/s or die "no table: $statement\n";
	my @columns;

	foreach my $item (split_list($body))
	{
		next if $item =~ /^(PRIMARY KEY|UNIQUE|CONSTRAINT|CHECK|FOREIGN KEY|EXCLUDE)\b/;
		my ($column, $type) = $item =~ /^(\w+|"[^"]+") ((?:double precision|[\w.]+)(?:\[\])?)/ or die "no column: $item\n";
		push @columns, [ $column, $type ];
	}
	return relation_text('table', $name, $prose, $comment, $revoked, @columns);
}

# A view's columns are those that are commented on.
sub view_text
{
	my ($statement, $prose, $comment, $revoked) = @_;
	my ($name) = $statement =~ /^CREATE VIEW\s+(anshim\.\w+)/ or die "no view: $statement\n";
	my @columns = map { /^COLUMN \Q$name\E\.(\w+)$/ ? [ $1, '' ] : () } $comment->{order}->@*;

	return relation_text('view', $name, $prose, $comment, $revoked, @columns);
}

sub operator_text
{
	my ($statement, $comment) = @_;
	my ($operator) = $statement =~ /^CREATE OPERATOR (\S+)/;
	my ($left) = plain($statement) =~ /LEFTARG = ([^,)]+)/;
	my ($right) = plain($statement) =~ /RIGHTARG = ([^,)]+)/;
	my $said = $comment->{"OPERATOR $operator ($left, $right)"} // $comment->{"OPERATOR $operator($left, $right)"}
		// die "no comment on operator $operator\n";

	return sprintf("- operator `%s %s %s`: %s\n", $left, $operator =~ s/^anshim\.//r, $right, $said);
}

sub other_text
{
	my ($statement, $name, $comment) = @_;
	my ($kind) = $statement =~ /^CREATE (?:CONSTRAINT )?(TYPE|CAST|AGGREGATE|OPERATOR CLASS|EVENT TRIGGER|TRIGGER|DOMAIN|SEQUENCE)/;
	my ($found) = grep { /^\Q$kind $name\E(?: ON | USING |$)/ } @{ $comment->{order} };

	die "no comment on $kind $name\n" unless defined $found;
	return sprintf("- %s `%s`: %s\n", lc($kind), $name, $comment->{$found});
}

#
# Settings
#

sub settings_text
{
	my @files;
	my %text;

	find(sub { push @files, $File::Find::name if /\.c$/ }, "$top/src");
	foreach my $file (sort @files)
	{
		my $code = slurp($file);

		while ($code =~ m{((?:^[ \t]*/\*[^\n]*\n(?:[ \t]*\*[^\n]*\n)*?[ \t]*\*/\s*)?)\bDefineCustom(\w+)Variable(\((?:[^()"]|"(?:[^"\\]|\\.)*"|(?3))*\))}gm)
		{
			my ($before, $type, $call) = ($1, lc($2), $3);
			my @arguments = split_arguments($call);
			my $name = c_string($arguments[0]);

			$text{$name} = setting_text($name, $type, prose_of($before), @arguments);
		}
	}
	return join("\n", map { $text{$_} } sort keys %text);
}

sub prose_of
{
	my ($comment) = @_;
	return join('', map { /^\s*\*\|\s?(.*)/ ? "$1\n" : () } split(/\n/, $comment));
}

# The arguments of a call in C
sub split_arguments
{
	my ($call) = @_;
	my @arguments = ('');
	my $depth = 0;

	$call =~ s/^\(|\)$//g;
	while ($call =~ /\G("(?:[^"\\]|\\.)*"|.)/gs)
	{
		my $token = $1;
		$depth++ if $token eq '(';
		$depth-- if $token eq ')';
		if ($token eq ',' && $depth == 0) { push @arguments, ''; next; }
		$arguments[-1] .= $token;
	}
	s/^\s+|\s+$//g foreach @arguments;
	return @arguments;
}

# "adjacent " "literals", or NULL
sub c_string
{
	my ($literal) = @_;
	my $string = join('', $literal =~ /"((?:[^"\\]|\\.)*)"/g);

	$string =~ s/\\(.)/$1/g;
	return $string;
}

sub setting_text
{
	my ($name, $type, $prose, undef, $short, $long, undef, $default, @rest) = @_;
	my ($context) = grep { /^PGC_/ } @rest;
	my $flags = $rest[-4];
	my $value;

	if ($type eq 'bool') { $value = $default eq 'true' ? 'on' : 'off'; }
	elsif ($type eq 'string') { $value = c_string($default); }
	elsif ($type eq 'enum') { $value = lc($default); }
	else { $value = number($default, $flags); }

	return join('', "### $name\n\n", plain(sentence(c_string($short)) . ' ' . c_string($long)), "\n\n",
		$prose eq '' ? '' : "$prose\n",
		sprintf("Type `%s`, default %s. %s\n", $type, $value eq '' ? 'empty' : "`$value`", $context{$context} // die "$name: $context\n"));
}

# A number of a setting in its unit
sub number
{
	my ($expression, $flags) = @_;
	my @units = $flags =~ /GUC_UNIT_KB/ ? ([ 'GB', 1024 * 1024 ], [ 'MB', 1024 ], [ 'kB', 1 ])
		: $flags =~ /GUC_UNIT_MS/ ? ([ 'h', 3600000 ], [ 'min', 60000 ], [ 's', 1000 ], [ 'ms', 1 ])
		: $flags =~ /GUC_UNIT_S/ ? ([ 'd', 86400 ], [ 'h', 3600 ], [ 'min', 60 ], [ 's', 1 ])
		: ([ '', 1 ]);
	die "default $expression is no number\n" unless $expression =~ m{^[-0-9.*+/ ()]+$};
	my $value = eval $expression;    ## no critic

	foreach my $unit (@units)
	{
		return $value / $unit->[1] . $unit->[0] if $value >= $unit->[1] && $value % $unit->[1] == 0;
	}
	return $value;
}

#
# The manual
#

# Its headings are one level deeper than in the parts.
sub deeper
{
	my (@lines) = @_;
	my $fenced = 0;

	foreach my $line (@lines)
	{
		$fenced = !$fenced if $line =~ /^\s*```/;
		$line =~ s/^(#+ )/#$1/ unless $fenced;
	}
	return @lines;
}

sub anchor
{
	my ($heading) = @_;
	$heading = lc($heading);
	$heading =~ s/[^\w\- ]//g;
	$heading =~ s/ /-/g;
	return $heading;
}

sub manual
{
	my (@parts) = @_;
	my @statements = map { map { @{ $_->{statements} } } @{ $_->{pieces} } } @parts;
	my ($comment, $revoked) = comments_of(@statements);
	my $body = '';

	$comment->{order} = [ map { /^COMMENT ON (.*?)\s+IS\s/s ? plain($1) : () } @statements ];
	foreach my $part (@parts)
	{
		foreach my $piece (@{ $part->{pieces} })
		{
			my $prose = join("\n", deeper(@{ $piece->{prose} }));
			my $objects = join('', map { object_text($_, $prose, $comment, $revoked) } @{ $piece->{statements} });

			$prose =~ s/\n+\z//;
			$body .= "$prose\n\n" if $prose ne '';
			$body .= "$objects\n" if $objects ne '';
		}
	}
	$body .= "## Settings\n\n$settings";
	$body =~ s/^(#+ [^\n]*\n)(?!\n)/$1\n/mg;
	$body =~ s/\n{3,}/\n\n/g;
	$body =~ s/[ \t]+$//mg;

	my $contents = '';
	my $fenced = 0;
	my %times;
	foreach my $line (split(/\n/, $body))
	{
		$fenced = !$fenced if $line =~ /^\s*```/;
		next if $fenced || $line !~ /^(##|###) (.*)/;
		# A heading that comes again has a number behind its anchor.
		my ($indent, $heading, $anchor) = ($1 eq '##' ? '' : '  ', $2, anchor($2));
		my $again = $times{$anchor}++;
		$contents .= sprintf("%s- [%s](#%s%s)\n", $indent, $heading, $anchor, $again ? "-$again" : '');
	}
	return "# Reference\n\n"
		. "<!-- Made by `make docs` from the `--|` lines and statements of sql/ and the settings in src/. Do not edit. -->\n\n"
		. "Every object of the extension, with the words that stand beside its definition. All are in the schema `anshim`.\n\n"
		. "$contents\n$body";
}
