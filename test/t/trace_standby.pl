# Traces on a hot standby: they answer what the primary answers, go by their own
# snapshot while the primary's changes arrive, and end as any query does when
# recovery takes away what they read.

use strict;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', <<'CONF');
autovacuum = off
timezone = 'UTC'
log_min_messages = warning
CONF
$primary->start;

sub sql { my ($node, $sql) = @_; return $node->safe_psql('postgres', $sql) }

# What went wrong, with the error code
sub failure
{
	my ($node, $query) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', $query, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $stderr;
}

# PostGIS is not needed for the rest.
my $postgis = sql($primary, q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'});
my $within = $postgis ? 30 : 0;

sql($primary, <<'SQL');
CREATE EXTENSION anshim;
CREATE EXTENSION pageinspect;
CREATE TABLE visit (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
CREATE FUNCTION dice(i bigint, n bigint, throw text) RETURNS int LANGUAGE sql IMMUTABLE AS
	$$ SELECT ('x' || substr(md5(throw || i), 1, 8))::bit(32)::bigint % n $$;
-- Visits number first to last, spread over a week
CREATE FUNCTION visits(first int, last int) RETURNS SETOF visit LANGUAGE sql STABLE AS $$
	SELECT dice(i, 500, 'who'), dice(i, 20, 'where'), t, CASE WHEN dice(i, 7, 'out') > 0 THEN t + (1 + dice(i, 240, 'stay')) * interval '1 min' END
	FROM generate_series(first, last) AS i, LATERAL (SELECT '2021-01-01'::timestamptz + dice(i, 7 * 1440, 'when') * interval '1 min' AS t) AS l $$;
INSERT INTO visit SELECT * FROM visits(1, 10000);
CREATE TABLE by_day (subject text, venue int, entered_at timestamptz NOT NULL, left_at timestamptz) PARTITION BY RANGE (entered_at);
SELECT anshim.track_visits('by_day');
SELECT anshim.add_days('by_day', '[2021-01-01, 2021-01-08)', 'UTC');
INSERT INTO by_day SELECT 's' || subject, venue, entered_at, left_at FROM visit;
VACUUM visit;
SQL
sql($primary, <<'SQL') if $postgis;
CREATE EXTENSION postgis;
CREATE TABLE spot (venue int, location geometry);
CREATE INDEX ON spot USING gist (location);
INSERT INTO spot SELECT i, format('POINT(%s 0)', i * 20)::geometry FROM generate_series(0, 19) i;
SELECT anshim.track_venues('visit', 'spot'), anshim.track_venues('by_day', 'spot');
SQL
sql($primary, <<'SQL');
-- The trace, and a plain join, of one snapshot: nothing if they agree
CREATE FUNCTION difference(one int) RETURNS TABLE (whose text, subject int, at timestamptz) LANGUAGE sql STABLE AS $$
	WITH stay AS MATERIALIZED (
		SELECT subject, venue, entered_at, coalesce(max(left_at), entered_at + '1 hour') AS left_at FROM visit GROUP BY 1, 2, 3),
	plain AS MATERIALIZED (
		SELECT y.subject, min(greatest(y.entered_at, x.entered_at)) AS at
		FROM stay AS x JOIN stay AS y ON y.venue = x.venue AND y.entered_at < x.left_at AND y.left_at > x.entered_at
		WHERE x.subject = one AND y.subject <> one GROUP BY 1),
	engine AS MATERIALIZED (
		SELECT subject, exposed_at FROM anshim.exposures('visit', ARRAY[one], '(,)'))
	(SELECT 'lacks', * FROM (SELECT * FROM plain EXCEPT SELECT * FROM engine) AS p)
	UNION ALL (SELECT 'adds', * FROM (SELECT * FROM engine EXCEPT SELECT * FROM plain) AS e) $$;
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

#
# The primary's answers
#
sub caught_up { $primary->wait_for_catchup($standby) }

# Every function, over both logs
my $during = q{'[2021-01-02, 2021-01-04)'};
my @functions = (
	"SELECT * FROM anshim.contacts('visit', 7, $during, within => $within, linger => '10 min')",
	"SELECT * FROM anshim.contacts('by_day', 's7'::text, NULL::int, $during, within => $within)",
	"SELECT * FROM anshim.exposures('visit', ARRAY[7, 8], $during, degrees => 4, within => $within, until => '2021-01-06')",
	"SELECT * FROM anshim.exposures('by_day', ARRAY['s7', 's8'], NULL::int, $during, degrees => 4, latent => '1 day', until => '2021-01-07')",
	"SELECT * FROM anshim.exposures('visit', ARRAY[7, 8], $during, degrees => 2, min_overlap => '1 h', accumulate => '1 day')",
	"SELECT * FROM anshim.exposure_paths('visit', ARRAY[7], $during, degrees => 3, within => $within)",
	"SELECT * FROM anshim.exposure_paths('by_day', ARRAY['s7'], NULL::int, $during, degrees => 3)",
	"SELECT * FROM anshim.sources('visit', ARRAY[7], $during, degrees => 3, within => $within, since => '2021-01-01')",
	"SELECT * FROM anshim.sources('by_day', ARRAY['s7'], NULL::int, $during, degrees => 3, linger => '1 h')",
	"SELECT * FROM anshim.hotspots('visit', ARRAY[1, 2, 3, 4], $during, min_cases => 2, linger => '1 h')",
	"SELECT * FROM anshim.hotspots('by_day', ARRAY['s1', 's2', 's3', 's4'], NULL::int, $during, min_cases => 2)",
	"SELECT * FROM anshim.exposures_by('cdc-2020', 'visit', ARRAY[7], ARRAY[date '2021-01-03'], degrees => 2)",
	"SELECT level, source, subjects, rows_read FROM anshim.explain_exposures('by_day', ARRAY['s7'], NULL::int, $during, degrees => 3)",
	"SELECT anshim.exposure_dot('visit', ARRAY[7], $during) AS dot",
	"SELECT anshim.visit_source('by_day') AS source",
	"SELECT table_name, max_stay FROM anshim.visit_log");
# Their rows, in a text that both servers write alike
sub answers
{
	my ($node) = @_;

	return [ map { sql($node, "SELECT r::text FROM ($_) AS r ORDER BY 1") } @functions ];
}
caught_up;
my $answers = answers($primary);
ok(!(grep { $_ eq '' } @$answers), 'every function finds something');
is_deeply(answers($standby), $answers, 'the standby gives the primary\'s answers');
is(sql($standby, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM difference(7); COMMIT"), 0, 'in any transaction that it allows');

# What is tracked later, added and detached
sql($primary, q{SELECT anshim.untrack_visits('visit'); SELECT anshim.track_visits('visit', default_stay => '2 hours');
	SELECT anshim.add_days('by_day', '[2021-01-08, 2021-01-09)', 'UTC'); ALTER TABLE by_day DETACH PARTITION by_day_2021_01_03});
caught_up;
@functions = grep { !/within/ } @functions;
my $changed = answers($primary);
isnt("@$changed[0 .. 1]", "@$answers[0 .. 1]", 'other answers, once the logs have changed');
is_deeply(answers($standby), $changed, 'on the standby, too');
sql($primary, q{SELECT anshim.track_visits('visit', default_stay => '1 hour')});

# Unlogged tables are empty there, and PostgreSQL lets nobody read them.
sql($primary, q{CREATE UNLOGGED TABLE unlogged (LIKE visit); SELECT anshim.track_visits('unlogged');
	INSERT INTO unlogged SELECT * FROM visit LIMIT 10});
caught_up;
for my $call ("contacts('unlogged', 7", "exposures('unlogged', ARRAY[7]", "hotspots('unlogged', ARRAY[7]")
{
	is(sql($primary, "SELECT count(*) >= 0 FROM anshim.$call, $during)"), 't', 'an unlogged log');
	like(failure($standby, "SELECT * FROM anshim.$call, $during)"),
		qr/ERROR:  0A000: .*unlogged.*HINT: /s, 'which the standby does not have');
}

#
# Replay goes on meanwhile
#
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nwal_receiver_status_interval = 1");
$standby->reload;
$primary->poll_query_until('postgres', 'SELECT count(*) > 0 FROM pg_stat_replication WHERE backend_xmin IS NOT NULL');
my $changes = $primary->basedir . '/changes.sql';
PostgreSQL::Test::Utils::append_to_file($changes, <<'SQL');
\set i random(1, 10000)
\set mod random(1, 100)
INSERT INTO visit SELECT * FROM visits(:i, :i + 50);
DELETE FROM visit WHERE subject % 100 = :mod AND entered_at > '2021-01-03';
UPDATE visit SET left_at = entered_at + interval '90 min' WHERE venue = :mod AND left_at IS NULL;
VACUUM visit;
SQL
my $writer = IPC::Run::start([ 'pgbench', '-n', '-c', 2, '-T', 6, '-f', $changes, $primary->connstr('postgres') ],
	'>', \my $written, '2>', \my $write_errors, IPC::Run::timeout(300));
my ($traces, %snapshots, @differences) = (0);
while ($writer->pumpable)
{
	my $one = 1 + $traces++ % 50;
	my ($snapshot, @rows) = split /\n/, sql($standby, qq{BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT pg_current_snapshot(); SELECT * FROM difference($one)});
	$snapshots{$snapshot} = 1;
	push @differences, map { "$one: $_" } @rows;
	$writer->pump_nb;
}
ok($writer->finish, 'the primary is written to') or diag($write_errors);
note("$traces traces, of " . keys(%snapshots) . " snapshots");
cmp_ok(scalar keys %snapshots, '>', 3, 'while traces run on the standby');
is_deeply(\@differences, [], 'which find what their snapshots show');
caught_up;
is_deeply(answers($standby), answers($primary), 'afterwards both answer alike again');

#
# What is dead to the primary alone
#
$standby->append_conf('postgresql.conf', "hot_standby_feedback = off\nmax_standby_streaming_delay = -1");
$standby->reload;
$primary->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_replication WHERE backend_xmin IS NOT NULL');
sql($primary, q{TRUNCATE visit; INSERT INTO visit SELECT i, 1, '2021-01-02 10:00', NULL FROM generate_series(1, 20) i; CHECKPOINT});
caught_up;
my $count = "SELECT count(*) FROM anshim.contacts('visit', 1, $during)";
my $old = $standby->background_psql('postgres');
is($old->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; $count"), 19, 'a snapshot with all');
# The primary deletes rows, its index scans mark their entries, and the marks
# reach the standby in a whole page, which an insert after a checkpoint writes.
sql($primary, q{DELETE FROM visit WHERE subject BETWEEN 5 AND 14; CREATE TABLE a (); VACUUM a});
sql($primary, q{SET enable_seqscan = off; SET enable_bitmapscan = off;
	SELECT count(*) FROM visit WHERE venue = 1 AND entered_at > '2021-01-01' AND ctid <> '(9,9)';
	SELECT count(*) FROM visit WHERE subject > 0 AND entered_at > '2021-01-01' AND ctid <> '(9,9)';
	CHECKPOINT; INSERT INTO visit VALUES (21, 1, '2021-01-02 10:00', NULL)});
my $marks = "SELECT count(*) FILTER (WHERE dead) FROM bt_page_items('visit_by_venue', 1)";
is(sql($primary, $marks), 10, 'index entries marked dead on the primary');
caught_up;
is(sql($standby, $marks), 10, 'are so on the standby');
is($old->query_safe($count), 19, 'where the old snapshot\'s rows count all the same');
is(sql($standby, $count), 10, 'and a new one shows what is left');
is(sql($primary, $count), 10, 'as on the primary');

# VACUUM removes them, and replay waits for the snapshot.
sql($primary, 'VACUUM (INDEX_CLEANUP ON) visit');
$standby->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event LIKE 'RecoveryConflict%'})
	or die 'replay did not wait';
is($old->query_safe($count), 19, 'replay waits for the snapshot');
$old->query_safe('COMMIT');
is($old->query_safe($count), 10, 'which has ended');
caught_up;

#
# Cancelled, by recovery conflicts among others
#
sql($primary, q{TRUNCATE visit; INSERT INTO visit SELECT * FROM visits(1, 10000); DROP TABLE by_day_2021_01_03; SELECT anshim.add_days('by_day', '[2021-01-01, 2021-01-08)', 'UTC');
	INSERT INTO by_day SELECT 's' || subject, venue, entered_at, left_at FROM visit});
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = 0');
$standby->reload;
caught_up;

# Run a statement that is inside of a trace nearly all of the time, until this
# change on this node ends it; then its session goes on.  Before the change comes
# it has this table open.
sub ended_by
{
	my ($what, $log, $cases, $reads, $node, $change, $error) = @_;
	my $trace = "anshim.exposures('$log', $cases, '[2021-01-02, 2021-01-04)', degrees => 5)";
	my $held = qq{SELECT count(*) || ' contexts, ' || (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text LIKE '$log%')
		|| ' locks' FROM pg_backend_memory_contexts WHERE name LIKE 'anshim%'};
	my $session = $standby->background_psql('postgres', on_error_stop => 0);
	$session->query_safe("SELECT count(e) FROM generate_series(1, 5) AS i, LATERAL $trace AS e");
	my $before = $session->query_safe($held);
	$session->query_until(qr/begun/, "\\set VERBOSITY verbose\n\\echo begun\nSELECT 'long', count(e) FROM generate_series(1, 50000) AS i, LATERAL $trace AS e;\n");
	$standby->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks WHERE relation = '$reads'::regclass AND pid <> pg_backend_pid()")
		or die 'no trace runs';
	sql($node, $change);
	caught_up;
	# Where nothing ends it, we do, and fail.
	sql($standby, q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT ''long''%' AND state = 'active'})
		unless $standby->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'SELECT ''long''%' AND state = 'active'});
	is($session->query($held), $before, "$what: nothing is kept");
	like($session->{stderr}, qr/\A\S+ ERROR:  $error/, "$what: it ends as any query does");
	unlike($session->{stderr}, qr/XX000|WARNING/, "$what: with nothing else wrong");
	$session->{stderr} = '';
	cmp_ok($session->query_safe("SELECT count(e) FROM generate_series(1, 5) AS i, LATERAL $trace AS e"), '>', 0, "$what: the session goes on");
	$session->quit;
}
my $conflict = qr/40001: canceling statement due to conflict with recovery/;
ended_by('pg_cancel_backend', 'visit', 'ARRAY[i % 500]', 'visit', $standby,
	q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT ''long''%' AND state = 'active'},
	qr/57014: canceling statement due to user request/);
ended_by('VACUUM', 'visit', 'ARRAY[i % 500]', 'visit', $primary, 'DELETE FROM visit WHERE subject % 5 = 3; VACUUM (INDEX_CLEANUP ON) visit', $conflict);
ended_by('DROP of a partition', 'by_day', q{ARRAY['s' || i % 500], NULL::int}, 'by_day_2021_01_02', $primary, 'DROP TABLE by_day_2021_01_02', $conflict);

#
# Promotion
#
$old = $standby->background_psql('postgres');
my $was = $old->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; $count");
$standby->promote;
sql($standby, q{DELETE FROM visit});
sql($standby, q{CREATE TABLE b (); VACUUM b});
sql($standby, q{VACUUM (INDEX_CLEANUP ON) visit});
is($old->query_safe($count), $was, 'a transaction that began on the standby goes on when that is promoted');
$old->query_safe('COMMIT');
is($old->query_safe($count), 0, 'the next one sees what has been done since');
$old->quit;

$_->stop for $standby, $primary;
for my $node ($primary, $standby)
{
	my @bad = grep { /WARNING: |PANIC: |TRAP: |XX000/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile);
	is_deeply(\@bad, [], $node->name . ': no leak, and nothing else, in the log');
}
done_testing();
