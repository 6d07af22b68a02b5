# Keys in an HSM, behind a pkcs11: URI; SoftHSM plays its part.  Skipped where
# OpenSSL has no PKCS#11 provider, as in Debian 12.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($provider) = glob '/usr/lib/*/ossl-modules/pkcs11.so';
my ($module) = grep { -f } '/usr/lib/softhsm/libsofthsm2.so', glob '/usr/lib/*/softhsm/libsofthsm2.so';
plan skip_all => 'no pkcs11-provider, or no SoftHSM, is installed' unless $provider && $module;

my $tmp = PostgreSQL::Test::Utils::tempdir;
my $pin = '73910264';
mkdir "$tmp/$_", 0700 for qw(tokens keys);

# SoftHSM and its provider clean up after OpenSSL has, and crash, unless told
# not to.
append_to_file("$tmp/softhsm2.conf", "directories.tokendir = $tmp/tokens\n");
append_to_file("$tmp/openssl.cnf", <<"CONF");
openssl_conf = init
[init]
providers = providers
[providers]
default = default_provider
pkcs11 = pkcs11_provider
[default_provider]
activate = 1
[pkcs11_provider]
activate = 1
pkcs11-module-path = $module
pkcs11-module-quirks = no-deinit
CONF
$ENV{SOFTHSM2_CONF} = "$tmp/softhsm2.conf";
$ENV{OPENSSL_CONF} = "$tmp/openssl.cnf";
command_ok([ qw(softhsm2-util --init-token --free --label anshim --so-pin 0000), '--pin', $pin ], 'an HSM');
# The key stays in there, so that there is none to be written out: an error.
run_log([ qw(openssl genpkey -propquery provider=pkcs11 -algorithm ED25519 -out), "$tmp/nothing",
	'-pkeyopt', "pkcs11_uri:pkcs11:token=anshim;object=door;id=%01?pin-value=$pin" ]);
run_log([ qw(openssl pkey -pubout -outform DER -out), "$tmp/public", '-in', "pkcs11:token=anshim;object=door;type=private?pin-value=$pin" ]);
my $public = unpack 'H*', substr slurp_file("$tmp/public"), -32;
is(length $public, 64, 'with a key in it');

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', <<"CONF");
anshim.key_directory = '$tmp/keys'
log_statement = 'all'
log_min_messages = debug5
CONF
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION anshim');

umask 077;
append_to_file("$tmp/keys/door.uri", "pkcs11:token=anshim;object=door;type=private?pin-value=$pin\n");
is($node->safe_psql('postgres', "SELECT encode(anshim.adopt_key('door', 'jeju'), 'hex')"), $public, 'its public key is adopted');
is($node->safe_psql('postgres', "SELECT bool_and(anshim.verify(anshim.sign('door'))) FROM generate_series(1, 50)"), 't', 'it signs');
is($node->safe_psql('postgres', "SELECT anshim.verdict(anshim.sign('door'))"), 'valid', 'in another session as well');

# Under a PIN in a file, and for a key of which only the public half was given
append_to_file("$tmp/pin", $pin);
append_to_file("$tmp/keys/gate.uri", "pkcs11:token=anshim;object=door;type=private?pin-source=file:$tmp/pin\n");
$node->safe_psql('postgres', "SELECT anshim.trust_key('gate', 'jeju', '\\x$public')");
is($node->safe_psql('postgres', "SELECT anshim.verdict(anshim.sign('gate'))"), 'valid', 'the PIN may be in a file');

# What cannot be had is an error, and the server goes on.
append_to_file("$tmp/keys/none.uri", "pkcs11:token=anshim;object=none;type=private?pin-value=$pin\n");
append_to_file("$tmp/keys/wrong.uri", "pkcs11:token=anshim;object=door;type=private?pin-value=00000000\n");
for my $kid ('none', 'wrong')
{
	my (undef, undef, $stderr) = $node->psql('postgres', "SELECT anshim.adopt_key('$kid', 'jeju')");
	like($stderr, qr/could not load a secret key from ".*$kid\.uri"/, "$kid: refused");
	unlike($stderr, qr/$pin|00000000/, "$kid: without the PIN");
}
$node->stop;
unlike(slurp_file($node->logfile), qr/$pin/, 'the PIN is not in the log');
unlike(slurp_file($node->logfile), qr/terminated by signal/, 'and nothing crashed');

done_testing();
