#!/usr/bin/env perl
#
# anshim_verify against files that somebody else has written, from
# docs/formats.md alone: intact ones, each way of tampering with them, and
# bytes changed at random.  No database is needed.

use strict;
use warnings FATAL => 'all';

use File::Path qw(remove_tree);
use IPC::Open3 qw(open3);
use Test::More;

use lib 'test/perl';
use AnshimExport;

my $tmp = $ENV{TEST_TMP} // die "TEST_TMP is not set\n";
my $program = ($ENV{CLUSTER_BIN} ? "$ENV{CLUSTER_BIN}/" : '') . 'anshim_verify';
my $seed = $ENV{SEED} // int(rand(2**31));
my $number = 0;

srand($seed);
diag("SEED=$seed");

# Exit status, standard output and standard error; a signal is a status of its own.
sub run
{
	my (@command) = @_;
	open(my $nothing, '<', '/dev/null') or die;
	my $pid = open3('<&' . fileno($nothing), my $out, undef, 'sh', '-c', 'exec "$@" 2>"$0"', "$tmp/stderr", @command);
	local $/;
	my $stdout = <$out> // '';
	waitpid($pid, 0);
	my $status = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
	open(my $err, '<', "$tmp/stderr") or die;
	my $stderr = <$err> // '';
	return ($status, $stdout, $stderr);
}

sub slurp
{
	my ($file) = @_;
	open(my $handle, '<:raw', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

sub spew
{
	my ($file, $data) = @_;
	open(my $handle, '>:raw', $file) or die "$file: $!\n";
	print $handle $data;
	close($handle) or die "$file: $!\n";
	return;
}

my $log_key = AnshimExport::key('example.org/visits', "$tmp/log.pem");
my $other_key = AnshimExport::key('example.org/visits', "$tmp/other.pem");
my @witnesses = map { AnshimExport::key("w$_.example.net", "$tmp/w$_.pem") } 1 .. 3;
my @keys = ('-k', AnshimExport::vkey($log_key, 1));
my @witness_keys = map { '--witness=' . AnshimExport::vkey($_, 4) } @witnesses;

my @guards = qw(zz_anshim_append anshim_guard anshim_guard_truncate);
my @columns = ([ 'subject', 'text' ], [ 'n', 'bigint' ], [ 'left_at', 'timestamp with time zone' ]);

sub visit
{
	my ($n) = @_;
	return [ "subject $n", pack('Q>', $n), $n % 3 ? undef : pack('Q>', 1_000_000 * $n) ];
}

# Two partitions, four strands, three blocks of which the last is of more than
# 256 leaves, a few rows that are not sealed, and with `expire` a first block
# that has expired.
sub make
{
	my (%options) = @_;
	my $chain = AnshimExport->new(table => 'visit', leaves => { visit_a => [@columns], visit_b => [@columns] }, guards => \@guards);

	$chain->insert('visit_a', 1 + $_ % 2, visit($_)) for 1 .. 41;
	$chain->seal;
	$chain->insert($_ % 2 ? 'visit_a' : 'visit_b', $_ % 2 ? 1 : 3, visit($_)) for 100 .. 120;
	$chain->event('guard enabled', '{"state": "A", "table": "visit_a", "schema": "public", "trigger": "zz_anshim_append"}');
	$chain->seal;
	$chain->insert('visit_b', 3 + $_ % 2, visit($_)) for 200 .. 900;
	$chain->expire(1) if $options{expire};
	$chain->seal;
	spew("$tmp/checkpoint", $chain->note($log_key, @witnesses[ 0, 1 ]));
	$chain->insert('visit_b', 4, visit($_)) for 1001 .. 1004;
	return $chain;
}

# The findings of a chain, as an array of lines: "finding" or "finding, strand
# S, seq N"
sub verify
{
	my ($chain, @options) = @_;
	my $folder = "$tmp/export" . ++$number;

	$chain->write($folder);
	my ($status, $stdout, $stderr) = run($program, "--files=$folder", '-c', "$tmp/checkpoint", @keys, @options);
	remove_tree($folder);
	my @findings = map { /^(?:public\.visit: )?([a-z ]+)(?:: strand (\d+)(?:, seq (\d+))?)?: / ? join(' ', grep { defined } $1, $2, $3) : "?? $_" } split /\n/, $stdout;
	return { status => $status, findings => [@findings], stdout => $stdout, stderr => $stderr };
}

# A way of tampering, and all that must be found of it
sub tampered
{
	my ($what, $tamper, @expected) = @_;
	my %options = ref $expected[0] ? %{ shift @expected } : ();
	my $chain = make(%options);

	$tamper->($chain);
	my $result = verify($chain, @{ $options{options} // [] });
	is_deeply([ $result->{status}, sort @{ $result->{findings} } ], [ @expected ? 1 : 0, sort @expected ], $what)
		or diag($result->{stdout} . $result->{stderr});
	return $result;
}

sub row
{
	my ($chain, $strand, $seq) = @_;
	my ($row) = grep { $_->{strand} == $strand && $_->{seq} == $seq } @{ $chain->{event} }, map { @$_ } values %{ $chain->{rows} };
	return $row // die "no row $strand/$seq\n";
}

sub remove
{
	my ($chain, $strand, $from, $to) = @_;
	@$_ = grep { $_->{strand} != $strand || $_->{seq} < $from || $_->{seq} > $to } @$_ for values %{ $chain->{rows} };
	return;
}

my $log_differs = 'log differs from the checkpoint';

#
# Intact
#

my $result = tampered('intact', sub { });
like($result->{stderr}, qr/^public\.visit: 767 rows in 2 tables or partitions, 5 strands, 3 blocks; 4 of the rows not sealed yet$/m, 'the rows are counted');
like($result->{stderr}, qr/^public\.visit: .*checkpoint agrees: a log of 768 leaves$/m, 'the checkpoint agrees');
like($result->{stderr}, qr/^public\.visit: 4 rows came after the newest checkpoint, which was sealed \S+ \S+, 1 hour before/m, 'the window is told');
like($result->{stderr}, qr/^public\.visit: intact$/m, 'the verdict');

$result = tampered('intact, with an expiry', sub { }, { expire => 1 });
like($result->{stderr}, qr/^public\.visit: 41 rows expired, the last of them /m, 'what has expired is told');

$result = verify(make(), @witness_keys, '--quorum=2');
is($result->{status}, 0, 'two of three witnesses') or diag($result->{stdout});
like($result->{stderr}, qr/agrees: a log of 768 leaves, with 2 cosignatures$/m, 'cosignatures are counted');
like($result->{stderr}, qr/newest checkpoint, which was cosigned 2022-02-16 08:26:40\+00, /, 'and date the window');

#
# Rows
#

tampered('a byte of a column', sub { row($_[0], 1, 5)->{fields}[0] = 'Subject 9' }, 'changed 1 5');
tampered('a value instead of NULL', sub { row($_[0], 2, 1)->{fields}[2] = pack('Q>', 1) }, 'changed 2 1');
tampered('a row that is not sealed', sub { row($_[0], 4, 352)->{fields}[0] = 'nobody' }, 'changed 4 352');
tampered('an event', sub { row($_[0], 0, 5)->{fields}[3] = 'nobody' }, 'changed 0 5');
tampered('two rows are swapped', sub {
	my ($a, $b) = map { row($_[0], 1, $_) } 4, 6;
	($a->{fields}, $b->{fields}) = ($b->{fields}, $a->{fields});
}, 'changed 1 4', 'changed 1 6');
tampered('a row is gone', sub { remove($_[0], 1, 7, 7) }, 'missing 1 7');
tampered('rows are gone', sub { remove($_[0], 3, 10, 12) }, 'missing 3 10');
tampered('the first row is gone', sub { remove($_[0], 2, 1, 1) }, 'missing 2 1');
tampered('the last sealed row is gone', sub { remove($_[0], 2, 20, 20) }, 'missing 2 20');
tampered('a strand is gone', sub { remove($_[0], 2, 1, 99) }, 'missing 2 1');
tampered('rows that are not sealed are gone, which nobody can see', sub { remove($_[0], 4, 352, 354) });
tampered('a partition is gone', sub {
	delete $_[0]{leaves}{visit_b};
	@{ $_[0]{guard} } = grep { $_->[0] == 1 } @{ $_[0]{guard} };
}, 'missing 3 1', 'missing 4 1', 'table differs');
tampered('a row has a copy', sub { push @{ $_[0]{rows}{visit_a} }, { %{ row($_[0], 1, 7) } } }, 'inserted 1 7');
tampered('a backdated row', sub { push @{ $_[0]{rows}{visit_a} }, { %{ row($_[0], 1, 7) }, fields => visit(7777) } }, 'inserted 1 7');
tampered('a row without a link', sub { push @{ $_[0]{rows}{visit_a} }, { %{ row($_[0], 1, 7) }, nolink => 1 } }, 'inserted');
tampered('a row in strand 0', sub { push @{ $_[0]{rows}{visit_a} }, { %{ row($_[0], 1, 7) }, strand => 0 } }, 'inserted');
tampered('a row with a negative seq', sub { push @{ $_[0]{rows}{visit_a} }, { %{ row($_[0], 1, 7) }, seq => 2**63 } }, 'inserted');
tampered('a row is copied from another partition', sub { push @{ $_[0]{rows}{visit_b} }, { %{ row($_[0], 1, 7) } } }, 'moved 1 7');
tampered('the same, into one that is read before', sub { push @{ $_[0]{rows}{visit_a} }, { %{ row($_[0], 3, 7) } } }, 'moved 3 7');
tampered('a first row, into one that is read before', sub { push @{ $_[0]{rows}{visit_a} }, { %{ row($_[0], 3, 1) } } },
	'moved 3 1', 'moved 3 2');
tampered('a row is moved to another partition', sub {
	push @{ $_[0]{rows}{visit_b} }, { %{ row($_[0], 1, 7) } };
	@{ $_[0]{rows}{visit_a} } = grep { $_->{strand} != 1 || $_->{seq} != 7 } @{ $_[0]{rows}{visit_a} };
}, 'missing 1 7', 'moved 1 7');
tampered('the end of a strand is moved to another partition', sub {
	push @{ $_[0]{rows}{visit_b} }, map { { %$_ } } grep { $_->{strand} == 1 && $_->{seq} > 20 } @{ $_[0]{rows}{visit_a} };
	@{ $_[0]{rows}{visit_a} } = grep { $_->{strand} != 1 || $_->{seq} <= 20 } @{ $_[0]{rows}{visit_a} };
}, 'moved 1 21');
tampered('a link of another strand', sub { row($_[0], 1, 30)->{strand} = 2 }, 'missing 1 30', 'missing 2 22');
tampered('a layout that is not there', sub { row($_[0], 1, 7)->{layout} = 9 }, 'layout differs 1 7');

#
# What is missing hides nothing else
#

$result = tampered('rows are gone, and one is another', sub { remove($_[0], 1, 7, 9); row($_[0], 4, 340)->{fields}[0] = 'x' }, 'missing 1 7', 'changed 4 340');
like($result->{stderr}, qr/agrees: a log of 768 leaves, if 256 leaves near missing rows are left out$/m, 'what is not proven is told');
tampered('rows are gone, and others were hashed again', sub {
	remove($_[0], 1, 7, 9);
	row($_[0], 4, 340)->{fields}[0] = 'x';
	$_[0]->relink(4);
}, 'missing 1 7', 'segment root differs', 'segment root differs 4 350', 'node differs', $log_differs);
tampered('rows are gone, and no tiles to help', sub { remove($_[0], 1, 7, 9); $_[0]{tile} = [] }, 'missing 1 7', 'node differs', 'node differs', $log_differs);
tampered('all rows are gone', sub { remove($_[0], $_, 1, 999) for 1 .. 4 }, 'missing 1 1', 'missing 2 1', 'missing 3 1', 'missing 4 1');

#
# Forgers who compute hashes
#

sub forge
{
	my ($chain) = @_;
	row($chain, 1, 7)->{fields} = visit(7777);
	$chain->relink(1);
	return;
}
tampered('a strand is hashed again', \&forge, ('segment root differs') x 3, 'segment root differs 1 20', 'segment root differs 1 30', 'node differs',
	$log_differs);
tampered('the tiles, too', sub {
	my $blocks = [ map { { %$_ } } @{ $_[0]{block} } ];
	forge($_[0]);
	$_[0]->reseal;
	$_[0]{block} = $blocks;
}, ('segment root differs') x 3, $log_differs);
tampered('all of the log', sub { forge($_[0]); $_[0]->reseal }, $log_differs);
tampered('the log, of the events', sub {
	row($_[0], 0, 5)->{fields}[3] = 'nobody';
	$_[0]->relink(0);
	$_[0]->reseal;
}, $log_differs);
tampered('all that came after the checkpoint, which nobody can see', sub {
	row($_[0], 4, 352)->{fields} = visit(7777);
	$_[0]->relink(4);
});

#
# The log's own tables
#

tampered('the root of a block', sub { $_[0]{block}[1]{root} = 'x' x 32 }, 'segment root differs');
tampered('a root that is none', sub { $_[0]{block}[2]{root} = 'x' }, 'block differs', 'block differs', 'rolled back');
tampered('the size of a block', sub { $_[0]{block}[1]{size}++ }, 'block differs', $log_differs);
tampered('a block is gone', sub { splice @{ $_[0]{block} }, 1, 1 }, 'block differs', $log_differs);
tampered('the last block is gone', sub { pop @{ $_[0]{block} } }, 'block differs', 'rolled back');
tampered('the last block is gone with all that it had', sub {
	my ($chain) = @_;
	pop @{ $chain->{block} };
	@{ $chain->{segment} } = grep { $_->{block} < 3 } @{ $chain->{segment} };
	@{ $chain->{leaf_hash} } = @{ $chain->{leaf_hash} }[ 0 .. $chain->{block}[1]{size} - 1 ];
	@{ $chain->{rows}{visit_b} } = grep { $_->{strand} == 3 && $_->{seq} <= 11 } @{ $chain->{rows}{visit_b} };
}, 'rolled back');
tampered('a segment begins elsewhere', sub { $_[0]{segment}[4]{first_index}++ }, 'segment root differs 1 21', $log_differs);
tampered('a segment ends elsewhere', sub { $_[0]{segment}[4]{last_seq}-- }, 'segment root differs 3 1', 'segment root differs 1 29', $log_differs);
tampered('the last hash of a segment', sub { $_[0]{segment}[4]{last_hash} = 'x' x 32 }, 'segment root differs 1 30');
tampered('a segment is gone', sub { splice @{ $_[0]{segment} }, 4, 1 }, 'segment root differs 3 1', $log_differs);
tampered('a segment is of another strand', sub { $_[0]{segment}[4]{strand} = 2 },
	'segment root differs 2 21', 'missing 2 22', $log_differs);
tampered('segments of different blocks are swapped', sub { @{ $_[0]{segment} }[ 2, 4 ] = @{ $_[0]{segment} }[ 4, 2 ] },
	'segment root differs', 'segment root differs', 'block differs', 'segment root differs 1 21', $log_differs);
tampered('a tile', sub { my $t = $_[0]->tiles; substr($t->[0][2], 0, 1) ^= "\1"; $_[0]{tile} = $t }, 'node differs');
tampered('no tiles', sub { $_[0]{tile} = [] }, ('node differs') x 3);
tampered('a tile that is none', sub { my $t = $_[0]->tiles; chop $t->[0][2]; $_[0]{tile} = $t }, ('node differs') x 4);

#
# Layouts, guards, the table
#

tampered('two columns change names', sub { @{ $_[0]{layout}[0] }[ 0, 1 ] = @{ $_[0]{layout}[0] }[ 1, 0 ] }, 'layout differs 0');
tampered('the layout of the events', sub { $_[0]{event_layout}[1][1] = 'date' }, 'layout differs 0');
tampered('and it is gone', sub { $_[0]{event_layout} = [] }, 'layout differs 0');
tampered('a layout is gone', sub { @{ $_[0]{layout} } = () }, 'layout differs 0');
tampered('a layout too many', sub { push @{ $_[0]{layout} }, [ [ 'x', 'text' ] ] }, 'layout differs 0');
tampered('columns of the table change names', sub {
	$_[0]{leaves}{visit_a} = [ @columns[ 1, 0, 2 ] ];
	@{ $_->{fields} }[ 0, 1 ] = @{ $_->{fields} }[ 1, 0 ] for @{ $_[0]{rows}{visit_a} };
});
tampered('and types', sub { $_[0]{leaves}{visit_a} = [ [ 'subject', 'bytea' ], @columns[ 1, 2 ] ] }, 'layout differs');
tampered('a column that nothing covers', sub {
	$_[0]{leaves}{visit_b} = [ @columns, [ 'note', 'text' ] ];
	push @{ $_->{fields} }, 'unseen' for @{ $_[0]{rows}{visit_b} };
}, 'layout differs');
tampered('a column is gone', sub {
	$_[0]{leaves}{visit_a} = [ @columns[ 0, 1 ] ];
	@{ $_[0]{rows}{visit_a} } = ({ %{ row($_[0], 1, 1) }, fields => [ 'x', pack('Q>', 1) ] });
}, 'layout differs 1 1', 'missing 1 2', 'missing 2 1');
tampered('a guard is gone', sub { splice @{ $_[0]{guard} }, 1, 1 }, 'trigger missing or disabled');
tampered('a guard is off', sub { $_[0]{guard}[4][2] = 'D' }, 'trigger missing or disabled');
tampered('a guard was off', sub {
	$_[0]->event('guard disabled', '{"state": "D", "table": "visit_a", "schema": "public", "trigger": "anshim_guard"}');
}, 'trigger missing or disabled 0 6');
tampered('and that is known', sub {
	$_[0]->event('guard disabled', '{"state": "D", "table": "visit_a", "schema": "public", "trigger": "anshim_guard"}');
}, { options => ['--known-events=6'] });
tampered('events that make no sense', sub {
	my ($chain) = @_;
	$chain->event('layout added', $_)
		for '{"layout": 3, "columns": []}', '{"layout": 2}', '[]', '{"layout": 2, "columns": [1]}', '{', '', '{"layout": 2.5, "columns": []}',
		'{"layout": 2, "columns": [{"name": "x"}]}', '{"layout": 2, "columns": [{"name": "\u0000", "type": "x"}]}', '[' x 5000;
	$chain->event('no such thing', '{}');
	$chain->event('expired', '{"strands": [{"strand": 1, "first_seq": 2, "last_seq": 3, "last_hash": "' . '0' x 64 . '"}]}');
	$chain->event('chained', '{"schema": "public", "table": "visit"}');
}, map { "table differs 0 $_" } 6 .. 18);

#
# Expiries
#

my %expired = (expire => 1);
tampered('a kept node', sub { $_[0]{kept}[0][2] = 'x' x 32 }, \%expired, ('segment root differs') x 3, 'node differs', $log_differs);
tampered('a kept node is gone', sub { shift @{ $_[0]{kept} } }, \%expired, 'node differs 1 1');
tampered('an expired row is back', sub {
	push @{ $_[0]{rows}{visit_a} }, { strand => 1, layout => 1, seq => 20, fields => visit(40), hash => 'x' x 32 };
}, \%expired, 'expiry differs 1 20');
tampered('the record of an expiry', sub { $_[0]{expired}{1}{last_seq}-- }, \%expired, 'expiry differs 1 19');
tampered('the last hash of an expired segment', sub { $_[0]{segment}[1]{last_hash} = 'x' x 32 }, \%expired, 'expiry differs 1 20');
tampered('the hash of an expiry', sub { $_[0]{expired}{2}{hash} = 'x' x 32 }, \%expired, 'expiry differs 2 21');
tampered('the record of an expiry is gone', sub { delete $_[0]{expired}{1} }, \%expired, 'expiry differs 1');
tampered('a record too many', sub { $_[0]{expired}{99} = { last_seq => 3, hash => 'x' x 32 } }, \%expired, 'expiry differs 99 3');
tampered('an expiry of what was never sealed', sub {
	my ($chain) = @_;
	my $hash = unpack('H*', $chain->{links}{4}[353]);
	$chain->event('expired', qq({"strands": [{"strand": 4, "first_seq": 1, "last_seq": 354, "last_hash": "$hash"}]}));
	$chain->{expired}{4} = { last_seq => 354, hash => pack('H*', $hash) };
	remove($chain, 4, 1, 354);
}, 'expiry differs 4 354', 'node differs 4 1');
tampered('an expiry of half a segment', sub {
	my ($chain) = @_;
	my $hash = unpack('H*', $chain->{links}{4}[9]);
	$chain->event('expired', qq({"strands": [{"strand": 4, "first_seq": 1, "last_seq": 10, "last_hash": "$hash"}]}));
	$chain->{expired}{4} = { last_seq => 10, hash => pack('H*', $hash) };
	remove($chain, 4, 1, 10);
}, 'expiry differs 4 11');

#
# Checkpoints and keys
#

sub options
{
	my ($what, $status, $match, @options) = @_;
	my $chain = make();
	my $folder = "$tmp/options";

	$chain->write($folder) unless -d $folder;
	my ($got, $stdout, $stderr) = run($program, "--files=$folder", @options);
	is($got, $status, $what) or diag($stdout . $stderr);
	like($stdout . $stderr, $match, "$what: what it says");
	return ($stdout, $stderr);
}

my @checkpoint = ('-c', "$tmp/checkpoint");
options('no checkpoint', 0, qr/no checkpoint from outside was compared/);
options('another key', 1, qr/^checkpoint signature bad: .*The given key has not signed it\.$/m, @checkpoint, '-k', AnshimExport::vkey($other_key, 1));
options('a key of another origin', 1, qr/^checkpoint signature bad: .*No key was given for its origin\.$/m, @checkpoint,
	'-k', AnshimExport::vkey({ %$log_key, name => 'example.org/other' }, 1));
options('too few cosignatures', 1, qr/^cosignatures missing: .*2 of 3 witnesses have cosigned it; 3 are demanded/m, @checkpoint, @keys, @witness_keys);
options('no key', 2, qr/--key/, @checkpoint);
options('no checkpoint for the key', 2, qr/--checkpoint/, @keys);
options('a key of the wrong type', 2, qr/not the key of a log/, @checkpoint, '-k', AnshimExport::vkey($log_key, 4));
options('a key that is none', 2, qr/invalid key/, @checkpoint, '-k', 'x');
options('one witness under two names', 2, qr/given before/, @checkpoint, @keys, $witness_keys[0], '--witness=' . AnshimExport::vkey({ %{ $witnesses[0] }, name => 'again' }, 4));
options('more than all witnesses', 2, qr/--witness/, @checkpoint, @keys, $witness_keys[0], '--quorum=2');
options('a quorum of none', 2, qr/invalid value/, @checkpoint, @keys, $witness_keys[0], '--quorum=0');
options('no file', 2, qr/could not read file/, '-c', "$tmp/nothing", @keys);
options('no folder', 2, qr/could not open directory/, "--files=$tmp/nothing");
options('a table', 0, qr/intact/, 'visit');
options('a table with its schema', 0, qr/intact/, 'public.VISIT');
options('quoted', 0, qr/intact/, '"public"."visit"');
options('quoted, in another case', 2, qr/there is no chained table "Visit"/, '"Visit"');
options('no such table', 2, qr/there is no chained table visits/, 'visits');
options('a name that is none', 2, qr/invalid name of a table/, $_) for 'a.b.c', '', '"', '"a', 'a.', '.a', '"a"b';
options('no such option', 2, qr/--help/, '--no-such');

my $note = slurp("$tmp/checkpoint");
for my $case ([ 'a changed root', $note =~ s/\n768\n./\n768\n_/r ], [ 'another size', $note =~ s/\n768\n/\n769\n/r ], [ 'nothing', '' ], [ 'no note', "hello\n" ],
	[ 'a changed signature', $note =~ s/(visits )(.{20})(.)/$1 . $2 . ($3 eq 'A' ? 'B' : 'A')/er ], [ 'a note and a NUL', "$note\0" ])
{
	spew("$tmp/bad", $case->[1]);
	options("a checkpoint with $case->[0]", 1, qr/^checkpoint signature bad: /m, '-c', "$tmp/bad", @keys);
}
spew("$tmp/big", $note . 'x' x 100000);
options('a checkpoint that is too long', 2, qr/too long/, '-c', "$tmp/big", @keys);

# a checkpoint of another log, of a longer one, of an earlier one, and of none
my $other = make();
$other->{origin} = 'example.org/other';
my $elsewhere = AnshimExport::key('example.org/other', "$tmp/elsewhere.pem");
spew("$tmp/other", $other->note($elsewhere));
options('a checkpoint of another log', 1, qr/^log differs from the checkpoint: .*None of the chains that were checked has the origin example\.org\/other/m,
	@checkpoint, @keys, '-c', "$tmp/other", '-k', AnshimExport::vkey($elsewhere, 1));
my $longer = make();
$longer->seal;
spew("$tmp/longer", $longer->note($log_key));
make();
options('a checkpoint of a longer log', 1, qr/^public\.visit: rolled back: .*is of 772 leaves; the log has 768/m, '-c', "$tmp/longer", @keys);
my $earlier = make();
@{ $earlier->{leaf_hash} } = @{ $earlier->{leaf_hash} }[ 0 .. 99 ];
spew("$tmp/earlier", $earlier->note($log_key));
options('a checkpoint within a block', 0, qr/earlier agrees: a log of 100 leaves.*672 rows came after/s, '-c', "$tmp/earlier", @keys);
options('two checkpoints', 0, qr/earlier agrees.*checkpoint agrees.*4 rows came after/s, '-c', "$tmp/earlier", @checkpoint, @keys);
@{ $earlier->{leaf_hash} } = ();
spew("$tmp/empty", $earlier->note($log_key));
options('a checkpoint of an empty log', 0, qr/empty agrees: a log of 0 leaves.*767 rows came after/s, '-c', "$tmp/empty", @keys);

#
# Output
#

my ($stdout, $stderr) = options('as JSON', 0, qr/^\{"kind": "checkpoint", .*"size": 768, "cosignatures": 0, "unproven": 0\}\n\{"kind": "summary", .*"findings": 0, .*"unprotected": 4\}$/m,
	'--json', @checkpoint, @keys);
is($stderr, '', 'which is all');
($stdout, $stderr) = options('quietly', 0, qr/^$/, '-q', @checkpoint, @keys);
is(join('', run($program, "--files=$tmp/options", '-q')) , '0', 'nothing is said');
my $hostile = make();
$hostile->{schema} = 'public';
$hostile->{leaves} = { "v\nfound: \e[2J\"" => [@columns] };
$hostile->{rows} = { "v\nfound: \e[2J\"" => [] };
$result = verify($hostile);
unlike($result->{stdout}, qr/\e|^found/m, 'no control characters, and no lines of others');
like($result->{stdout}, qr/\\u000afound: \\u001b\[2J/, 'but what they are');

#
# --help and the manual page list the same options
#

# "-c" or "--checkpoint", each where one begins
sub options_of
{
	my ($text) = @_;
	return [ sort { $a cmp $b } $text =~ /(?<![\w-])(--[a-z-]+|-[a-zA-Z?])(?![\w-])/g ];
}

my $help = (run($program, '--help'))[1];
is((run($program, '-?'))[1], $help, '-?');
like((run($program, '--version'))[1], qr/^anshim_verify \(anshim\) \d+\.\d+/, '--version');
is((run($program, '-V'))[1], (run($program, '--version'))[1], '-V');
my $page = join "\n", slurp('bin/anshim_verify.1') =~ /^\.TP\n(\.B.*)$/mg;
$page =~ s/\\f[PR]|"//g;
$page =~ s/\\-/-/g;
is_deeply(options_of($page), options_of(join "\n", $help =~ /^ +(-.*?)  /mg), 'options of the page, and of --help');
cmp_ok(scalar @{ options_of($page) }, '>', 20, 'which are many');
SKIP:
{
	skip('no groff here', 1) if system('command -v groff >/dev/null') != 0;
	is(qx(groff -man -ww -z bin/anshim_verify.1 2>&1), '', 'the page is well-formed');
}

#
# Files that are none
#

my $chain = make(expire => 1);
my $folder = $chain->write("$tmp/bytes");
my @files = sort map { s/.*\///r } glob "$folder/*";
is(scalar @files, 12, 'files of an export');

sub with_bytes
{
	my ($file, $data) = @_;
	my $kept = slurp("$folder/$file");
	spew("$folder/$file", $data);
	my ($status, $out, $err) = run($program, "--files=$tmp/bytes", @checkpoint, @keys);
	spew("$folder/$file", $kept);
	return ($status, $out, $err);
}

for my $file (@files)
{
	my $data = slurp("$folder/$file");
	my $bad = 0;

	unlink("$folder/$file") or die;
	is((run($program, "--files=$tmp/bytes", @checkpoint, @keys))[0], 2, "no $file");
	spew("$folder/$file", $data);
	for my $len (0 .. 30, map { int(rand(length($data))) } 1 .. 20)
	{
		next if $len >= length($data);
		my ($status, $out, $err) = with_bytes($file, substr($data, 0, $len));
		$bad++ if $status !~ /^[12]$/;
		diag("$file cut at $len: $status\n$out$err") if $status !~ /^[12]$/;
	}
	is($bad, 0, "$file, cut off");
	is((with_bytes($file, $data . 'x'))[0], 2, "$file, and more");
}

# No byte can be another, but for those that nothing depends on.
my ($unseen, $free) = (0, 0);
for (1 .. $ENV{RUNS} // 1500)
{
	my $file = $files[ rand @files ];
	my $data = slurp("$folder/$file");
	my $at = int(rand(length($data)));
	my $is_free = grep { $at >= $_->[0] && $at < $_->[1] } @{ $chain->{free}{$file} };
	my $unsealed = $file eq 'rows-2.copy';
	my $to = chr(ord(substr($data, $at, 1)) ^ (1 + int(rand(255))));

	substr($data, $at, 1) = $to;
	my ($status, $out, $err) = with_bytes($file, $data);
	$free++ if $is_free;
	next if $status =~ ($is_free ? qr/^[012]$/ : qr/^[12]$/);
	diag("$file, byte $at is " . ord($to) . ": $status\n$out$err");
	$unseen++;
}
is($unseen, 0, 'changed bytes are found');

done_testing();
