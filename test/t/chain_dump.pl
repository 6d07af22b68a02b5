# Links survive pg_dump and restore, in every form that people use: afterwards
# verify_chain is clean, the checkpoint that was signed before still verifies,
# and rows are inserted and sealed as before.  pg_regress cannot show it: it
# takes programs beside the server.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGCLIENTENCODING} = 'UTF8';

my $dir = PostgreSQL::Test::Utils::tempdir;
mkdir "$dir/$_", 0700 or die for qw(keys heads);
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<CONF);
anshim.key_directory = '$dir/keys'
anshim.head_directory = '$dir/heads'
CONF
$node->start;

sub sql { my ($database, $sql) = @_; return $node->safe_psql($database, $sql) }

# Tables of every kind: with layouts, names and types that have changed, values
# out of line, a dropped column, partitions of two levels, a table of which no row
# was sealed, the ready-made visit log, and a chain that has ended.
sql('postgres', 'CREATE DATABASE origin');
sql('origin', <<'SQL');
CREATE EXTENSION anshim;
SELECT anshim.generate_key('log', 'Jeju');
CREATE SCHEMA "Über";
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE "Über"."Visit" (dropped int, "who?" text, mood mood, doubled int GENERATED ALWAYS AS (length("who?") * 2) STORED,
	amount numeric, price float8, long text, at timestamptz, json jsonb, list int[], PRIMARY KEY ("who?", at));
ALTER TABLE "Über"."Visit" DROP COLUMN dropped;
INSERT INTO "Über"."Visit" ("who?", mood, amount, price, long, at, json, list) SELECT 'früh ' || i, 'sad', i, 'NaN', NULL, '2021-01-01', '{"b": 1, "a": 2}', '{1,NULL}' FROM generate_series(1, 10) i;
SELECT anshim.chain('"Über"."Visit"', 'dump.example/visit');
INSERT INTO "Über"."Visit" ("who?", mood, amount, price, long, at, json, list) SELECT i::text, 'glad', i / 7.0, sqrt(i), CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 1000) END, '2021-01-02', 'null', '{}'
	FROM generate_series(1, 600) i;
ALTER TABLE "Über"."Visit" ADD COLUMN later uuid DEFAULT gen_random_uuid();
ALTER TABLE "Über"."Visit" RENAME COLUMN price TO "what it costs";
ALTER TYPE mood RENAME TO "Stimmung";
INSERT INTO "Über"."Visit" ("who?", amount, long, at) SELECT 'später ' || i, 1, 'x', '2021-01-03' FROM generate_series(1, 300) i;

CREATE TABLE by_day (at date NOT NULL, who text) PARTITION BY RANGE (at);
CREATE TABLE day_1 PARTITION OF by_day FOR VALUES FROM ('2021-01-01') TO ('2021-01-02');
CREATE TABLE day_2 (who text, at date NOT NULL) PARTITION BY LIST (who);
CREATE TABLE day_2_a (at date NOT NULL, who text);
ALTER TABLE day_2 ATTACH PARTITION day_2_a FOR VALUES IN ('a');
ALTER TABLE by_day ATTACH PARTITION day_2 FOR VALUES FROM ('2021-01-02') TO ('2021-01-03');
SELECT anshim.chain('by_day', 'dump.example/by_day');
CREATE TABLE day_3 PARTITION OF by_day FOR VALUES FROM ('2021-01-03') TO ('2021-01-04');
INSERT INTO by_day SELECT '2021-01-01'::date + i % 3, 'a' FROM generate_series(1, 900) i;

CREATE TABLE young (i int);
SELECT anshim.chain('young', 'dump.example/young');
INSERT INTO young VALUES (1), (2);

SELECT anshim.create_visit_log('log', '[2021-01-01, 2021-01-03)', 'UTC');
INSERT INTO log (subject, venue, entered_at) SELECT gen_random_uuid(), gen_random_uuid(), '2021-01-01 12:00Z' FROM generate_series(1, 300);

CREATE TABLE ended (i int);
SELECT anshim.chain('ended', 'dump.example/ended');
INSERT INTO ended VALUES (1);
SELECT anshim.unchain('ended');
SQL

my @tables = ('"Über"."Visit"', 'by_day', 'young', 'log');
my %checkpoint;
foreach my $table (grep { $_ ne 'young' } @tables)
{
	sql('origin', "SELECT anshim.seal('$table')");
	$checkpoint{$table} = sql('origin', "SELECT anshim.checkpoint('$table', 'log')");
}
# and some that come after the checkpoint, sealed and not
sql('origin', <<'SQL');
INSERT INTO "Über"."Visit" ("who?", at) VALUES ('sealed', '2021-01-04');
SELECT anshim.seal('"Über"."Visit"');
INSERT INTO "Über"."Visit" ("who?", at) VALUES ('not sealed', '2021-01-04');
SQL

# What verify_chain finds amiss in all of them
sub findings
{
	my ($database, @of) = @_;

	return join "\n", map {
		my $checkpoint = exists $checkpoint{$_} ? "E'" . $checkpoint{$_} =~ s/\n/\\n/gr . "'" : 'NULL';
		sql($database, "SELECT '$_', * FROM anshim.verify_chain('$_', $checkpoint)") || ();
	} @of ? @of : @tables;
}

# What else must be the same
my $records = join ';', map { "SELECT md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM anshim.$_ t" }
	qw(chain layout chain_partition event block segment tile kept expired checkpoint);
sub state_of
{
	my ($database) = @_;

	return sql($database, $records) . "\n"
		. join "\n", map { sql($database, "SELECT md5(string_agg(t::text, ',' ORDER BY link)) FROM $_ t") } @tables, 'ended';
}

is(findings('origin'), '', 'all is well before');
my $expected = state_of('origin');

# It goes on: rows are linked and sealed, the guards are there, what happens to
# the table is followed.
sub alive_ok
{
	my ($name, $database, @of) = @_;

	if (grep { $_ eq '"Über"."Visit"' } @of)
	{
		my $size = sql($database, q{SELECT anshim.seal('"Über"."Visit"')});

		sql($database, q{
			INSERT INTO "Über"."Visit" ("who?", at) SELECT 'more ' || i, '2021-02-01' FROM generate_series(1, 300) i;
			ALTER TABLE "Über"."Visit" RENAME COLUMN amount TO sum});
		cmp_ok(sql($database, q{SELECT anshim.seal('"Über"."Visit"')}), '>=', $size + 301, "$name: the log goes on");
		my (undef, undef, $error) = $node->psql($database, 'DELETE FROM "Über"."Visit"');
		like($error, qr/append-only/, "$name: the guard is there");
	}
	sql($database, q{CREATE TABLE day_4 PARTITION OF by_day FOR VALUES FROM ('2021-01-04') TO ('2021-01-05');
		INSERT INTO by_day SELECT '2021-01-01'::date + i % 4, 'a' FROM generate_series(1, 20) i;
		SELECT anshim.seal('by_day')}) if grep { $_ eq 'by_day' } @of;
	is(findings($database, @of), '', "$name: all is well after more");
}

# Restore with these commands, and compare.
sub restored_ok
{
	my ($name, @commands) = @_;
	(my $database = $name) =~ s/\W+/_/g;

	sql('postgres', "CREATE DATABASE $database");
	foreach my $command (@commands)
	{
		my @command = map { s/\@database\@/$database/r } @$command;
		$node->command_ok(\@command, "$name: $command[0] @command[1 .. $#command]");
	}
	is(state_of($database), $expected, "$name: the same rows and records");
	is(findings($database), '', "$name: nothing is amiss, and the checkpoint holds");
	alive_ok($name, $database, @tables);
}

my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', '@database@');
my @restore = ('pg_restore', '-e', '-d', '@database@');

sub dump_ok { my (@options) = @_; $node->command_ok([ 'pg_dump', @options, 'origin' ], "pg_dump @options") }

dump_ok('-f', "$dir/plain.sql");
restored_ok('plain', [ @psql, '-f', "$dir/plain.sql" ]);

dump_ok('-Fc', '-f', "$dir/custom");
restored_ok('custom', [ @restore, "$dir/custom" ]);
restored_ok('custom by section', map { [ @restore, "--section=$_", "$dir/custom" ] } qw(pre-data data post-data));

dump_ok('-Fd', '-f', "$dir/directory");
restored_ok('directory with two jobs', [ @restore, '-j2', "$dir/directory" ]);

dump_ok('--inserts', '-f', "$dir/inserts.sql");
restored_ok('inserts', [ @psql, '-f', "$dir/inserts.sql" ]);

# In other encodings, which hold the same text.  LATIN1 has no dash with which
# the signatures of checkpoints begin, so it cannot take these.
sql('postgres', 'CREATE DATABASE unsigned TEMPLATE origin');
sql('unsigned', 'DELETE FROM anshim.checkpoint');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/unsigned", 'unsigned' ], 'pg_dump, without checkpoints');
my %signed = %checkpoint;
foreach my $encoding ('WIN1252', 'LATIN1')
{
	%checkpoint = () if $encoding eq 'LATIN1';
	sql('postgres', "CREATE DATABASE \"$encoding\" ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->command_ok([ (map { s/\@database\@/$encoding/r } @restore), $dir . ($encoding eq 'LATIN1' ? '/unsigned' : '/custom') ],
		"$encoding: pg_restore");
	is(findings($encoding), '', "$encoding: nothing is amiss");
	alive_ok($encoding, $encoding, @tables);
}

# From another encoding
sql('postgres', q{CREATE DATABASE korean ENCODING 'EUC_KR' LOCALE 'C' TEMPLATE template0});
sql('korean', q{
	CREATE EXTENSION anshim;
	CREATE TYPE grade AS ENUM ('가', '나');
	CREATE TABLE visit (who text, code varchar(10), note json, more jsonb, tags text[], fixed char(5), name name, grade grade, words tsvector);
	INSERT INTO visit VALUES ('안심', '제주', '{"이름": "한라"}', '{"이름": "한라"}', '{바다,산}', '말', '귤', '나', '돌 바람');
	SELECT anshim.chain('visit');
	INSERT INTO visit SELECT v.who || i, v.code, v.note, v.more, v.tags, v.fixed, v.name, v.grade, v.words FROM visit v, generate_series(1, 300) i;
	SELECT anshim.seal('visit')});
is(findings('korean', 'visit'), '', 'korean: nothing is amiss');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/korean", 'korean' ], 'korean: pg_dump');
sql('postgres', q{CREATE DATABASE hangul ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0});
$node->command_ok([ (map { s/\@database\@/hangul/r } @restore), "$dir/korean" ], 'korean: pg_restore as UTF8');
is(findings('hangul', 'visit'), '', 'korean: nothing is amiss as UTF8');
%checkpoint = %signed;

# One table, with what is recorded of chains
foreach my $table ('"Über"."Visit"', 'by_day')
{
	my $name = $table eq 'by_day' ? 'one partitioned table' : 'one table';
	(my $database = $name) =~ s/\W+/_/g;
	my @parts = $table eq 'by_day' ? map { ('-t', $_) } qw(day_*) : ();

	dump_ok('-Fc', '-e', 'anshim', '-t', 'anshim.*', '-t', $table, @parts, '-f', "$dir/one");
	sql('postgres', "CREATE DATABASE $database");
	sql($database, q{CREATE EXTENSION anshim; CREATE SCHEMA "Über"; CREATE TYPE "Stimmung" AS ENUM ('sad', 'glad')});
	$node->command_ok([ (map { s/\@database\@/$database/r } @restore), "$dir/one" ], "$name: pg_restore");
	is(findings($database, $table), '', "$name: nothing is amiss, and the checkpoint holds");
	alive_ok($name, $database, $table);
}

# Schema and data apart: the guards are there when the rows come, so they have to
# be switched off, which is noted, and chain() switches them on again.
dump_ok('-s', '-f', "$dir/schema.sql");
dump_ok('-a', '--disable-triggers', '-f', "$dir/data.sql");
sql('postgres', 'CREATE DATABASE apart');
$node->command_ok([ (map { s/\@database\@/apart/r } @psql), '-f', "$dir/$_.sql" ], "apart: $_") for qw(schema data);
sql('apart', "SELECT anshim.chain('$_')") for @tables;
my @noted = grep { !/^[^|]*\|trigger missing or disabled\|0\|/ } split /\n/, findings('apart');
is(join("\n", @noted), '', 'apart: nothing is amiss, but that guards were off');
like(findings('apart'), qr/trigger missing or disabled/, 'apart: which is told');

# Restored over itself, the extension's event triggers see all its tables go.
sql('postgres', 'CREATE DATABASE again TEMPLATE origin');
sql('again', 'DROP TABLE by_day, log');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/again", 'again' ], 'pg_dump, once more');
$node->command_ok([ 'pg_restore', '-e', '--clean', '--if-exists', '-d', 'again', "$dir/again" ], 'pg_restore --clean');
is(findings('again', '"Über"."Visit"', 'young'), '', 'restored over itself: nothing is amiss');

$node->stop;
done_testing();
