# anshim_verify beside servers: over one connection and several, what it answers
# where not all can be checked, and exports, of which an old one still verifies
# when the rows have expired.  test/scripts/verify_files.pl shows each finding.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir;

# Nodes of one log: each has a chain of its own.
my (%node, %vkey);
for my $name (qw(east west))
{
	mkdir "$tmp/$name.$_", 0700 or die for qw(keys heads);
	my $node = $node{$name} = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf',
		"anshim.key_directory = '$tmp/$name.keys'\nanshim.head_directory = '$tmp/$name.heads'\n");
	$node->start;
	$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION anshim;
CREATE TABLE visit (id int PRIMARY KEY, who text);
SELECT anshim.chain('visit', '$name.example/visits');
SELECT anshim.generate_key('log', '$name.example');
INSERT INTO visit SELECT g, '$name ' || g FROM generate_series(1, 300) g;
SELECT anshim.seal('visit');
SQL
	append_to_file("$tmp/$name.note", $node->safe_psql('postgres', "SELECT anshim.checkpoint('visit', 'log')") . "\n");
	$vkey{$name} = $node->safe_psql('postgres', "SELECT anshim.vkey('visit', 'log')");
}

my @known = map { ("--checkpoint=$tmp/$_.note", "--key=$vkey{$_}") } qw(east west);
my @both = map { ('-d', $node{$_}->connstr('postgres')) } qw(east west);
my @east = ('-d', $node{east}->connstr('postgres'), "--checkpoint=$tmp/east.note", "--key=$vkey{east}");

# A status, and all that standard output and standard error must hold
sub verifies
{
	my ($args, $status, $out, $err, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	command_checks_all([ 'anshim_verify', '-w', @$args ], $status, $out, $err, $what);
	return;
}

my $away = "host=$tmp dbname=postgres";
my $both_intact = [qr/east\.note agrees: a log of \d+ leaves$/m, qr/west\.note agrees/, qr/: intact\n.*: intact\n/s];

# Findings are on standard output, all else on standard error.
verifies([@east, 'visit'], 0, [qr/^$/], [qr/east\.note agrees: a log of \d+ leaves$/m, qr/: intact$/m], 'one connection');
verifies([@both, @known], 0, [qr/^$/], $both_intact, 'several connections, each with its checkpoint');

my $export = "$tmp/export";
verifies([@both, "--export=$export"], 0, [qr/^$/], [qr/exported.*exported/s], 'both nodes are exported');
verifies(["--files=$export", @known], 0, [qr/^$/], $both_intact, 'files verify as the connections do');

# psql ends what it prints with a newline, as append_to_file() did above.
my $exact = "$tmp/exact.note";
append_to_file($exact, slurp_file("$tmp/east.note") =~ s/\n\n\z/\n/r);
isnt(-s $exact, -s "$tmp/east.note", 'the note has a newline less');
verifies([@east[0, 1], "--checkpoint=$exact", $east[3]], 0, [qr/^$/], [qr/exact\.note agrees/], 'and is the checkpoint, too');

# What could not be checked
verifies(['-d', $away, 'visit'], 2, [qr/^$/], [qr/connection to server/], 'no server');
verifies([@both, '-d', $away, @known], 2, [qr/^$/], [@$both_intact, qr/connection to server/], 'one server of three is away');
verifies([@east, 'visits'], 2, [qr/^$/], [qr/there is no chained table visits/], 'no such table');
verifies([@east, "--checkpoint=$tmp/none.note"], 2, [qr/^$/], [qr/could not read file.*none\.note/], 'no such checkpoint');
verifies([@east[0 .. 2], '--key=east.example/visits+00000000+AAAA'], 2, [qr/^$/], [qr/invalid key/], 'a key that is none');
verifies(["--files=$tmp/none"], 2, [qr/^$/], [qr/none/], 'no such directory');

# A key that is another's, and a checkpoint whose log is not there
verifies([@east[0 .. 2], "--key=$vkey{west}"], 1, [qr/^checkpoint signature bad: .*No key was given for its origin/m], [qr//], 'the key of another log');

# The findings of one node are the verdict on both.
$node{west}->safe_psql('postgres', <<'SQL');
ALTER TABLE visit DISABLE TRIGGER anshim_guard;
UPDATE visit SET who = 'nobody' WHERE id = 17;
ALTER TABLE visit ENABLE ALWAYS TRIGGER anshim_guard;
SQL
my ($at_east, $at_west) = map { quotemeta($_->host . ':' . $_->port . '/postgres: public.visit: ') } @node{qw(east west)};
verifies([@both, @known], 1, [qr/^${at_west}changed: strand \d+, seq 17\b/m], [qr/^${at_east}.*east\.note agrees.*^${at_east}intact$/ms],
	'one node has been tampered with, and is named');
verifies([@both[2, 3], @known[2, 3]], 1, [qr/^public\.visit: changed: strand/m], [qr/^public\.visit: /m], 'where there is one, it needs no name');
verifies([@both, '-d', $away, @known], 1, [qr/changed: strand \d+, seq 17\b/], [qr/connection to server/],
	'findings weigh more than what could not be read');

is($node{east}->safe_psql('postgres', "SELECT anshim.expire('visit', now() + interval '1 hour')"), 300, 'all rows of a node expire');
verifies([@east, 'visit'], 0, [qr/^$/], [qr/east\.note agrees/, qr/300 rows expired/, qr/: intact$/m], 'its checkpoint still proves');
$_->stop for values %node;
verifies(["--files=$export", @known], 0, [qr/^$/], [@$both_intact, qr/ 300 rows in .* 300 rows in /s],
	'the export of before has the rows, and needs no server');

# A file that is cut off is no log with less in it.
my ($rows) = glob "$export/*/rows-1.copy";
truncate $rows, (-s $rows) - 40 or die "$rows: $!";
verifies(["--files=$export", @known], 2, [qr//], [qr/the data end in the middle of a row, after 299 rows/], 'a file that was cut off');
unlink $rows or die "$rows: $!";
verifies(["--files=$export", @known], 2, [qr//], [qr/rows-1\.copy/], 'a file that is missing');

done_testing();
