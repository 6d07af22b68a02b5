# Checkpoints are signed of what is safe, and of what continues the head alone:
# after a crash, a restore, on clones and promoted standbys.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir;
my $keys = "$tmp/keys";
my $heads = "$tmp/heads";
mkdir $_, 0700 or die for $keys, $heads;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<CONF);
anshim.key_directory = '$keys'
anshim.head_directory = '$heads'
wal_writer_delay = 10s
autovacuum = off
CONF
$node->start;

# run a statement; its result, or SQLSTATE and message
sub sql { my ($sql, %of) = @_; return ($of{node} // $node)->safe_psql($of{db} // 'postgres', $sql) }

sub failure
{
	my ($sql, %of) = @_;
	my (undef, undef, $stderr) = ($of{node} // $node)->psql($of{db} // 'postgres', "\\set VERBOSITY verbose\n$sql");
	return $stderr;
}

sub size_of { return (split /\n/, $_[0])[1] }

sql(<<'SQL');
CREATE EXTENSION anshim;
CREATE TABLE visit (id int, who text);
SELECT anshim.chain('visit', 'crash.example/visits');
SELECT anshim.generate_key('log', 'crash.example');
INSERT INTO visit SELECT g, 'a' FROM generate_series(1, 10) g;
SELECT anshim.seal('visit');
SQL
my $vkey = sql("SELECT anshim.vkey('visit', 'log')");
my $chain = sql("SELECT chain FROM anshim.chained");
my $sign = "SELECT anshim.checkpoint('visit', 'log')";

#
# The directory
#
chmod 0755, $heads;
like(failure($sign), qr/F0000: head directory ".*" has group or world access/, 'a directory of mode 0755 is refused');
chmod 0700, $heads;
for ([ '', qr/55000: no directory is set for signed heads.*anshim\.head_directory/s, 'without a directory nothing is signed' ],
	[ $node->data_dir . '/base', qr/F0000: head directory ".*" lies in the data directory.*restore/s, 'nor with one that is restored with the data' ],
	[ "$tmp/none", qr/58P01: could not look at head directory/, 'nor with one that is not there' ],
	[ "$tmp/file", qr/F0000: head directory ".*" is not a directory/, 'nor with a file' ])
{
	my ($path, $error, $what) = @$_;

	append_to_file("$tmp/file", '');
	$node->adjust_conf('postgresql.conf', 'anshim.head_directory', "'$path'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('anshim.head_directory') = '$path'") or die;
	like(failure($sign), $error, $what);
}
$node->adjust_conf('postgresql.conf', 'anshim.head_directory', "'$heads'");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('anshim.head_directory') = '$heads'") or die;
is(join(' ', glob "$heads/*"), '', 'and nothing is left there');

my $first = sql($sign);
is(size_of($first), 12, 'signed');
is(slurp_file("$heads/$chain"), $first, 'the head is the checkpoint');
is((stat "$heads/$chain")[2] & 07777, 0600, 'and nobody else can read or change it');
$node->backup('old');

#
# What was signed is on disk before it is returned, even if the sealer did not
# wait for that and the signing transaction never ends.
#
sql("INSERT INTO visit SELECT g, 'b' FROM generate_series(11, 20) g");
my $session = $node->background_psql('postgres');
$session->query_safe("SET synchronous_commit = off");
$session->query_safe("SELECT anshim.seal('visit')");
my $sealed = $session->query_safe("SELECT pg_current_wal_insert_lsn()");
is($session->query_safe("SELECT pg_current_wal_flush_lsn() < '$sealed'"), 't', 'the block is not on disk yet');
$session->query_safe("BEGIN");
my $second = $session->query_safe($sign);
is($session->query_safe("SELECT pg_current_wal_flush_lsn() >= '$sealed'"), 't', 'when it is signed, it is');
$node->stop('immediate');
$session->{run}->kill_kill;
$node->start;
is(size_of($second), 22, 'signed in a transaction that never ended');
is(sql("SELECT max(size) FROM anshim.block"), 22, 'what was signed has survived the crash');
is(sql("SELECT anshim.verify_checkpoint('$second', '$vkey')"), 't', 'and the signature is good');
is(sql("SELECT max(size) FROM anshim.checkpoint"), 12, 'though its row has not');
is(sql($sign), $second, 'signed again, it is the same');

#
# A base backup that was taken before, restored: the keys and the heads are
# those of this machine.
#
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($node, 'old');
$restored->start;
my $rolled_back = qr/55000: the database has been rolled back/;
my $error = failure($sign, node => $restored);
like($error, $rolled_back, 'a restored copy does not sign');
like($error, qr/is shorter than it was: a checkpoint of 22 leaves was signed, and it has 12/, 'and says how far it is behind');
sql("INSERT INTO visit SELECT g, 'c' FROM generate_series(11, 30) g", node => $restored);
sql("SELECT anshim.seal('visit')", node => $restored);
$error = failure($sign, node => $restored);
like($error, $rolled_back, 'nor when it has become longer');
like($error, qr/has another root at that size: a checkpoint of 22 leaves was signed, and it has 32/, 'as that is another history');
like(failure("SELECT anshim.adopt_head('visit', '$first')", node => $restored), qr/55000: the checkpoint is not the newest/,
	'the head cannot be set back');
$restored->stop;
is(slurp_file("$heads/$chain"), $second, 'the head is as it was');

#
# A copy made within the server has the same chain: who signs first goes on,
# and the other does not.
#
$node->safe_psql('template1', 'CREATE DATABASE clone TEMPLATE postgres');
sql("INSERT INTO visit VALUES (21, 'in the clone')", db => 'clone');
sql("SELECT anshim.seal('visit')", db => 'clone');
sql("INSERT INTO visit VALUES (21, 'not in the clone'), (22, 'nor this')");
sql("SELECT anshim.seal('visit')");
# both have looked at the head when the clone signs
my $blocker = $node->background_psql('postgres');
$blocker->query_safe("BEGIN; LOCK TABLE anshim.checkpoint IN SHARE MODE");
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/waiting/, "\\set VERBOSITY verbose\n\\echo waiting\n$sign;\n");
$node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE query LIKE '%anshim.checkpoint(%' AND pid <> pg_backend_pid()") or die;
my $clone = sql($sign, db => 'clone');
is(size_of($clone), 23, 'the clone signs');
$blocker->query_safe("COMMIT");
$blocker->quit;
$session->query('SELECT 1');
like($session->{stderr}, qr/40001: somebody else has signed for this log at the same time/, 'who was slower does not');
$session->quit;
is(slurp_file("$heads/$chain"), $clone, 'the head is the clone\'s');
like(failure($sign), $rolled_back, 'and the original does not sign any more');

#
# A dump, restored where no head is known
#
mkdir "$tmp/heads2", 0700 or die;
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', "anshim.key_directory = '$keys'\nanshim.head_directory = '$tmp/heads2'\n");
$other->start;
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$tmp/dump", '-d', $node->connstr('clone') ], 'dump');
$other->command_ok([ 'pg_restore', '-e', '-C', '-d', $other->connstr('postgres'), "$tmp/dump" ], 'restore');
$error = failure($sign, node => $other, db => 'clone');
like($error, qr/55000: it is not known which checkpoint of table "visit" was signed last.*anshim\.adopt_head/s, 'it asks for the newest checkpoint');
sql("SELECT anshim.adopt_head('visit', '$clone')", node => $other, db => 'clone');
is(sql($sign, node => $other, db => 'clone'), $clone, 'and signs once it has that');
sql("INSERT INTO visit VALUES (23, 'in the other'); SELECT anshim.seal('visit')", node => $other, db => 'clone');
is(sql("SELECT anshim.verify_consistency(old.size, new.size, old.root, new.root, anshim.consistency_proof('visit', old.size))
	FROM anshim.block old, anshim.block new WHERE old.size = 22 AND new.size = 24", node => $other, db => 'clone'), 't', 'the log goes on from the dump');
is(size_of(sql($sign, node => $other, db => 'clone')), 24, 'and is signed');

#
# Encodings without an em dash cannot hold a note: that is said before
# anything is signed.
#
$other->safe_psql('template1', "CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
sql("CREATE EXTENSION anshim; CREATE TABLE visit (id int); SELECT anshim.chain('visit'); SELECT anshim.seal('visit');
	SELECT anshim.generate_key('latin1', 'x')", node => $other, db => 'latin1');
like(failure("SELECT anshim.checkpoint('visit', 'latin1')", node => $other, db => 'latin1'), qr/22P05: .*encoding "LATIN1".*em dash.*UTF8/s, 'no note in LATIN1');
is(scalar(() = glob "$tmp/heads2/*"), 1, 'and no head');
like(failure("SELECT anshim.trust_log('jeju.example/visit', 'jeju.example/visit+00000000+AQ==')", node => $other, db => 'latin1'),
	qr/22P05: .*encoding "LATIN1".*em dash.*UTF8/s, 'nor are any witnessed there');
$other->stop;

#
# With synchronous standbys, what is signed is on theirs as well.
#
my $standby = PostgreSQL::Test::Cluster->new('standby');
$node->backup('new');
$standby->init_from_backup($node, 'new', has_streaming => 1);
$node->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'\nsynchronous_commit = local\n");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('synchronous_standby_names') = 'standby'") or die;
sql("INSERT INTO visit VALUES (30, 'd')", db => 'clone');
sql("SELECT anshim.seal('visit')", db => 'clone');
my $head = slurp_file("$heads/$chain");
like(failure("SET statement_timeout = '2s'; $sign", db => 'clone'), qr/57014: canceling statement due to statement timeout/, 'it waits for the standby');
is(slurp_file("$heads/$chain"), $head, 'and signs nothing meanwhile');
$session = $node->background_psql('clone');
$session->query_until(qr/waiting/, "\\echo waiting\n$sign;\n");
$node->poll_query_until('clone', "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE query LIKE '%anshim.checkpoint(%' AND pid <> pg_backend_pid()") or die;
$standby->start;
$session->query_safe('SELECT 1');
$session->quit;
my $third = slurp_file("$heads/$chain");
is(size_of($third), 24, 'once the standby is there, it signs');
$node->stop('immediate');
$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''\n");
$standby->promote;
is(sql("SELECT max(size) FROM anshim.block", node => $standby, db => 'clone'), 24, 'the promoted standby has what was signed');
is(sql($sign, node => $standby, db => 'clone'), $third, 'and goes on signing');

#
# Who verifies meanwhile has a snapshot without what is sealed and signed since:
# that is no older copy of the database.
#
my $signer = $standby->background_psql('clone');
$signer->query_safe('BEGIN; LOCK TABLE anshim.checkpoint IN ACCESS EXCLUSIVE MODE');
my $verifier = $standby->background_psql('clone', on_error_stop => 0);
$verifier->query_until(qr/waiting/, "\\echo waiting\nSELECT finding || ' ' || detail FROM anshim.verify_chain('visit');\n");
$standby->poll_query_until('clone', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE query LIKE '%anshim.verify_chain(%' AND pid <> pg_backend_pid()") or die;
sql("INSERT INTO visit VALUES (31, 'e')", node => $standby, db => 'clone');
is(sql("SELECT anshim.seal('visit')", node => $standby, db => 'clone'), 25, 'sealed while somebody verifies');
is(size_of($signer->query_safe($sign)), 25, 'and signed');
$signer->query_safe('COMMIT');
$signer->quit;
is($verifier->query('SELECT 1'), 1, 'the verifier finds nothing');
is($verifier->{stderr}, '', 'and no error');
$verifier->quit;
# the same head, but the log without its block
sql("ALTER TABLE anshim.block DISABLE TRIGGER ALL; DELETE FROM anshim.block WHERE size = 25", node => $standby, db => 'clone');
like(sql("SELECT finding FROM anshim.verify_chain('visit')", node => $standby, db => 'clone'), qr/^rolled back$/m, 'a log that was longer once is found as before');
$standby->stop;

done_testing();
