# Who edits the data files while the server is stopped is found out, by the
# server itself and from outside.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir;
my ($keys, $heads) = ("$tmp/keys", "$tmp/heads");
mkdir $_, 0700 or die for $keys, $heads;

my $node = PostgreSQL::Test::Cluster->new('primary');
# Without checksums (on from PostgreSQL 18), by which the server itself would refuse an edited page
$node->init(no_data_checksums => 1);
$node->append_conf('postgresql.conf', "anshim.key_directory = '$keys'\nanshim.head_directory = '$heads'\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION anshim;
CREATE TABLE visit (id int PRIMARY KEY, who text);
SELECT anshim.chain('visit', 'files.example/visits');
SELECT anshim.generate_key('log', 'files.example');
INSERT INTO visit SELECT g, 'visitor number ' || g FROM generate_series(1, 500) g;
SELECT anshim.seal('visit');
SQL
my $checkpoint = $node->safe_psql('postgres', "SELECT anshim.checkpoint('visit', 'log')");
my $vkey = $node->safe_psql('postgres', "SELECT anshim.vkey('visit', 'log')");
append_to_file("$tmp/checkpoint", $checkpoint);

sub findings
{
	return $node->safe_psql('postgres',
		"SELECT finding, seq FROM anshim.verify_chain('visit', '$checkpoint', vkey => '$vkey')");
}

my @verify = ('anshim_verify', '-q', "--checkpoint=$tmp/checkpoint", "--key=$vkey", '-d', $node->connstr('postgres'), 'visit');

# Exchange bytes of a file by as many others, with the server stopped.
sub edit
{
	my ($table, $from, $to) = @_;
	my $file = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$table')");

	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->stop;
	my $bytes = slurp_file($file);
	is(scalar(() = $bytes =~ /\Q$from\E/g), 1, "the bytes are in the file of $table once");
	$bytes =~ s/\Q$from\E/$to/;
	open(my $handle, '+<:raw', $file) or die "$file: $!";
	print $handle $bytes;
	close($handle) or die "$file: $!";
	$node->start;
	return;
}

is(findings(), '', 'nothing is amiss before');
command_ok(\@verify, 'nor from outside');

edit('visit', 'visitor number 123', 'visitor NUMBER 123');
is($node->safe_psql('postgres', 'SELECT who FROM visit WHERE id = 123'), 'visitor NUMBER 123', 'a row was changed in the file');
is(findings(), 'changed|123', 'the row is named');
command_checks_all(\@verify, 1, [qr/changed: strand \d+, seq 123/], [qr//], 'from outside, too');

edit('visit', 'visitor NUMBER 123', 'visitor number 123');
edit('anshim.block', $node->safe_psql('postgres', 'SELECT root FROM anshim.block') =~ s/^\\x//r =~ s/(..)/chr hex $1/ger, 'x' x 32);
like(findings(), qr/^block differs\|$/m, 'a root changed in the file is no block\'s');
command_checks_all(\@verify, 1, [qr/Block 1 has another root/], [qr//], 'nor from outside');

done_testing();
