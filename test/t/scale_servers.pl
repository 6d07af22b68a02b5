# A visit log whose parts lie on three servers: partitioned by day, the days by
# hash of venue.
#
# That answers are right is what test/sql/source_sql.sql and the oracle show,
# with a server that is its own neighbour.  What needs servers of their own is
# here: what they are sent, whether they work at the same time, how often they
# are asked, and what happens when one is slow, or gone.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $visits = 20_000;

sub make_server
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->append_conf('postgresql.conf', <<'CONF');
fsync = off
TimeZone = 'UTC'
jit = off
shared_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
log_statement = 'none'
CONF
	$node->start;
	return $node;
}

# What the servers wrote since then
sub logged
{
	my ($node, $since) = @_;
	return substr(slurp_file($node->logfile), $since);
}

my $here = make_server('here');
my @others = map { make_server($_) } qw(north south);

$here->safe_psql('postgres', <<'SQL');
CREATE EXTENSION anshim;
CREATE EXTENSION postgres_fdw;
-- All of it in one place, to compare with
CREATE TABLE whole (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE TABLE visit (LIKE whole) PARTITION BY RANGE (entered_at);
CREATE TABLE visit_today PARTITION OF visit FOR VALUES FROM ('2021-01-03') TO (MAXVALUE);
CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM (MINVALUE) TO ('2021-01-03') PARTITION BY HASH (venue);
SQL

for my $i (0 .. 1)
{
	my $node = $others[$i];

	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE visit (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz);
CREATE INDEX ON visit (subject, entered_at, venue) INCLUDE (left_at);
CREATE INDEX ON visit (venue, entered_at, subject) INCLUDE (left_at);
SQL
	$here->safe_psql('postgres', sprintf(<<'SQL', $node->name, $node->host, $node->port, $node->name, $node->name, $i, $node->name));
CREATE SERVER %s FOREIGN DATA WRAPPER postgres_fdw
	OPTIONS (host '%s', port '%s', dbname 'postgres', fetch_size '100000', async_capable 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER %s;
CREATE FOREIGN TABLE visit_%s PARTITION OF visit_old FOR VALUES WITH (MODULUS 2, REMAINDER %d)
	SERVER %s OPTIONS (table_name 'visit');
SQL
}

$here->safe_psql('postgres', <<"SQL");
-- (a session's own)
SELECT setseed(0.25);
INSERT INTO whole
SELECT (random() * 2000)::bigint, (random() * 200)::bigint, t, CASE WHEN random() < 0.7 THEN t + random() * interval '3 hours' + interval '1 minute' END
FROM (SELECT timestamptz '2021-01-01' + random() * interval '4 days' AS t FROM generate_series(1, $visits)) AS entry;
INSERT INTO visit SELECT * FROM whole;
SELECT anshim.track_visits('whole'), anshim.track_visits('visit');
SQL
$_->safe_psql('postgres', 'VACUUM ANALYZE visit') for @others;

#
# The same answers, and what was asked for them
#

my $call = "(SELECT %s FROM anshim.exposures('%s', ARRAY[1, 2]::bigint[], '[2021-01-01, 2021-01-05)', degrees => 3, linger => '10 minutes') AS e)";

sub call
{
	my ($table) = @_;
	return sprintf($call, q{count(*) || ' ' || md5(string_agg(e::text, '|' ORDER BY e::text))}, $table);
}

my %since = map { $_->name => -s $_->logfile } $here, @others;
is( $here->safe_psql('postgres', 'SELECT ' . call('visit')),
	$here->safe_psql('postgres', 'SELECT ' . call('whole')),
	'a trace over three servers finds what one over one table finds');

my $plans = logged($here, $since{here});
unlike($plans, qr/Foreign Scan on [^\n]*\n(?:[^\n]*\n){0,2}\s+Filter:/, 'no condition stays behind');
like($plans, qr/Async Foreign Scan [^\n]*\n[^\n]*\n\s+Relations: Aggregate on \(public\.visit_north t\w*\)/, 'the servers work at the same time');
like($plans, qr/Remote SQL: [^\n]*unnest\(\$\d+::bigint\[\]\)[^\n]*int8send\(venue\)[^\n]* FROM public\.visit WHERE/,
	'what is asked for is a list, and comes packed');
unlike($plans, qr/GROUP BY 1\) AS anshim_t/, 'which takes no groups');

for my $node (@others)
{
	my $asked = () = logged($node, $since{ $node->name }) =~ /DECLARE c\d+ CURSOR/g;

	cmp_ok($asked, '<=', 2 * 3, $node->name . ' is asked twice a level at most');
	cmp_ok($asked, '>', 0, $node->name . ' is asked');
}

# Whatever the session's settings, what we ask is not compiled: LLVM would not be
# interrupted.  (It is a package of its own from PostgreSQL 18 on.)
SKIP:
{
	skip 'there is no LLVM', 3 if $here->safe_psql('postgres', 'SET jit = on; SELECT pg_jit_available()') ne 't';

	my $before = -s $here->logfile;
	$here->safe_psql('postgres', 'SET jit = on; SET jit_above_cost = 0; SELECT ' . call('visit'));
	my @logged = split /duration: /, logged($here, $before);
	is(scalar(grep({ /Query Text: SELECT \(SELECT count/ && /JIT:/ } @logged)), 1, 'a query that calls us may be compiled');
	my @ours = grep { /Foreign Scan/ } @logged;
	cmp_ok(@ours, '>=', 4, 'we ask');
	is(scalar(grep({ /JIT:/ } @ours)), 0, 'and are not compiled');
}

# So it is however many subjects there are, but very long lists go in pieces: here
# those who have been nowhere are asked for as well.
for my $long (0, 140_000)
{
	my $many = qq{(SELECT count(*) || ' ' || md5(string_agg(e::text, '|' ORDER BY e::text))
		FROM anshim.exposures('%s', (SELECT array_agg(DISTINCT subject) FROM whole WHERE subject % 20 = 0) ||
			ARRAY(SELECT generate_series(10001, 10000 + $long)), '[2021-01-01, 2021-01-05)', degrees => 2) AS e)};

	%since = map { $_->name => -s $_->logfile } @others;
	is( $here->safe_psql('postgres', 'SELECT ' . $many =~ s/%s/visit/r),
		$here->safe_psql('postgres', 'SELECT ' . $many =~ s/%s/whole/r),
		'many cases over three servers expose whom they expose in one table');
	for my $node (@others)
	{
		my $asked = () = logged($node, $since{ $node->name }) =~ /DECLARE c\d+ CURSOR/g;

		is($asked, $long ? 5 : 4, $node->name . ' is asked ' . ($long ? 'once more' : 'twice a level'));
	}
}

# Who of them has a venue is known here.
$here->safe_psql('postgres', q{INSERT INTO visit SELECT subject, 1000, '2021-01-01 12:00', '2021-01-01 13:00' FROM unnest('{9001, 9002}'::bigint[]) AS subject});
my ($holder) = grep { $_->safe_psql('postgres', 'SELECT count(*) FROM visit WHERE venue = 1000') == 2 } @others;
%since = map { $_->name => -s $_->logfile } @others;
is($here->safe_psql('postgres', q{SELECT string_agg(subject::text, ',') FROM anshim.exposures('visit', ARRAY[9001]::bigint[], '[2021-01-01, 2021-01-03)')}),
	'9002', 'a venue that lies on one server');
for my $node (@others)
{
	my $asked = () = logged($node, $since{ $node->name }) =~ /DECLARE c\d+ CURSOR/g;

	is($asked, $node == $holder ? 2 : 1, $node->name . ($node == $holder ? ' has it, and is asked' : ' has it not, and is not asked'));
}
$here->safe_psql('postgres', 'DELETE FROM visit WHERE venue = 1000');

# (Of half of all subjects each server rather reads the whole of its small table.)
%since = map { $_->name => -s $_->logfile } @others;
$here->safe_psql('postgres', q{SELECT FROM anshim.exposures('visit', ARRAY[1]::bigint[], '[2021-01-01, 2021-01-05)')});
for my $node (@others)
{
	my $asked = () = logged($node, $since{ $node->name }) =~ /DECLARE c\d+ CURSOR/g;

	is($asked, 2, $node->name . ' is asked twice a level');

	my @scans = logged($node, $since{ $node->name }) =~ /((?:Index Only Scan|Index Scan|Bitmap Index Scan|Seq Scan)[^\n]*)/g;

	ok(@scans > 0 && !grep({ /Seq Scan/ } @scans), $node->name . ' searches its own indexes');
}

# Rows that matter, and no others: hardly more than those that the trace over
# local B-trees looks at.
my ($local, $moved) = split /\|/, $here->safe_psql('postgres', <<"SQL");
WITH a AS MATERIALIZED (SELECT ${\call('whole')} AS answer), b AS (SELECT sum(subject_rows + venue_rows) AS rows FROM a, anshim.last_trace() WHERE answer IS NOT NULL),
	c AS MATERIALIZED (SELECT ${\call('visit')} AS answer FROM b WHERE rows > 0), d AS (SELECT sum(subject_rows + venue_rows) AS rows FROM c, anshim.last_trace() WHERE answer IS NOT NULL)
SELECT b.rows, d.rows FROM b, d;
SQL
cmp_ok($moved, '<', 4 * $local, "few rows come that do not matter: $moved, and $local with local indexes");

#
# A server that is slow: cancelled soon, with the other's work
#

$others[0]->safe_psql('postgres', <<'SQL');
ALTER TABLE visit RENAME TO visit_kept;
CREATE VIEW visit AS SELECT v.* FROM visit_kept AS v WHERE pg_sleep(0.2) IS NOT NULL;
SQL
my $begun = time;
my ($status, undef, $error) = $here->psql('postgres', "SET statement_timeout = '1s'; SELECT " . call('visit'));
my $taken = time - $begun;
isnt($status, 0, 'a trace that waits for a slow server is cancelled');
like($error, qr/canceling statement due to statement timeout/, 'and says why');
cmp_ok($taken, '<', 3, 'soon');

# The definition there changed in the middle: the error tells of which table.
$others[0]->safe_psql('postgres', 'DROP VIEW visit; CREATE VIEW visit AS SELECT subject, venue FROM visit_kept');
($status, undef, $error) = $here->psql('postgres', 'SELECT ' . call('visit'));
isnt($status, 0, 'a table that is not what it was is an error');
like($error, qr/entered_at/, 'which names what is missing');
like($error, qr/CONTEXT:.*foreign table "visit_north" on server "north"/s, 'and where');
$others[0]->safe_psql('postgres', 'DROP VIEW visit; ALTER TABLE visit_kept RENAME TO visit');
is( $here->safe_psql('postgres', 'SELECT ' . call('visit')),
	$here->safe_psql('postgres', 'SELECT ' . call('whole')),
	'mended, it answers again');

# One that fails in the middle, when it is asked for the second time: nothing is
# answered, and the error tells where, for the tables have the same name there.
$others[0]->safe_psql('postgres', <<'SQL');
CREATE SEQUENCE asked;
CREATE FUNCTION fail() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF nextval('public.asked') > 1 THEN
		PERFORM pg_terminate_backend(pg_backend_pid());
	END IF;
	RETURN true;
END
$$;
ALTER TABLE visit RENAME TO visit_kept;
CREATE VIEW visit AS SELECT v.* FROM visit_kept AS v, (SELECT fail() OFFSET 0) AS f;
SQL
for my $skip (qw(false true))
{
	$others[0]->safe_psql('postgres', q{SELECT setval('asked', 1, false)});
	($status, my $answer, $error) = $here->psql('postgres',
		"SELECT count(*) FROM anshim.exposures('visit', ARRAY[1, 2]::bigint[], '[2021-01-01, 2021-01-05)', degrees => 3, skip_unreachable => $skip)");
	isnt($status, 0, "a server that is lost in the middle is an error, skip_unreachable => $skip");
	is($answer, '', 'nothing is half-answered');
	like($error, qr/terminating connection|closed the connection/, 'the error tells what happened');
	like($error, qr/HINT:[^\n]*skip_unreachable/, 'what to do');
	like($error, qr/CONTEXT:.*foreign table "visit_north" on server "north"/s, 'and where');
	unlike($error, qr/server "south"/, 'and accuses no other');
}
$others[0]->safe_psql('postgres', 'DROP VIEW visit; ALTER TABLE visit_kept RENAME TO visit');

#
# A server that is gone
#

my $whole_of_north = $here->safe_psql('postgres', 'SELECT ' . call('visit'));
is($whole_of_north, $here->safe_psql('postgres', 'SELECT ' . call('whole')), 'all is well again');

$others[1]->stop('immediate');
($status, undef, $error) = $here->psql('postgres', 'SELECT ' . call('visit'));
isnt($status, 0, 'without one server there is no answer');
like($error, qr/could not connect to server "south"/, 'and the error names it');
like($error, qr/HINT:[^\n]*skip_unreachable/, 'and tells what can be done');

# Days that lie here alone need no other server.
is( $here->safe_psql('postgres', q{SELECT count(*) > 0 FROM anshim.exposures('visit', (SELECT array_agg(DISTINCT subject) FROM whole WHERE subject < 50), '[2021-01-04 12:00, 2021-01-05)')}),
	't', 'days that lie here do not ask who is gone');

# What there is, and a warning: the answer is that of a log without the rows that
# lie in the south.
$here->safe_psql('postgres', <<'SQL');
CREATE TABLE without_south (LIKE whole);
DO $$
BEGIN
	INSERT INTO without_south
	SELECT * FROM whole
	WHERE entered_at >= '2021-01-03' OR satisfies_hash_partition('visit_old'::regclass, 2, 0, venue);
END
$$;
SELECT anshim.track_visits('without_south');
SQL
my $args = q{'[2021-01-01, 2021-01-05)', linger => '10 minutes', skip_unreachable => true};
for my $function (
	"anshim.exposures(LOG, ARRAY[1, 2]::bigint[], $args, degrees => 3)",
	"anshim.exposure_paths(LOG, ARRAY[1, 2]::bigint[], $args, degrees => 3)",
	"anshim.sources(LOG, ARRAY[1, 2]::bigint[], $args, degrees => 2)",
	"anshim.hotspots(LOG, ARRAY[1, 2, 3, 4, 5, 6]::bigint[], $args)",
	"anshim.contacts(LOG, 1::bigint, $args)")
{
	my $query = "SELECT count(*) || ' ' || md5(string_agg(e::text, '|' ORDER BY e::text)) FROM $function AS e";
	my ($name) = $function =~ /anshim\.(\w+)/;

	($status, my $found, $error) = $here->psql('postgres', $query =~ s/LOG/'visit'/r);
	is($status, 0, "$name goes without a server that is gone, if told so");
	is($found, $here->safe_psql('postgres', $query =~ s/LOG/'without_south'/r), 'and finds what there is');
	is(() = $error =~ /WARNING:/g, 1, 'it warns once');
	like($error, qr/WARNING: [^\n]*server "south" cannot be reached: what visit log "visit" has there is left out/, 'of that server');
}
is( $here->safe_psql('postgres', "SELECT DISTINCT source FROM anshim.explain_exposures('visit', ARRAY[1, 2]::bigint[], $args, degrees => 3)"),
	'B-trees: table (1); SQL: foreign table on server north (1)', 'what was read is told');
is( $here->safe_psql('postgres', "BEGIN; SAVEPOINT a; SELECT count(*) > 0 FROM anshim.exposures('visit', ARRAY[1, 2]::bigint[], $args); SELECT count(*) > 0 FROM visit_north; COMMIT"),
	"t\nt", 'the transaction goes on, on the other server as well');

# What is no loss of a server is no reason to leave it out.
$others[0]->safe_psql('postgres', 'ALTER TABLE visit RENAME COLUMN entered_at TO came');
($status, undef, $error) = $here->psql('postgres', "SELECT FROM anshim.exposures('visit', ARRAY[1, 2]::bigint[], $args)");
isnt($status, 0, 'a table that has changed is an error all the same');
like($error, qr/entered_at.*foreign table "visit_north" on server "north"/s, 'which tells where');

# A view that reads from there is left out whole.
$here->safe_psql('postgres', q{CREATE VIEW seen AS SELECT * FROM visit_south UNION ALL SELECT * FROM visit_today; SELECT anshim.track_visits('seen')});
($status, my $found, $error) = $here->psql('postgres', "SELECT count(*) FROM anshim.exposures('seen', ARRAY[1, 2]::bigint[], $args)");
is("$status $found", '0 0', 'a view is left out whole');
like($error, qr/WARNING: [^\n]*view "seen" is left out.*could not connect to server "south"/s, 'with a warning that names the server');

done_testing();
