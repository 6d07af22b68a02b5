# Sealing in the background: what is sealed and signed, and that the processes
# that do it stand in nobody's way.

use strict;
use warnings FATAL => 'all';

use Fcntl qw(:flock);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $tmp = PostgreSQL::Test::Utils::tempdir;
my $keys = "$tmp/keys";
my $heads = "$tmp/heads";
mkdir $_, 0700 or die for $keys, $heads;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<CONF);
shared_preload_libraries = 'anshim'
anshim.key_directory = '$keys'
anshim.head_directory = '$heads'
autovacuum = off
max_prepared_transactions = 5
CONF
$node->start;

sub sql { my ($db, $sql) = @_; return $node->safe_psql($db, $sql) }

sub set
{
	my ($name, $value) = @_;
	$node->append_conf('postgresql.conf', "$name = $value\n");
	$node->reload;
}

# What the server has written since the last time
my $read = 0;

sub logged
{
	my $log = slurp_file($node->logfile);
	my $new = substr($log, $read);

	$read = length $log;
	return $new;
}

sub wait_until { my ($db, $query) = @_; return $node->poll_query_until($db, $query) }
my $launcher = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'anshim launcher'";
my $sealed = "SELECT unsealed = 0 FROM anshim.status WHERE target = '%s'::regclass";

is(sql('postgres', $launcher), 1, 'there is a launcher where the library is preloaded');
is(sql('postgres', 'SHOW anshim.seal_interval'), '0', 'which does nothing unless it is told to');

sql('postgres', "CREATE DATABASE $_") for qw(island bare);
sql('island', <<'SQL');
CREATE EXTENSION anshim;
CREATE SCHEMA "Other";
CREATE TABLE visit (id int);
CREATE TABLE "Other"."Visit" (id int) PARTITION BY RANGE (id);
CREATE TABLE "Other".part PARTITION OF "Other"."Visit" FOR VALUES FROM (0) TO (100);
SELECT anshim.chain('visit'), anshim.chain('"Other"."Visit"');
SELECT anshim.generate_key('log', 'jeju.example');
INSERT INTO visit VALUES (1), (2);
INSERT INTO "Other"."Visit" VALUES (3);
-- settings that would keep it from its work if they held for it
ALTER DATABASE island SET default_transaction_read_only = on;
ALTER DATABASE island SET default_transaction_isolation = serializable;
ALTER DATABASE island SET search_path = nowhere;
SQL
sleep 2;
is(sql('island', 'SELECT count(*) FROM anshim.block'), 0, 'nothing is sealed while the interval is 0');

set('anshim.seal_interval', '1s');
ok(wait_until('island', sprintf $sealed, 'public.visit'), 'after a reload, rows are sealed');
ok(wait_until('island', sprintf $sealed, '"Other"."Visit"'), 'of all chained tables');
is(sql('island', 'SELECT count(*) FROM anshim.checkpoint'), 0, 'nothing is signed where no key is named');
unlike(logged(), qr/ERROR|FATAL/, 'databases without the extension do not matter');

#
# Checkpoints
#
like(($node->psql('island', "SET default_transaction_read_only = off; ALTER DATABASE island SET anshim.checkpoint_key = 'no key'"))[2],
	qr/invalid value for parameter "anshim.checkpoint_key"/, 'a key needs a name that keys can have');
sql('island', "SET default_transaction_read_only = off; ALTER DATABASE island SET anshim.checkpoint_key = 'log'");
ok(wait_until('island', "SELECT count(*) = 2 FROM anshim.status WHERE checkpoint_size = log_size"), 'what is sealed is signed where a key is named');
is( sql('island', "SELECT bool_and(anshim.verify_checkpoint(note, anshim.vkey(target, 'log'))) FROM anshim.checkpoint JOIN anshim.chained USING (chain)"),
	't', 'with that key');
my $blocks = sql('island', 'SELECT count(*) FROM anshim.block');
my @changed = map { (stat $_)[9] . ' ' . (stat $_)[1] } glob "$heads/*";
sleep 2;
is(sql('island', 'SELECT count(*) FROM anshim.block'), $blocks, 'where nothing is new, no block is made');
is(join('|', map { (stat $_)[9] . ' ' . (stat $_)[1] } glob "$heads/*"), join('|', @changed), 'and nothing is signed again');

#
# One table that fails does not keep the others from being sealed.
#
sql('island', <<'SQL');
SET default_transaction_read_only = off;
BEGIN;
INSERT INTO public.visit VALUES (5);
ALTER TABLE public.visit DISABLE TRIGGER ALL;
UPDATE public.visit SET id = 6 WHERE id = 5;
ALTER TABLE public.visit ENABLE TRIGGER ALL;
COMMIT;
INSERT INTO "Other"."Visit" VALUES (7);
SQL
ok(wait_until('island', sprintf $sealed, '"Other"."Visit"'), 'the others are sealed');
ok($node->wait_for_log(qr/ERROR:  row \d+ of strand \d+ of table public.visit does not have the hash that it should.*\n(?:[^\n]*\n){0,3}?[^\n]*CONTEXT:  sealing table public.visit in the background/),
	'and the server\'s log says which failed, and where');

#
# The launcher comes back.
#
my $pid = sql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'anshim launcher'");
sql('postgres', "SELECT pg_terminate_backend($pid)");
ok(wait_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'anshim launcher' AND pid <> $pid"), 'a launcher that was ended is started again');

#
# A sealer does not keep its database from being dropped: it waits here for the
# directory of heads, which we lock.
#
sql('postgres', "CREATE DATABASE doomed");
sql('doomed', <<'SQL');
CREATE EXTENSION anshim;
CREATE TABLE visit (id int);
SELECT anshim.chain('visit');
SELECT anshim.generate_key('doomed', 'jeju.example');
SQL
open(my $lock, '<', $heads) or die;
flock($lock, LOCK_EX) or die;
sql('postgres', "ALTER DATABASE doomed SET anshim.checkpoint_key = 'doomed'");
ok(wait_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'doomed' AND query = 'signing a checkpoint of public.visit'"), 'a sealer is at work');
# the others are sealed meanwhile
sql('island', 'SET default_transaction_read_only = off; INSERT INTO "Other"."Visit" VALUES (8)');
ok(wait_until('island', sprintf $sealed, '"Other"."Visit"'), 'and does not keep other databases from being sealed');
is($node->psql('postgres', "SET statement_timeout = '10s'; CREATE DATABASE twin TEMPLATE doomed"), 0, 'its database can be copied');
ok(wait_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'doomed' AND query = 'signing a checkpoint of public.visit'"), 'another sealer is at work');
my $begun = time;
is($node->psql('postgres', "SET statement_timeout = '10s'; DROP DATABASE doomed"), 0, 'its database can be dropped');
cmp_ok(time - $begun, '<', 4, 'soon');
is(sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = 'doomed'"), 0, 'and it is gone');
flock($lock, LOCK_UN);
close $lock;

#
# A dropped extension
#
sql('island', 'SET default_transaction_read_only = off; DROP EXTENSION anshim CASCADE');
logged();
sleep 2;
unlike(logged(), qr/ERROR|FATAL/, 'once the extension is dropped, nothing is done');

#
# A standby waits until it is promoted.
#
sql('bare', <<'SQL');
CREATE EXTENSION anshim;
CREATE TABLE visit (id int);
SELECT anshim.chain('visit');
SQL
$node->backup('backup');
set('anshim.seal_interval', 0);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', "anshim.seal_interval = '1s'\n");
$standby->start;
sql('bare', "INSERT INTO visit VALUES (1); BEGIN; INSERT INTO visit VALUES (2); PREPARE TRANSACTION 'open'");
sql('bare', 'INSERT INTO visit VALUES (3)');
$node->wait_for_catchup($standby);
is($standby->safe_psql('bare', $launcher), 0, 'on a standby there is no launcher');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'the server has been stopped in order');
$standby->promote;
ok($standby->poll_query_until('bare', sprintf $sealed, 'public.visit'), 'promoted, it seals');
# the prepared transaction is still there, and has its strand for itself
$standby->safe_psql('bare', 'INSERT INTO visit VALUES (4)');
ok($standby->poll_query_until('bare', sprintf $sealed, 'public.visit'), 'beside a prepared transaction as well');
is($standby->safe_psql('bare', "SELECT count(*) FROM visit v JOIN anshim.segment s ON s.strand = anshim.strand(v.link) AND anshim.seq(v.link) BETWEEN first_seq AND last_seq"), 3,
	'whose row is not in the log');
$standby->safe_psql('bare', "COMMIT PREPARED 'open'");
ok($standby->poll_query_until('bare', sprintf $sealed, 'public.visit'), 'until it is committed');
is($standby->safe_psql('bare', "SELECT string_agg(id::text, ' ' ORDER BY id) || ': ' || count(DISTINCT anshim.strand(link)) FROM visit"), '1 2 3 4: 2', 'no row is lost, and nobody has waited');
is($standby->safe_psql('bare', "SELECT count(*) FROM anshim.verify_chain('visit')"), 0, 'all is intact');

#
# Where no process is free, that is said.  (One is the launcher, one PostgreSQL's own.)
#
$standby->append_conf('postgresql.conf', "max_worker_processes = 2\n");
$standby->restart;
ok($standby->wait_for_log(qr/WARNING:  \d+ databases were not sealed in the background in time/), 'the server says when it cannot keep up');
$standby->stop;

done_testing();
