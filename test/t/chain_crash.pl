# Whatever crashes, a chain stays whole: backends and whole servers are ended
# without warning while many write and others seal.  Afterwards verify_chain is
# clean with the newest head that was ever signed, every transaction that a
# client knows to be committed is there, and none is there in part.
#
#   ANSHIM_SEED=N   the same transactions and crashes, though not at the same
#                   instant; printed in any case
#   ROUNDS=24       so many crashes under load; 3 by default, one of each kind
#
# pg_regress cannot show it: its server must not crash.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $seed = $ENV{ANSHIM_SEED} || int rand 2**31;
my $rounds = $ENV{ROUNDS} || 3;
my $writers = 8;
my $transactions = 4000;    # of each writer in a round: more than it comes to
diag("ANSHIM_SEED=$seed ROUNDS=$rounds");
srand $seed;

my $dir = PostgreSQL::Test::Utils::tempdir;
mkdir "$dir/$_", 0700 or die for qw(keys heads);
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;

# The WAL's writer comes late, so that what is not flushed at commit is lost; what
# was written survives without fsync, as the machine goes on.
$node->append_conf('postgresql.conf', <<CONF);
shared_preload_libraries = 'anshim'
anshim.key_directory = '$dir/keys'
anshim.head_directory = '$dir/heads'
anshim.seal_interval = '1s'
restart_after_crash = on
synchronous_commit = on
wal_writer_delay = 10s
fsync = off
max_prepared_transactions = 50
log_error_verbosity = verbose
log_statement = none
CONF
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(<<'SQL');
CREATE EXTENSION anshim;
CREATE TABLE visit (round int, writer int, transaction int, item int, who text) PARTITION BY LIST (writer);
CREATE TABLE visit_even PARTITION OF visit FOR VALUES IN (0, 2, 4, 6);
CREATE TABLE visit_odd PARTITION OF visit FOR VALUES IN (1, 3, 5, 7);
CREATE UNIQUE INDEX ON visit (writer, round, transaction, item);
SELECT anshim.chain('visit', 'crash.example/visits');
SELECT anshim.generate_key('log', 'crash.example');
ALTER DATABASE postgres SET anshim.checkpoint_key = 'log';
SQL
my $vkey = sql("SELECT anshim.vkey('visit', 'log')");
my $head = "$dir/heads/" . sql('SELECT chain FROM anshim.chained');

#
# Transactions.  Each is a list of rows that are there once it is committed; rows
# of an item below 0 never are.
#
sub values_of { return join ', ', map { "($_[0], $_, 'visitor ' || repeat('$_', " . int(rand 40) . '))' } @{ $_[1] } }
sub insert { return 'INSERT INTO visit VALUES ' . values_of(@_) . ";\n" }

# A row out of line, now and then
sub long_row { return "INSERT INTO visit SELECT $_[0], $_[1], string_agg(md5(g::text), '') FROM generate_series(1, 300) g;\n" }

sub copy
{
	my ($place, $items) = @_;
	(my $fields = $place) =~ s/, /\t/g;

	return "COPY visit (round, writer, transaction, item, who) FROM STDIN;\n" . join('', map { "$fields\t$_\tcopied\n" } @$items) . "\\.\n";
}

# Its kind, by chance; the commands, and how many rows it has
sub transaction
{
	my ($round, $writer, $number) = @_;
	my $place = "$round, $writer, $number";
	my $kind = int rand 7;

	return (insert($place, [1]), 1) if $kind <= 1;
	return (insert($place, [ 1 .. 20 ]), 20) if $kind == 2;
	return (copy($place, [ 1 .. 30 ]), 30) if $kind == 3;
	return ("BEGIN;\n" . insert($place, [ 1, 2 ])
			. "SAVEPOINT a;\n" . insert($place, [-1]) . copy($place, [ -3, -2 ]) . "ROLLBACK TO a;\n" . insert($place, [3])
			. "SAVEPOINT b;\n\\set ON_ERROR_STOP 0\n" . insert($place, [ -1, 3 ]) . "\\set ON_ERROR_STOP 1\nROLLBACK TO b;\n"
			. "SAVEPOINT c;\n" . insert($place, [ 4, 5 ]) . "RELEASE c;\nCOMMIT;\n", 5) if $kind == 4;
	return ("BEGIN;\n" . insert($place, [ -1, -2 ]) . "ROLLBACK;\n" . long_row($place, 1), 1) if $kind == 5;
	return ("BEGIN;\n" . insert($place, [ 1, 2 ]) . "PREPARE TRANSACTION '$round/$writer/$number';\n"
			. "COMMIT PREPARED '$round/$writer/$number';\n", 2);
}

# A client that runs a file until its connection breaks; what psql prints goes to
# another file.
sub client
{
	my ($name, $script) = @_;
	my $client = { name => $name, out => "$dir/$name.out", err => "$dir/$name.err" };

	unlink "$dir/$name.sql";
	append_to_file("$dir/$name.sql", "\\set ON_ERROR_STOP 1\n$script\\echo end\n");
	$client->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-f', "$dir/$name.sql", '-d', $node->connstr('postgres') . " application_name=$name" ],
		'<', \undef, '>', $client->{out}, '2>', $client->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return $client;
}

# Of which transactions does it know that they are committed?
sub finish_client
{
	my ($client) = @_;

	$client->{run}->finish;
	my $out = slurp_file($client->{out});
	unlike($out, qr/^end$/m, "$client->{name} was at work when it happened");
	like(slurp_file($client->{err}), qr/connection to server was lost|server closed the connection/, "$client->{name} lost its server, and nothing else stopped it")
		or diag(slurp_file($client->{err}));
	return $out =~ /^committed (\d+)$/mg;
}

#
# Crashes
#
sub kill_backend
{
	my ($which) = @_;
	my $pid = sql("SELECT pid FROM pg_stat_activity WHERE $which");

	ok($pid && kill('KILL', $pid), "killed: $which");
	return;
}

my %crash = (
	writer => sub { kill_backend("application_name = 'writer_" . int(rand $writers) . "'") },
	sealer => sub { kill_backend("application_name = 'sealer'") },
	server => sub { $node->stop('immediate'); pass('stopped the server') });

# What is there of a round: rows of each transaction
sub rows_of
{
	my ($round) = @_;
	my %rows = map { my ($writer, $number, $count) = split /\|/; ("$writer/$number" => $count) }
		split /\n/, sql("SELECT writer, transaction, count(*) FROM visit WHERE round = $round GROUP BY 1, 2");

	return \%rows;
}

# Is everything of a round there that was committed, and nothing in part?
sub rows_ok
{
	my ($round, $size, $committed) = @_;
	my $rows = rows_of($round);
	my @lost = grep { !exists $rows->{$_} } @$committed;
	my @partly = grep { $rows->{$_} != $size->{$_} } keys %$rows;

	is("@lost", '', "round $round: all of the " . @$committed . ' transactions that are known to be committed are there');
	is("@partly", '', "round $round: each as a whole, or not at all");
	return;
}

# Is the chain clean, with a head that was signed: the last one, if none is given?
sub intact_ok
{
	my ($what, $signed) = @_;
	$signed //= -e $head ? slurp_file($head) : undef;
	my $note = defined $signed ? "E'" . $signed =~ s/\n/\\n/gr . "'" : 'NULL';

	is(sql("SELECT * FROM anshim.verify_chain('visit', $note, vkey => '$vkey')"), '', "$what: verify_chain is clean, with what was signed");
	return;
}

my @kinds;
my @history;
foreach my $round (1 .. $rounds)
{
	@kinds = sort { $a->[1] <=> $b->[1] } map { [ $_, rand ] } sort keys %crash unless @kinds;
	my $kind = (shift @kinds)->[0];
	my $delay = 0.2 + rand 1.3;
	my (%size, @clients);

	foreach my $writer (0 .. $writers - 1)
	{
		my $script = '';

		foreach my $number (1 .. $transactions)
		{
			my ($commands, $rows) = transaction($round, $writer, $number);

			$script .= "$commands\\echo committed $number\n";
			$size{"$writer/$number"} = $rows;
		}
		push @clients, client("writer_$writer", $script);
	}
	my $sealer = client('sealer', "SELECT anshim.seal('visit');\nSELECT anshim.seal('visit');\nSELECT anshim.checkpoint('visit', 'log');\nCHECKPOINT;\n" x 5000);
	$node->poll_query_until('postgres', "SELECT count(DISTINCT writer) = $writers FROM visit WHERE round = $round") or die 'not all writers came to write';
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'sealer'") or die;
	sleep $delay;
	$crash{$kind}->();

	my @committed;
	foreach my $writer (0 .. $writers - 1)
	{
		push @committed, map { "$writer/$_" } finish_client($clients[$writer]);
	}
	finish_client($sealer);
	if ($kind eq 'server') { $node->start }
	else { $node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back' }

	intact_ok("round $round ($kind)");
	my @prepared = split /\n/, sql('SELECT gid FROM pg_prepared_xacts');
	sql((rand() < 0.5 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$_'") for sort @prepared;
	is(sql('SELECT count(*) FROM visit WHERE item < 0'), 0, "round $round: nothing that was rolled back is there");
	rows_ok($round, \%size, \@committed);
	push @history, [ $round, \%size, \@committed ];
	sql("SELECT anshim.seal('visit')");
	intact_ok("round $round, sealed again");
	note("round $round: $kind after $delay s, " . @committed . ' transactions, ' . @prepared . ' left prepared, '
		. sql("SELECT format('%s leaves, %s blocks, %s strands', max(size), count(*), (SELECT strands FROM anshim.chained)) FROM anshim.block"));
}

rows_ok(@$_) for @history;

# An expiry that is ended in the middle has done nothing, and one that is called
# again does all of it, beside writers as before.
my $rows = sql('SELECT count(*) FROM visit');
my $before = slurp_file($head);
foreach my $try (1 .. ($rounds + 2) / 3)
{
	# it will not come to its end while somebody holds a row
	my $holder = client('holder', "BEGIN;\nSELECT FROM visit LIMIT 1 OFFSET 5000 FOR SHARE;\nSELECT pg_sleep(600);\n");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'") or die 'no row is held';
	my $expiry = client('expiry', "SELECT anshim.expire('visit', now());\n");
	my $delay = rand 0.5;

	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'expiry' AND query LIKE '%expire%'") or die 'expire() does not come to run';
	sleep $delay;
	$try % 2 ? $crash{server}->() : kill_backend("application_name = 'expiry'");
	finish_client($_) for $expiry, $holder;
	if ($try % 2) { $node->start }
	else { $node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back' }
	is(sql('SELECT count(*) FROM visit'), $rows, "expiry $try, ended after $delay s: nothing is gone");
	is(sql('SELECT count(*) FROM anshim.expired'), 0, "expiry $try: nothing is recorded as gone");
	intact_ok("expiry $try");
}
is(sql("SELECT anshim.expire('visit', now())"), $rows, 'called again, it removes all rows');
is(sql('SELECT count(*) FROM visit'), 0, 'they are gone');
intact_ok('expired, with a head from before', $before);
cmp_ok(sql('SELECT count(*) FROM anshim.checkpoint'), '>=', 1, 'heads were signed meanwhile');
intact_ok('in the end');
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC:|TRAP:|(?:ERROR|FATAL):  XX/, 'no server found itself in a state that must not be');

$node->stop;
done_testing();
