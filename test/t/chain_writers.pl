# A hundred writers at once: none waits for another, no row is lost, and every
# strand stays unbroken, whatever becomes of their transactions; there are never
# more strands than writers were there at once.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $writers = 100;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
max_connections = 120
max_prepared_transactions = 120
fsync = off
log_lock_waits = on
deadlock_timeout = 10ms
CONF
$node->start;
my $dir = PostgreSQL::Test::Utils::tempdir;

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Waits for locks since then, but for those to make a file longer
sub waits
{
	my ($since) = @_;
	return join "\n", grep { /still waiting|deadlock/ && !/extension of relation/ } split /\n/, substr(slurp_file($node->logfile), $since);
}

sql(<<'SQL');
CREATE EXTENSION anshim;
CREATE TABLE visit (who int, step int, at timestamptz DEFAULT clock_timestamp());
SELECT anshim.chain('visit');
CREATE TABLE by_day (day int, who int) PARTITION BY LIST (day);
CREATE TABLE day_1 PARTITION OF by_day FOR VALUES IN (1);
CREATE TABLE day_2 PARTITION OF by_day FOR VALUES IN (2);
CREATE TABLE day_3 PARTITION OF by_day FOR VALUES IN (3);
SELECT anshim.chain('by_day');
SQL

# All of them in the middle of a transaction, each with a connection of its own
my $log = -s $node->logfile;
my @sessions;
foreach my $who (1 .. $writers)
{
	my ($in, $out) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \my $error, IPC::Run::timeout(300));

	push @sessions, { run => $session, in => \$in, out => \$out, who => $who };
}

# Let one do this, and wait until it has.
sub do_it
{
	my ($session, $sql) = @_;

	${ $session->{out} } = '';
	${ $session->{in} } .= "$sql;\n\\echo done\n";
	$session->{run}->pump until ${ $session->{out} } =~ /done\n/;
	return ${ $session->{out} };
}

# One after the other, as a single program would over all of its connections:
# if any had to wait for another one, it would wait for ever.
do_it($_, "BEGIN; INSERT INTO visit VALUES ($_->{who}, 1)") for @sessions;
do_it($_, "INSERT INTO visit VALUES ($_->{who}, 2), ($_->{who}, 3)") for reverse @sessions;
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'}), $writers, "$writers transactions are open");
is(sql(q{SELECT strands FROM anshim.chained WHERE target = 'visit'::regclass}), $writers, 'each in a strand of its own');

# Every third is rolled back, some are prepared.
foreach my $session (@sessions)
{
	my $who = $session->{who};

	do_it($session, $who % 3 == 0 ? 'ROLLBACK' : $who % 7 == 0 ? "PREPARE TRANSACTION '$who'" : 'COMMIT');
}
my @prepared = grep { $_ % 3 != 0 && $_ % 7 == 0 } 1 .. $writers;
is(sql('SELECT count(*) FROM pg_prepared_xacts'), @prepared, 'some are prepared');

# Others go on in what has become free.
do_it($_, "INSERT INTO visit VALUES ($_->{who}, 4)") for @sessions;
is(sql(q{SELECT max(strand) - min(strand) + 1 <= 2 * (SELECT count(*) FROM pg_prepared_xacts) + } . $writers
	. q{ FROM (SELECT anshim.strand(link) AS strand FROM visit) s}), 't', 'few new strands');
sql($_ % 2 ? "COMMIT PREPARED '$_'" : "ROLLBACK PREPARED '$_'") for @prepared;
do_it($_, "INSERT INTO visit VALUES ($_->{who}, 5)") for @sessions;

my $expected = sql(qq{SELECT count(*) FROM generate_series(1, $writers) who, generate_series(1, 5) step
	WHERE step >= 4 OR (who % 3 <> 0 AND (who % 7 <> 0 OR who % 2 = 1))});
is(sql('SELECT count(*) FROM visit'), $expected, 'what was committed is there, and nothing else');
is(sql(q{SELECT * FROM anshim.verify_chain('visit')}), '', 'all is well');
is(waits($log), '', 'nobody waited');
foreach my $session (@sessions)
{
	${ $session->{in} } .= "\\q\n";
	$session->{run}->finish;
}

# All at the same time, in three partitions in every order, beside a sealer
append_to_file("$dir/insert.sql", <<'SQL');
\set first random(1, 3)
\set second random(1, 3)
BEGIN;
INSERT INTO by_day VALUES (:first, :client_id);
INSERT INTO by_day SELECT :second, :client_id FROM generate_series(1, 20);
SAVEPOINT s;
INSERT INTO by_day VALUES (:second, :client_id), (:first, :client_id);
ROLLBACK TO s;
INSERT INTO by_day VALUES (:first, :client_id);
END;
SQL
append_to_file("$dir/seal.sql", "SELECT anshim.seal('by_day');\n\\sleep 100 ms\n");
$log = -s $node->logfile;
my $sealer = IPC::Run::start([ 'pgbench', '-n', '-c', 1, '-T', 5, '-f', "$dir/seal.sql", $node->connstr('postgres') ],
	'>', \my $sealed, '2>&1');
$node->command_like([ 'pgbench', '-n', '-c', $writers, '-j', 2, '-t', 20, '-f', "$dir/insert.sql", $node->connstr('postgres') ],
	qr/^number of transactions actually processed: @{[ $writers * 20 ]}\//m, "$writers writers at the same time");
ok($sealer->finish, 'beside a sealer') or diag($sealed);
is(waits($log), '', 'nobody waited');
is(sql('SELECT count(*) FROM by_day'), $writers * 20 * 22, 'all rows are there');
sql(q{SELECT anshim.seal('by_day')});
is(sql(q{SELECT * FROM anshim.verify_chain('by_day')}), '', 'all is well');
cmp_ok(sql(q{SELECT strands FROM anshim.chained WHERE target = 'by_day'::regclass}), '<=', 3 * $writers, 'no more strands than writers');

$node->stop;
done_testing();
