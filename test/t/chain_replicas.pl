# Replicas keep links valid: on a physical standby verify_chain is clean and the
# checkpoint holds, and after its promotion rows go on being linked; a subscriber
# gets rows with their links, and refuses to have them changed by others.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
mkdir "$dir/$_", 0700 or die for qw(keys heads);
my $conf = <<CONF;
anshim.key_directory = '$dir/keys'
anshim.head_directory = '$dir/heads'
CONF

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical');
$primary->append_conf('postgresql.conf', $conf);
$primary->start;

sub sql { my ($node, $sql) = @_; return $node->safe_psql('postgres', $sql) }

sql($primary, <<'SQL');
CREATE EXTENSION anshim;
SELECT anshim.generate_key('log', 'Jeju');
CREATE TYPE grade AS ENUM ('a', 'b');
CREATE TABLE visit (id int PRIMARY KEY, who text, grade grade, list int[], doubled int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO visit SELECT i, 'early' FROM generate_series(1, 100) i;
SELECT anshim.chain('visit', 'replica.example/visit');
INSERT INTO visit SELECT i, md5(i::text), 'b', ARRAY[i, NULL] FROM generate_series(101, 700) i;
CREATE TABLE by_day (at date NOT NULL, who text, PRIMARY KEY (at, who)) PARTITION BY RANGE (at);
CREATE TABLE day_1 PARTITION OF by_day FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
CREATE TABLE day_2 PARTITION OF by_day FOR VALUES FROM ('2021-01-02') TO ('2021-01-03');
SELECT anshim.chain('by_day', 'replica.example/by_day');
INSERT INTO by_day SELECT '2021-01-01'::date + i % 2, i FROM generate_series(1, 600) i;
SELECT anshim.seal('visit'), anshim.seal('by_day');
SQL
my %checkpoint = map { $_ => sql($primary, "SELECT anshim.checkpoint('$_', 'log')") } qw(visit by_day);

# What verify_chain finds amiss in both tables
sub findings
{
	my ($node) = @_;

	return join "\n", map {
		sql($node, "SELECT '$_', * FROM anshim.verify_chain('$_', E'" . $checkpoint{$_} =~ s/\n/\\n/gr . "')") || ();
	} qw(visit by_day);
}

sub failure
{
	my ($node, $sql) = @_;
	my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $error;
}

is(findings($primary), '', 'all is well on the primary');

#
# A physical standby
#
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sql($primary, q{INSERT INTO visit SELECT i, 'while streaming' FROM generate_series(701, 900) i; SELECT anshim.seal('visit');
	INSERT INTO visit VALUES (901, 'not sealed')});
$primary->wait_for_catchup($standby, 'replay');
is(findings($standby), '', 'all is well on the standby');
like(failure($standby, "INSERT INTO visit VALUES (902, 'x')"), qr/25006: /, 'which takes no rows');

# A transaction that is prepared holds its strand there, too.
$primary->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$standby->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$primary->restart;
$standby->restart;
sql($primary, q{BEGIN; INSERT INTO visit VALUES (902, 'prepared'), (903, 'prepared'); PREPARE TRANSACTION 'chain'});
$primary->wait_for_catchup($standby, 'replay');
$primary->stop('immediate');
$standby->promote;
sql($standby, q{INSERT INTO visit SELECT i, 'promoted' FROM generate_series(904, 950) i});
is(sql($standby, q{SELECT count(DISTINCT anshim.strand(link)) FROM visit WHERE id >= 701}), 2,
	'promoted: what is prepared keeps its strand to itself');
sql($standby, q{COMMIT PREPARED 'chain'; INSERT INTO visit VALUES (951, 'after'); SELECT anshim.seal('visit')});
is(sql($standby, 'SELECT count(*) FROM visit WHERE id > 901'), 50, 'promoted: nothing is lost');
is(findings($standby), '', 'promoted: all is well, and the old checkpoint holds');
$checkpoint{visit} = sql($standby, "SELECT anshim.checkpoint('visit', 'log')");
is(findings($standby), '', 'promoted: and the new one');

#
# A subscriber: the same tables, and the catalog of chains
#
my $publisher = $standby;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->append_conf('postgresql.conf', $conf);
$subscriber->start;
$publisher->command_ok([ 'pg_dump', '-s', '-f', "$dir/schema.sql", 'postgres' ], 'the schema is dumped');
$subscriber->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/schema.sql", 'postgres' ], 'and restored');

my $catalog = 'anshim.chain, anshim.chain_partition, anshim.layout, anshim.event, anshim.block, anshim.segment, anshim.tile, anshim.kept, '
	. 'anshim.expired, anshim.checkpoint, anshim.key';
sql($publisher, "CREATE PUBLICATION chains FOR TABLE visit, by_day, $catalog");
sql($subscriber, "CREATE SUBSCRIPTION chains CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION chains");
$subscriber->wait_for_subscription_sync($publisher, 'chains');
is(findings($subscriber), '', 'all is well on the subscriber after its first copy');
is(sql($subscriber, 'SELECT md5(string_agg(visit::text, $$,$$ ORDER BY link)) FROM visit'),
	sql($publisher, 'SELECT md5(string_agg(visit::text, $$,$$ ORDER BY link)) FROM visit'), 'which has the same links');

sql($publisher, q{INSERT INTO visit SELECT i, 'applied', 'a' FROM generate_series(1000, 1400) i;
	INSERT INTO by_day SELECT '2021-01-01'::date + i % 2, 'applied ' || i FROM generate_series(1, 300) i;
	SELECT anshim.seal('visit'), anshim.seal('by_day');
	INSERT INTO visit VALUES (1401, 'not sealed')});
$publisher->wait_for_catchup('chains');
is(findings($subscriber), '', 'all is well after rows and blocks were applied');

# Columns are added there first, by somebody who lets events come from the publisher.
sql($subscriber, 'SET session_replication_role = replica; ALTER TABLE visit ADD COLUMN more text');
sql($publisher, q{ALTER TABLE visit ADD COLUMN more text; INSERT INTO visit (id, more) VALUES (1402, 'more'); SELECT anshim.seal('visit')});
$publisher->wait_for_catchup('chains');
is(findings($subscriber), '', 'all is well after a column was added');
$checkpoint{visit} = sql($publisher, "SELECT anshim.checkpoint('visit', 'log')");
is(findings($subscriber), '', 'the newest checkpoint holds there');

# Nobody else may change rows there; whoever says that she is a replica neither.
like(failure($subscriber, 'DELETE FROM visit WHERE id = 1'), qr/55000: table "visit" is append-only/, 'rows stay');
like(failure($subscriber, 'SET session_replication_role = replica; UPDATE visit SET who = NULL WHERE id = 1'),
	qr/55000: table "visit" is append-only/, 'by whatever role');

# What was switched off at the publisher, and done there, is applied and found.
sql($publisher, q{ALTER TABLE visit DISABLE TRIGGER anshim_guard; DELETE FROM visit WHERE id = 150;
	ALTER TABLE visit ENABLE ALWAYS TRIGGER anshim_guard});
$publisher->wait_for_catchup('chains');
my $found = findings($subscriber);
like($found, qr/^visit\|missing\|/m, 'a row that was removed is missing there');
like($found, qr/^visit\|trigger missing or disabled\|0\|/m, 'and that the guard was off is known');

# When it takes over, it goes on in strands of its own numbers.
sql($subscriber, 'DROP SUBSCRIPTION chains');
sql($subscriber, q{INSERT INTO by_day SELECT '2021-01-01'::date + i % 2, 'taken over ' || i FROM generate_series(1, 50) i; SELECT anshim.seal('by_day')});
is(sql($subscriber, "SELECT * FROM anshim.verify_chain('by_day')"), '', 'all is well after it has taken over');

$_->stop for $subscriber, $standby;
done_testing();
