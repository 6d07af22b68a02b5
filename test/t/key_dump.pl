# Dump and restore: keys, facility classes and used passes travel; secrets, and
# whose a pass is, do not.

use strict;
use warnings FATAL => 'all';

use MIME::Base64 qw(decode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir;

sub start
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	mkdir "$tmp/$name", 0700 or die;
	$node->init;
	$node->append_conf('postgresql.conf', "anshim.key_directory = '$tmp/$name'\n");
	$node->start;
	return $node;
}

my $old = start('old');
my $new = start('new');

$old->safe_psql('postgres', <<'SQL');
CREATE ROLE app;
CREATE EXTENSION anshim;
SELECT anshim.generate_key('door', 'jeju', valid => '[2020-01-01,)');
SELECT anshim.generate_key('till', 'jeju', 'HMAC 256/256');
SELECT anshim.generate_key('lost', 'jeju');
SELECT anshim.trust_key('seoul', 'seoul', '\x3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');

CREATE TABLE token AS
SELECT kid, anshim.sign(kid, gen_random_uuid()) AS token, anshim.sign(kid, subject => gen_random_uuid()) AS pass
FROM anshim.key WHERE kid <> 'seoul';
ALTER TABLE token ADD PRIMARY KEY (kid);
SELECT anshim.revoke_key('lost', '2021-01-01');
SELECT anshim.create_visit_log('visit');
SELECT anshim.check_in('visit', pass, venue => '11111111-1111-1111-1111-111111111111') FROM token WHERE kid = 'door';
SELECT anshim.issue_pass('door', gen_random_uuid(), tstzrange(now(), now() + interval '1 day'));

SELECT anshim.create_venues('venue');
INSERT INTO venue (name, facility_class) VALUES ('sauna', 'bathhouse'), ('hostel', NULL);
UPDATE anshim.facility_class SET tier = 'priority', name_ko = NULL WHERE code = 'bathhouse';
INSERT INTO anshim.facility_class (code, tier, name) VALUES ('guest-house', 'general', 'guest houses');
UPDATE venue SET facility_class = 'guest-house' WHERE name = 'hostel';
DELETE FROM anshim.facility_class WHERE code = 'call-center';
DELETE FROM anshim.facility_class WHERE code = 'cinema';
INSERT INTO anshim.facility_class (code, tier, name) VALUES ('cinema', 'mine', 'our cinemas');
UPDATE anshim.facility_class SET code = 'shops' WHERE code = 'shop';
GRANT EXECUTE ON FUNCTION anshim.check_in, anshim.sign TO app;
SQL

# What must be the same afterwards
my @same = (
	'SELECT * FROM anshim.key ORDER BY kid',
	'SELECT * FROM anshim.facility_class ORDER BY code',
	'SELECT * FROM anshim.facility_class_deleted ORDER BY code',
	'SELECT * FROM anshim.pass_use ORDER BY id',
	'SELECT * FROM venue ORDER BY name',
	'SELECT kid, anshim.verdict(token) FROM token WHERE kid <> \'till\' ORDER BY kid',
	"SELECT has_function_privilege('app', oid, 'EXECUTE'), proname FROM pg_proc WHERE pronamespace = 'anshim'::regnamespace ORDER BY proname, oid::regprocedure::text",
	"SELECT evtname FROM pg_event_trigger ORDER BY 1");

# The dump, as a superuser makes it
$old->command_ok([ 'pg_dump', '-f', "$tmp/plain.sql", '-d', $old->connstr('postgres') ], 'dump as SQL');
$old->command_ok([ 'pg_dump', '-Fc', '-f', "$tmp/custom.dump", '-d', $old->connstr('postgres') ], 'dump as archive');
my $dump = slurp_file("$tmp/plain.sql");
my $found = 0;
for my $file (glob "$tmp/old/*")
{
	my $secret = slurp_file($file);
	$secret = $1 if $secret =~ /-----\n(.*)\n-----/s;
	chomp $secret;
	$found++;
	unlike($dump, qr/\Q$secret\E/, 'no secret as it stands in ' . $file =~ s/.*\///r);
	$secret = substr(decode_base64($secret =~ tr/-_/+\//r), -32);
	unlike($dump, qr/\Q${\unpack('H*', $secret)}\E/i, 'nor its bytes');
}
is($found, 3, 'three secrets were looked for');
unlike($dump, qr/^COPY anshim\.pass /m, 'whose a pass is stays behind');
unlike($dump, qr/amusement-park/, 'as do classes as they were shipped');

$new->safe_psql('postgres', 'CREATE ROLE app');
for my $how ('plain', 'archive', 'archive, by two jobs')
{
	my $db = 'restored_' . ($how =~ s/\W.*//r) . ($how =~ /,/ ? '_parallel' : '');

	$new->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0");
	if ($how eq 'plain')
	{
		$new->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$tmp/plain.sql", '-d', $new->connstr($db) ],
			"restore, $how");
	}
	else
	{
		$new->command_ok([ 'pg_restore', '-e', ($how =~ /,/ ? ('-j', '2') : ()), '-d', $new->connstr($db), "$tmp/custom.dump" ],
			"restore, $how");
	}
	is($new->safe_psql($db, $_), $old->safe_psql('postgres', $_), "$how: $_") for @same;

	# Signing says what is missing; so does verifying with a shared secret.
	my (undef, undef, $stderr) = $new->psql($db, "SELECT anshim.sign('door')");
	like($stderr, qr/the secret of key "door" is not on this server\nDETAIL:.*HINT:  Secrets do not travel with dumps/s,
		"$how: signing says that the secret is not there");
	my ($rc, $verdict);
	($rc, $verdict, $stderr) = $new->psql($db, "SELECT anshim.verdict(token) FROM token WHERE kid = 'till'");
	is($verdict, 'unknown key', "$how: an HMAC cannot be verified");
	like($stderr, qr/WARNING:  tokens of key "till" cannot be verified on this server/, "$how: which is said");

	# A pass that was used before the dump stays used.
	(undef, undef, $stderr) = $new->psql($db,
		"SELECT anshim.check_in('visit', pass, venue => '11111111-1111-1111-1111-111111111111') FROM token WHERE kid = 'door'");
	like($stderr, qr/pass was used at this venue already/, "$how: a used pass stays used");
}

# With the files, all is well again; a second dump is the first one's equal.
system("cp -p $tmp/old/* $tmp/new/") == 0 or die;
is($new->safe_psql('restored_plain', "SELECT kid, anshim.verdict(anshim.sign(kid)) FROM anshim.key WHERE kid IN ('door', 'till') ORDER BY 1"),
	"door|valid\ntill|valid", 'the files brought, keys sign');
is($new->safe_psql('restored_plain', "SELECT anshim.verdict(token) FROM token WHERE kid = 'till'"), 'valid', 'and HMACs verify');
$new->command_ok([ 'pg_dump', '-f', "$tmp/again.sql", '-d', $new->connstr('restored_plain') ], 'dump again');
my ($first, $second) = map { join '', grep { !/^(--|\\(un)?restrict )/ } split /^/, slurp_file($_) } "$tmp/plain.sql", "$tmp/again.sql";
is($second, $first, 'the second dump is as the first');

done_testing();
