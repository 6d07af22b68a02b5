# What is recorded of visit logs survives pg_dump and restore, in every form
# that people use, and a trace of the restored log finds the same.  pg_regress
# cannot show it: it takes programs beside the server.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
my $dir = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql(
	'origin', q{
	CREATE EXTENSION anshim;
	CREATE ROLE regress_visits_dump;
	CREATE SCHEMA "Über";
	CREATE TABLE "Über"."Visit" ("who?" text, "where" int, a timestamptz NOT NULL, b timestamptz);
	ALTER TABLE "Über"."Visit" OWNER TO regress_visits_dump;
	SELECT anshim.track_visits('"Über"."Visit"', 'who?', 'where', 'a', 'b', '30 hours', '45 min');
	INSERT INTO "Über"."Visit" VALUES ('x', 1, '2021-01-01 00:00Z', '2021-01-02 05:00Z'), ('y', 1, '2021-01-02 04:00Z', NULL);
	SELECT anshim.create_visit_log('by_day', '[2021-01-01, 2021-01-03)', 'Europe/Berlin');
	INSERT INTO by_day (subject, venue, entered_at) SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', '2021-01-02 12:00Z'
		FROM generate_series(1, 3);
	INSERT INTO anshim.definition (name, min_overlap, days_before, source) VALUES ('ours', '5 min', 3, 'a plan');
	-- One whose row was left behind: nothing of it may get into a dump.
	CREATE TABLE gone (subject int, venue int, entered_at timestamptz NOT NULL, left_at timestamptz);
	SELECT anshim.track_visits('gone');
	SET session_replication_role = replica;
	DROP TABLE gone;
});

# PostGIS is not needed for the rest.
my $postgis = $node->safe_psql('origin',
	q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'});
$node->safe_psql('origin', q{
	CREATE EXTENSION postgis;
	CREATE TABLE venue (venue int, location geography);
	CREATE INDEX ON venue USING gist (location);
	INSERT INTO venue VALUES (1, 'POINT(0 0)'), (2, 'POINT(0 0.0001)');
	INSERT INTO "Über"."Visit" VALUES ('z', 2, '2021-01-02 04:00Z', NULL);
	SELECT anshim.track_venues('"Über"."Visit"', 'venue');
}) if $postgis;

# What there is to be seen of the logs
sub state_of
{
	my ($database) = @_;
	my $within = $postgis ? 20 : 0;

	return $node->safe_psql(
		$database, qq{
		SELECT * FROM anshim.visit_log WHERE table_name <> 'gone' ORDER BY 1, 2;
		SELECT * FROM anshim.definition ORDER BY name;
		SELECT subject, venue, started_at AT TIME ZONE 'UTC', distance
			FROM anshim.contacts('"Über"."Visit"', 'x'::text, NULL::int, '[2021-01-01, 2021-01-03)', within => $within) ORDER BY 1;
		SELECT count(*) FROM by_day c, anshim.contacts('by_day', c.subject, '[2021-01-01, 2021-01-04)');
		SELECT anshim.add_days('by_day', '[2021-01-01, 2021-01-03)');
		SELECT conrelid::regclass, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE conname = 'anshim_stay' ORDER BY conrelid::regclass::text COLLATE "C";
		SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = '"Über"."Visit"'::regclass ORDER BY pg_get_indexdef(indexrelid) COLLATE "C";
		SELECT evtname, evtenabled FROM pg_event_trigger WHERE evtname LIKE 'anshim%' ORDER BY 1;
	});
}

my $expected = state_of('origin');
like($expected, qr/^Über\|Visit\|who\?\|where\|a\|b\|30:00:00\|00:45:00\|/m, 'the logs are recorded');
like($expected, qr/^y\|1\|2021-01-02 04:00:00\|0$/m, 'and traced');
like($expected, qr/^z\|2\|2021-01-02 04:00:00\|11\.0\d+$/m, 'with a distance') if $postgis;

# Restore with these commands, and compare.
sub restored_ok
{
	my ($name, @commands) = @_;
	(my $database = $name) =~ s/\W+/_/g;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	foreach my $command (@commands)
	{
		my @command = map { s/\@database\@/$database/r } @$command;
		$node->command_ok(\@command, "$name: $command[0] @command[1 .. $#command]");
	}
	is(state_of($database), $expected, "$name: the same log");
	is( $node->safe_psql($database, q{SELECT count(*) FROM anshim.visit_log WHERE table_name = 'gone'}),
		0, "$name: no row of a table that is gone");

	# It is as alive as the original one.
	$node->safe_psql($database, 'DROP TABLE by_day; ALTER TABLE "Über"."Visit" RENAME TO visit');
	is($node->safe_psql($database, 'SELECT table_name FROM anshim.visit_log'),
		'visit', "$name: its rows follow");
}

my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', '@database@');
my @restore = ('pg_restore', '-e', '-d', '@database@');

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", 'origin' ], 'pg_dump, plain');
restored_ok('plain', [ @psql, '-f', "$dir/plain.sql" ]);

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", 'origin' ], 'pg_dump, custom');
restored_ok('custom', [ @restore, "$dir/custom" ]);
restored_ok('custom by section',
	map { [ @restore, "--section=$_", "$dir/custom" ] } qw(pre-data data post-data));

$node->command_ok([ 'pg_dump', '-Fd', '-f', "$dir/directory", 'origin' ], 'pg_dump, directory');
restored_ok('directory with two jobs', [ @restore, '-j2', "$dir/directory" ]);

$node->command_ok([ 'pg_dump', '-s', '-f', "$dir/schema.sql", 'origin' ], 'pg_dump, schema alone');
$node->command_ok([ 'pg_dump', '-a', '-f', "$dir/data.sql", 'origin' ], 'pg_dump, data alone');
restored_ok('schema then data', [ @psql, '-f', "$dir/schema.sql" ], [ @psql, '-f', "$dir/data.sql" ]);

$node->command_ok([ 'pg_dump', '--inserts', '-f', "$dir/inserts.sql", 'origin' ], 'pg_dump, inserts');
restored_ok('inserts', [ @psql, '-f', "$dir/inserts.sql" ]);

# Restored over itself, the extension's event triggers see all its tables go.
# (pg_restore --clean fails on primary keys of partitioned tables.)
my $seen = q{
	SELECT table_name, max_stay FROM anshim.visit_log;
	SELECT subject FROM anshim.contacts('"Über"."Visit"', 'x'::text, NULL::int, '[2021-01-01, 2021-01-03)');
};
$node->safe_psql('postgres', 'CREATE DATABASE again TEMPLATE origin');
$node->safe_psql('again', q{DROP TABLE by_day; DELETE FROM anshim.visit_log WHERE table_name = 'gone'});
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/again", 'again' ], 'pg_dump, once more');
$node->command_ok([ 'pg_restore', '-e', '--clean', '--if-exists', '-d', 'again', "$dir/again" ],
	'pg_restore --clean');
is($node->safe_psql('again', $seen), "Visit|30:00:00\ny", 'restored over itself: the same log');

# A role that owns nothing but her table can dump it.
$node->safe_psql('origin', 'GRANT USAGE ON SCHEMA "Über" TO regress_visits_dump');
$node->command_like(
	[ 'pg_dump', '--role=regress_visits_dump', '-t', '"Über"."Visit"', 'origin' ],
	qr/anshim_stay/, 'an owner dumps her log');

$node->stop;
done_testing();
