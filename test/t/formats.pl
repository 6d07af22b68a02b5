# What anshim writes is what docs/formats.md says: a verifier that was written
# from that page alone (test/perl/AnshimReader.pm) computes the same links,
# leaves, roots and proofs, and finds what anshim_verify finds.

use strict;
use warnings FATAL => 'all';

use AnshimReader;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir;
my $seed = $ENV{SEED} || int rand 2**31;
srand $seed;
diag("SEED=$seed");

# A database that is not in UTF-8, as text in links and notes is all the same
my $node = PostgreSQL::Test::Cluster->new('log');
mkdir "$tmp/$_", 0700 or die for qw(keys heads);
$node->init(extra => [ '--encoding=WIN1252', '--locale=C' ]);
$node->append_conf('postgresql.conf',
	"anshim.key_directory = '$tmp/keys'\nanshim.head_directory = '$tmp/heads'\nmax_prepared_transactions = 5\ntimezone = 'Asia/Seoul'\n");
$node->start;
$ENV{PGCLIENTENCODING} = 'UTF8';

sub sql { return $node->safe_psql('postgres', join(";\n", @_)) }

#
# A chain of three partitions, one of which has its columns in another order and
# one that is gone; strands by prepared transactions; several blocks, more than
# 256 leaves, layouts, renamed columns and types, an expiry, and rows that are not
# sealed
#
sql(<<'SQL');
CREATE EXTENSION anshim;
SELECT anshim.generate_key('log', 'log.example'), anshim.generate_key('w1', 'w1.example'), anshim.generate_key('w2', 'w2.example');
CREATE TABLE visit (id bigint, who text, at timestamptz NOT NULL, note varchar(20)) PARTITION BY RANGE (at);
CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM ('2021-03-01') TO ('2021-03-02');
CREATE TABLE visit_2 (gone int, note varchar(20), at timestamptz NOT NULL, who text, id bigint);
ALTER TABLE visit_2 DROP COLUMN gone;
ALTER TABLE visit ATTACH PARTITION visit_2 FOR VALUES FROM ('2021-03-02') TO ('2021-03-03');
INSERT INTO visit SELECT g, 'before ' || g, '2021-03-01 10:00', NULL FROM generate_series(1, 30) g;
SELECT anshim.chain('visit', 'log.example/visits');
BEGIN;
INSERT INTO visit SELECT g, 'Jürgen ' || g, '2021-03-01 12:00', 'café' FROM generate_series(101, 140) g;
PREPARE TRANSACTION 'first';
INSERT INTO visit SELECT g, 'Zoë ' || g, '2021-03-01 12:00'::timestamptz + g * interval '2 min', '' FROM generate_series(201, 900) g;
COMMIT PREPARED 'first';
SELECT anshim.seal('visit');
CREATE TYPE laune AS ENUM ('froh');
CREATE SCHEMA moods;
ALTER TABLE visit ADD COLUMN n int DEFAULT 7, ADD COLUMN größe numeric(6, 2), ADD COLUMN laune laune DEFAULT 'froh';
ALTER TYPE laune RENAME TO "Gemüt";
ALTER TYPE "Gemüt" SET SCHEMA moods;
ALTER TABLE visit RENAME COLUMN note TO "bemerkung ""é""";
ALTER TABLE visit RENAME COLUMN at TO entered_at;
CREATE TABLE visit_3 PARTITION OF visit FOR VALUES FROM ('2021-03-03') TO ('2021-03-04');
BEGIN;
INSERT INTO visit (id, who, entered_at, "bemerkung ""é""", n, größe) SELECT g, 'later ' || g, '2021-03-02 12:00', 'x', g, g / 100.0 FROM generate_series(1001, 1100) g;
SAVEPOINT s;
INSERT INTO visit (id, who, entered_at, "bemerkung ""é""", n, größe) SELECT g, 'never ' || g, '2021-03-02 12:00', 'x', g, g / 100.0 FROM generate_series(1, 10) g;
ROLLBACK TO s;
INSERT INTO visit (id, who, entered_at, "bemerkung ""é""", n, größe) SELECT g, 'third ' || g, '2021-03-03 12:00', 'x', g, NULL FROM generate_series(1101, 1120) g;
COMMIT;
SELECT anshim.seal('visit');
SQL
my $old = sql(q{SELECT anshim.checkpoint('visit', 'log')});
sql(<<'SQL');
SELECT pg_sleep(0.01);
INSERT INTO visit (id, who, entered_at, "bemerkung ""é""", n, größe) SELECT g, 'last ' || g, '2021-03-02 13:00', NULL, NULL, -g FROM generate_series(2001, 2009) g;
SELECT anshim.seal('visit');
SQL
my %vkey = map { ($_ => sql("SELECT anshim.vkey('visit', '$_')")) } 'log';
$vkey{$_} = sql("SELECT anshim.witness_vkey('$_')") for qw(w1 w2);
sql("SELECT anshim.trust_log('log.example/visits', '$vkey{log}')");
my $note = sql(q{SELECT anshim.checkpoint('visit', 'log')});
# a witness gives the checkpoint with her signature; the second signs what the first has
for my $witness (qw(w1 w2))
{
	$note = sql("SELECT anshim.witness('log.example/visits', E'" . ($note =~ s/\n/\\n/gr) . "', '{}', '$witness')");
}

# A table of values that have to be the same bytes in any language
my @values = (
	[ boolean => qw(t f) ], [ smallint => qw(-32768 7) ], [ integer => qw(-2147483648 7) ], [ bigint => qw(-9223372036854775808 7) ],
	[ real => qw(-0 1.5e-45 3.4e38 NaN -Infinity 0.1) ], [ 'double precision' => qw(-0 5e-324 1.7e308 NaN Infinity 0.1) ],
	[ numeric => qw(0 0.00 -1.50 10000 0.0001 NaN Infinity -Infinity 12345678901234567890.123456789 1000000000000) ],
	[ text => '', 'Ünïcödé', "two\nlines" ], [ 'varchar(7)' => 'é' ], [ 'char(3)' => 'é' ], [ bytea => '\x', '\x00ff' ], [ uuid => '00112233-4455-6677-8899-aabbccddeeff' ],
	[ date => qw(2021-03-01 1999-12-31) ], [ timestamptz => '2021-03-01 12:00:00.000001+09', 'infinity', '-infinity', '1999-12-31 23:59:59.5+00' ],
	[ timestamp => '2021-03-01 12:00:00', 'infinity' ], [ interval => '1 year 2 mons -3 days 04:05:06.000007', '-00:00:01.5', '0' ],
	[ json => '{"b": 1,  "a": "é"}' ], [ jsonb => '{"b": 1.50, "a": ["é", null]}' ], [ mood => 'glücklich' ],
	[ 'int4[]' => '{}', '{1,NULL,3}' ], [ 'text[]' => '{a,é}' ], [ 'uuid[]' => '{00112233-4455-6677-8899-aabbccddeeff}' ]);
my $rows = 0;
$rows = $rows > @$_ - 1 ? $rows : @$_ - 1 for @values;
sql(q{CREATE TYPE mood AS ENUM ('glücklich')}, 'CREATE TABLE value (' . join(', ', map { "c$_ $values[$_][0]" } 0 .. $#values) . ')', q{SELECT anshim.chain('value')},
	map { my $i = $_; 'INSERT INTO value VALUES (' . join(', ', map { defined $_->[$i] ? "'$_->[$i]'" : 'NULL' } @values) . ')' } 1 .. $rows);

#
# Links, from values as psql prints them
#
my $id = sql(q{SELECT chain FROM anshim.chained WHERE target = 'value'::regclass});
my $before = "\0" x 32;
my $same = 0;
my $printed = $node->safe_psql('postgres', "SET TimeZone = 'UTC'; SET IntervalStyle = iso_8601; SELECT link, value.* FROM value ORDER BY link",
	extra_params => [ '-F', "\x1f", '-R', "\x1e", '-P', "null=\x1d" ]);
for my $row (split /\x1e/, $printed)
{
	my ($link, @fields) = map { $_ eq "\x1d" ? undef : $_ } split /\x1f/, $row, -1;
	my ($strand, $layout, $seq, $hash) = split /\//, $link;
	my $image = AnshimReader::image(map { [ type_of($values[$_][0]), $fields[ $_ ] ] } 0 .. $#values);

	$before = Digest::SHA::sha256("\x02" . pack('H*', $id =~ tr/-//dr) . pack('l> l> q>', $strand, $layout, $seq) . $before . $image);
	$same++ if unpack('H*', $before) eq $hash;
}
is($same, $rows, "the links of $rows rows are computed from what psql prints of them");

# What a layout calls a type
sub type_of
{
	my ($type) = @_;
	my %names = (timestamptz => 'timestamp with time zone', timestamp => 'timestamp without time zone', 'int4[]' => 'integer[]',
		'varchar(7)' => 'character varying', 'char(3)' => 'character', mood => 'public.mood');
	return $names{$type} // $type;
}

#
# The log, its proofs and its checkpoints, from an export, before and after an expiry
#
my $visit = sql(q{SELECT chain FROM anshim.chained WHERE target = 'visit'::regclass});
my @sizes = split /\n/, sql("SELECT size FROM anshim.block WHERE chain = '$visit' ORDER BY block");
is(scalar @sizes, 3, 'blocks');
my @index = (0, 1, 30, 31, 255, 256, 511, $sizes[0] - 1, map { int rand $sizes[-1] } 1 .. 20);

sub export
{
	my ($name) = @_;
	command_ok([ 'anshim_verify', '-q', '-d', $node->connstr('postgres'), "--export=$tmp/$name" ], "export $name");
	return "$tmp/$name/$visit";
}

sub agrees
{
	my ($name) = @_;
	my $folder = export($name);
	my $chain = AnshimReader->read($folder);

	is_deeply([ $chain->findings ], [], "$name: nothing is found");
	command_ok([ 'anshim_verify', '-q', "--files=$tmp/$name" ], "$name: nor by anshim_verify");
	is_deeply([ AnshimReader->read("$tmp/$name/$id")->findings ], [], "$name: nor in the other chain");
	is($chain->size, $sizes[-1], "$name: size");
	is_deeply([ $chain->checkpoint($old, [ $vkey{log} ]) ], [], "$name: the old checkpoint");
	is_deeply([ $chain->checkpoint($note, [ $vkey{log} ], [ @vkey{qw(w1 w2)} ], 2) ], [], "$name: the new one, with two cosignatures");
	is_deeply([ $chain->checkpoint($note =~ s/.*\n\z//r, [ $vkey{log} ], [ @vkey{qw(w1 w2)} ], 2) ], ['cosignatures missing'], "$name: with one");

	# their proofs are ours, and verify
	my ($proofs, $different, $bad) = (0, 0, 0);
	my ($sizes, $indexes) = map { join ', ', @$_ } \@sizes, \@index;
	for my $line (split /\n/, sql(<<SQL))
WITH leaf AS MATERIALIZED (
	SELECT link, of_size FROM visit JOIN anshim.segment s ON strand = anshim.strand(link) AND anshim.seq(link) BETWEEN first_seq AND last_seq
	JOIN unnest(ARRAY[$sizes]) of_size ON first_index + anshim.seq(link) - first_seq < of_size
	WHERE chain = '$visit' AND first_index + anshim.seq(link) - first_seq IN ($indexes))
SELECT index, size, (SELECT string_agg(encode(h, 'hex'), ',' ORDER BY i) FROM unnest(path) WITH ORDINALITY u (h, i)), encode(anshim.leaf_hash(link), 'hex')
FROM leaf, anshim.inclusion_proof('visit', link, of_size)
SQL
	{
		my ($index, $size, $path, $leaf) = split /\|/, $line;
		my @path = map { pack 'H*', $_ } split /,/, $path;
		$different++ if join('', @path) ne join('', $chain->inclusion_path($index, $size));
		$bad++ unless AnshimReader::verify_inclusion(pack('H*', $leaf), $index, $size, \@path, $chain->root($size));
		$bad++ if AnshimReader::verify_inclusion(pack('H*', $leaf), $index + 1, $size, \@path, $chain->root($size));
		$proofs++;
	}
	cmp_ok($proofs, '>=', 20, "$name: proofs of inclusion");
	# rows that have expired leave what is needed between blocks
	my @from = $name eq 'before' ? (1, 2, 3, 255, 256, 257, 512, 770, @sizes) : @sizes;
	my @pairs = map { my $new = $_; map { [ $_, $new ] } grep { $_ <= $new } 0, @from } @sizes;
	for my $pair (@pairs)
	{
		my ($from, $to) = @$pair;
		my @path = map { pack 'H*', $_ } split /,/, sql("SELECT string_agg(encode(h, 'hex'), ',' ORDER BY n) FROM unnest(anshim.consistency_proof('visit', $from, $to)) WITH ORDINALITY u (h, n)");
		$different++ if join('', @path) ne join('', $chain->consistency_path($from, $to));
		$bad++ unless AnshimReader::verify_consistency($from, $to, $chain->root($from), $chain->root($to), \@path);
		$bad++ if $from && AnshimReader::verify_consistency($from, $to, $chain->root($from), $chain->root($to) ^ "\1", \@path);
	}
	is("$different $bad", '0 0', "$name: they are those that the page says, and prove it");
	return $chain;
}

agrees('before');
cmp_ok(sql("SELECT anshim.expire('visit', (SELECT sealed_at + interval '1 us' FROM anshim.block WHERE chain = '$visit' AND block = 1))"), '>', 700, 'rows expire');
push @sizes, sql(q{SELECT anshim.seal('visit')});
is($sizes[-1], $sizes[-2] + 2, 'which is recorded, as is the end of a partition');
push @index, map { $sizes[0] + int rand($sizes[-1] - $sizes[0]) } 1 .. 20;
sql(q{INSERT INTO visit (id, who, entered_at, "bemerkung ""é""", n, größe) SELECT g, 'after ' || g, '2021-03-02 14:00', NULL, NULL, g FROM generate_series(3001, 3005) g});
my $chain = agrees('after');

#
# A byte that was changed is found by both, or by none
#
my $folder = "$tmp/after/$visit";
my @files = sort map { s/.*\///r } glob "$folder/*.copy";
is(scalar(grep { -s "$folder/$_" > 21 } @files), scalar @files, 'no file is empty');
append_to_file("$tmp/note", $note);
my %verdicts;
for (1 .. $ENV{RUNS} // 100)
{
	my $file = $files[ rand @files ];
	my $good = slurp_file("$folder/$file");
	my $at = int rand length $good;
	my $bad = $good;

	substr($bad, $at, 1) ^= chr(1 + int rand 255);
	open(my $handle, '>:raw', "$folder/$file") or die;
	print $handle $bad;
	close($handle) or die;
	my $ours = !eval { my $read = AnshimReader->read($folder); !$read->findings && !$read->checkpoint($note, [ $vkey{log} ]) };
	my $theirs = system("anshim_verify -q --files='$tmp/after' -c '$tmp/note' -k '$vkey{log}' visit >/dev/null 2>&1") != 0;
	$verdicts{ "reader " . ($ours ? 'finds it' : 'does not') . ', anshim_verify ' . ($theirs ? 'finds it' : 'does not') }++;
	diag("$file, byte $at: " . ($ours ? 'only the reader finds it' : 'only anshim_verify finds it')) if $ours != $theirs;
	open($handle, '>:raw', "$folder/$file") or die;
	print $handle $good;
	close($handle) or die;
}
is(join(', ', grep { /finds it.*does not|does not.*finds it/ } sort keys %verdicts), '', 'their verdicts agree');
cmp_ok($verdicts{'reader finds it, anshim_verify finds it'}, '>', 20, 'most are found');
$node->stop;

done_testing();
