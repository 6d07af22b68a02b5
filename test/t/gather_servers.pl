# Three servers that hold a log together, and each other to the record: the
# coordinator gathers from both others, and they from their neighbour.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir;
my %neighbour = (here => [qw(north south)], north => ['south'], south => ['here']);
my %node;

for my $name (sort keys %neighbour)
{
	my $node = PostgreSQL::Test::Cluster->new($name);

	mkdir "$tmp/$name.$_", 0700 or die for qw(keys heads);
	$node->init;
	$node->append_conf('postgresql.conf', <<CONF);
fsync = off
anshim.key_directory = '$tmp/$name.keys'
anshim.head_directory = '$tmp/$name.heads'
CONF
	$node->start;
	$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION anshim;
CREATE EXTENSION postgres_fdw;
CREATE TABLE visit (subject int, venue int, entered_at timestamptz DEFAULT now());
SELECT anshim.chain('visit', '$name.example/visits');
SELECT anshim.generate_key('log', '$name.example'), anshim.generate_key('w', '$name.example');
-- who gathers reads hashes, and no visits
CREATE ROLE gatherer LOGIN;
GRANT SELECT (link) ON visit TO gatherer;
SQL
	$node{$name} = $node;
}

sub sql { my ($name, $sql) = @_; return $node{$name}->safe_psql('postgres', $sql) }

my (%log_key, %witness_key);
for my $name (keys %node)
{
	$log_key{$name} = sql($name, "SELECT anshim.vkey('visit', 'log')");
	$witness_key{$name} = sql($name, "SELECT anshim.witness_vkey('w')");
}
for my $name (keys %node)
{
	for my $peer (@{ $neighbour{$name} })
	{
		sql($name, sprintf(<<'SQL', $peer, $node{$peer}->host, $node{$peer}->port, $peer, $peer));
CREATE SERVER %s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname 'postgres', connect_timeout '5', options '-c statement_timeout=30s');
CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (user 'gatherer');
SELECT anshim.add_peer('%s', 'w');
SQL
	}
}

# insert some rows, seal and sign; the checkpoint
sub sign
{
	my ($name, $rows) = @_;
	sql($name, "INSERT INTO visit SELECT g, g FROM generate_series(1, $rows) g; SELECT anshim.seal('visit')");
	return sql($name, "SELECT anshim.checkpoint('visit', 'log')");
}

# what came of gathering: "peer origin outcome", a line each
sub gather
{
	my ($name) = @_;
	my ($status, $out, $error) = $node{$name}->psql('postgres', "SELECT server, origin, outcome FROM anshim.gather_checkpoints()");
	is($status, 0, "$name gathers") or diag($error);
	return join(', ', map { s/\|/ /gr } split /\n/, $out);
}

sub trust { my ($name, $log) = @_; sql($name, "SELECT anshim.trust_log('$log.example/visits', '$log_key{$log}')") }

is(gather('here'), 'north north.example/visits not trusted, south south.example/visits not trusted', 'logs that nobody trusts are named');
for my $name (keys %node)
{
	# the coordinator's own log is one that its neighbour witnesses, and whose cosignature it gathers
	trust($name, $_) for @{ $neighbour{$name} };
}
trust('here', 'here');
is(gather('here'), 'north north.example/visits nothing signed, south south.example/visits nothing signed', 'nothing is signed yet');

sign($_, 300) for sort keys %node;
is(gather('north'), 'south south.example/visits cosigned', 'north witnesses south');
is(gather('south'), 'here here.example/visits cosigned', 'which witnesses the coordinator');
is(gather('here'), 'north north.example/visits cosigned, south south.example/visits cosigned', 'the coordinator witnesses both');
is(gather('here'), 'north north.example/visits unchanged, south south.example/visits unchanged', 'once is enough');
is(sql('here', "SELECT count(*) FROM anshim.witnessed WHERE cosignature IS NOT NULL"), 2, 'and keeps what it has cosigned');

# Several checkpoints at once, each of which continues the one before
sign('south', 1000);
sign('south', 1);
my $newest = sign('south', 513);
is(gather('north'), 'south south.example/visits cosigned', 'north comes three checkpoints later');
is(gather('here'), 'north north.example/visits unchanged, south south.example/visits cosigned', 'and so does the coordinator');
is(sql('here', "SELECT count(*) FROM anshim.witnessed WHERE origin = 'south.example/visits' AND cosignature IS NOT NULL"), 4, 'none is left out');

# A checkpoint that two have cosigned
my $cosigned = sql('here', "SELECT anshim.cosigned_checkpoint('south.example/visits', ARRAY['$witness_key{here}', '$witness_key{north}'])");
is( sql('here', "SELECT anshim.verify_checkpoint(\$note\$$cosigned\$note\$, '$log_key{south}', ARRAY['$witness_key{here}', '$witness_key{north}'], 2)"),
	't', 'the newest checkpoint of south has been cosigned by two');
like($cosigned, qr/^\Q$newest\E/, 'and is the newest');
sign('south', 7);
gather('here');
is( sql('here', "SELECT split_part(anshim.cosigned_checkpoint('south.example/visits', ARRAY['$witness_key{here}', '$witness_key{north}'], q), E'\\n', 2) FROM generate_series(1, 2) q"),
	"1823\n1816", 'a larger quorum has an older one');
is( sql('here', "SELECT anshim.cosigned_checkpoint('south.example/visits', ARRAY['$witness_key{here}', '$witness_key{south}']) IS NULL"), 't', 'and one that nobody reaches none');
is( sql('here', "SELECT split_part(anshim.cosigned_checkpoint('here.example/visits', ARRAY['$witness_key{south}']), E'\\n', 1)"), '',
	'a log that is not gathered here has no checkpoint to cosign');

# A peer that makes up another's cosignature spoils nothing.
my $asked = "SELECT anshim.cosigned_checkpoint('south.example/visits', ARRAY['$witness_key{here}', '$witness_key{north}'])";
sql('here', "INSERT INTO anshim.cosignature SELECT origin, size, root, 'south', note, overlay(cosignature placing 'AAAA' from length(cosignature) - 20), now(), true FROM anshim.witnessed WHERE origin = 'south.example/visits'");
is(sql('here', $asked), $cosigned, 'a forged cosignature is left out');
sql('here', "DELETE FROM anshim.cosignature WHERE server = 'south'");

# South is verified against it, and demands the same quorum: of those two, not of others.
my $verify = "SELECT count(*), min(finding) FROM anshim.verify_chain('visit', checkpoint => \$note\$$cosigned\$note\$, vkey => '$log_key{south}', witnesses => ARRAY[%s], quorum => 2)";
is(sql('south', sprintf $verify, "'$witness_key{here}', '$witness_key{north}'"), '0|', 'the log behind it is intact');
is(sql('south', sprintf $verify, "'$witness_key{here}', '$witness_key{south}'"), '1|cosignatures missing', 'others have not cosigned it');

# What is asked of a peer: one row each, however many there are
my $plan = sql('here', "EXPLAIN (VERBOSE, COSTS OFF) SELECT proof FROM anshim_south.growth WHERE origin = 'south.example/visits' AND old_size = 301 AND new_size = 1301 LIMIT 1");
like($plan, qr/Remote SQL: SELECT proof FROM anshim\.growth WHERE \(\(origin = 'south\.example\/visits'\)\) AND \(\(old_size = 301\)\) AND \(\(new_size = 1301\)\)/, 'one proof is asked for');
unlike($plan, qr/^\s+Filter:/m, 'and none is made in vain');

#
# A peer that is gone
#
$node{north}->stop;
like(gather('here'), qr/^north  failed, south south\.example\/visits unchanged$/, 'a peer that is gone does not keep others from being asked');
like(sql('here', "SELECT detail FROM anshim.gathered WHERE origin = ''"), qr/could not connect to server "north"/, 'and is named');
is(sql('here', "SELECT outcome FROM anshim.gathered WHERE origin = 'north.example/visits'"), 'unchanged', 'what was known of it stays');
$node{north}->start;
is(gather('here'), 'north north.example/visits unchanged, south south.example/visits unchanged', 'it is asked again');

#
# South is rolled back: its files and its heads.
#
$node{south}->stop;
my $south = $node{south}->data_dir;
system_or_bail('cp', '-a', $south, "$tmp/south.old");
system_or_bail('cp', '-a', "$tmp/south.heads", "$tmp/heads.old");
$node{south}->start;
sign('south', 10);
gather('north');
gather('here');

# swap the two directories of south
sub rewind_south
{
	$node{south}->stop;
	for ([ $south, "$tmp/south.old" ], [ "$tmp/south.heads", "$tmp/heads.old" ])
	{
		my ($one, $other) = @$_;
		rename($one, "$tmp/x") && rename($other, $one) && rename("$tmp/x", $other) or die;
	}
	$node{south}->start;
}

rewind_south();
is(gather('here'), 'north north.example/visits unchanged, south south.example/visits stale', 'a log that was rolled back is found out');
sign('south', 10);
is(gather('here'), 'north north.example/visits unchanged, south south.example/visits contradicts', 'and one that goes on differently');
sign('south', 10);
is(gather('here'), 'north north.example/visits unchanged, south south.example/visits contradicts', 'also when it is longer');
is( sql('here', "SELECT count(*), count(DISTINCT root), bool_and(anshim.verify_checkpoint(note, '$log_key{south}')) FROM anshim.witnessed WHERE size = 1833"),
	'2|2|t', 'both histories are kept, with south\'s signature on each');

#
# South shows one history to north, and another to the coordinator.
#
rewind_south();
sign('south', 20);
is(gather('here'), 'north north.example/visits unchanged, south south.example/visits cosigned', 'back in the history that is known, it goes on');
rewind_south();
sign('south', 10);
# north forgets what it has seen, and so do its files
sql('north', "DELETE FROM anshim.witnessed WHERE size > 1823");
unlink glob "$tmp/north.heads/witness-*";
is(gather('north'), 'south south.example/visits cosigned', 'another history is shown to north');
rewind_south();
is( gather('here'),
	'north north.example/visits unchanged, north south.example/visits contradicts, north south.example/visits contradicts, north south.example/visits not shown here, south south.example/visits unchanged',
	'the coordinator learns of it from north');
is(sql('here', "SELECT count(*), count(DISTINCT root) FROM anshim.witnessed WHERE size = 1853"), '2|2', 'and keeps both');
is(gather('here'), 'north north.example/visits unchanged, south south.example/visits unchanged', 'which it tells once');
is(sql('here', "SELECT string_agg(server || ' ' || size || ' ' || agrees, ', ' ORDER BY size, agrees) FROM anshim.cosignature WHERE size > 1823"),
	'north 1833 false, north 1833 true, north 1843 false, north 1853 false', 'but has on record');
is(sql('here', "SELECT string_agg(DISTINCT refused, ' ' ORDER BY refused) FROM anshim.witnessed WHERE refused IS NOT NULL"), 'contradicts stale', 'what is no good stays in the record');

#
# A peer that shows what is no checkpoint of its log, does not prove, or does not let us read
#
sql('north', "INSERT INTO anshim.checkpoint SELECT chain, size, sha256('x'), 'other', replace(note, encode(root, 'base64'), encode(sha256('x'), 'base64')), now() FROM anshim.checkpoint");
like(gather('here'), qr/^north north\.example\/visits not signed, /, 'a note that is not signed is none');
sql('north', "UPDATE anshim.checkpoint SET size = size + 1 WHERE kid = 'other'");
like(gather('here'), qr/^north north\.example\/visits failed, /, 'nor has the log a size that it claims');
sql('north', "DELETE FROM anshim.checkpoint WHERE kid = 'other'");
sql('north', "CREATE TABLE kept AS TABLE anshim.checkpoint; DELETE FROM anshim.checkpoint; UPDATE anshim.chain SET ended_at = now()");
like(gather('here'), qr/^north north\.example\/visits gone, /, 'nor can it hide what it has signed, or that there is a log');
sql('north', "INSERT INTO anshim.checkpoint TABLE kept; UPDATE anshim.chain SET ended_at = NULL");
sign('north', 10);
sql('north', 'CREATE TABLE block AS SELECT * FROM anshim.block WHERE size = 302; DELETE FROM anshim.block WHERE size = 302');
like(gather('here'), qr/^north north\.example\/visits not proven, /, 'nor is one cosigned without a proof');
sql('north', 'INSERT INTO anshim.block SELECT * FROM block; REVOKE SELECT (link) ON visit FROM gatherer');
like(gather('here'), qr/^north north\.example\/visits failed, south/, 'the user at the peer has to be allowed to read proofs');
like(sql('here', "SELECT detail FROM anshim.gathered WHERE outcome = 'failed'"), qr/permission denied for the links of table visit/, 'it says so');
sql('north', 'GRANT SELECT (link) ON visit TO gatherer');
like(gather('here'), qr/^north north\.example\/visits cosigned, /, 'then it is cosigned');

#
# A dump takes all of it along.
#
$node{here}->command_ok([ 'pg_dump', '-Fc', '-f', "$tmp/dump", '-d', $node{here}->connstr('postgres') ], 'dump');
sql('here', 'CREATE DATABASE copy');
$node{here}->command_ok([ 'pg_restore', '-e', '-d', $node{here}->connstr('copy'), "$tmp/dump" ], 'restore');
is( $node{here}->safe_psql('copy', "SELECT string_agg(outcome, ' ') FROM anshim.gather_checkpoints()"),
	'unchanged unchanged', 'restored, it goes on where it was');
is($node{here}->safe_psql('copy', $asked), sql('here', $asked), 'with all cosignatures');

#
# Peers
#
my ($status, undef, $error) = $node{here}->psql('postgres', "SELECT anshim.add_peer('nobody', 'w')");
like($error, qr/server "nobody" does not exist/, 'a peer is a foreign server');
($status, undef, $error) = $node{here}->psql('postgres', "SELECT anshim.add_peer('north', 'nokey')");
like($error, qr/key "nokey" does not exist/, 'with a key that is there');
sql('here', "SELECT anshim.remove_peer('north')");
is(sql('here', "SELECT count(*) FROM pg_namespace WHERE nspname = 'anshim_north'"), 0, 'a peer that is removed leaves nothing');
unlike(gather('here'), qr/north north/, 'and is not asked any more');
($status, undef, $error) = $node{here}->psql('postgres', "SELECT anshim.remove_peer('north')");
like($error, qr/server "north" is not a peer/, 'twice is an error');

done_testing();
