# Secrets of keys, where pg_regress cannot go: modes of files and directories,
# crashes, sessions that go on while keys change, and what a server must not
# let a secret get into.

use strict;
use warnings FATAL => 'all';

use File::Find;
use MIME::Base64 qw(decode_base64 decode_base64url);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
my $keys = PostgreSQL::Test::Utils::tempdir . '/keys';
mkdir $keys, 0700 or die;

# As talkative as a server gets
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<"CONF");
anshim.key_directory = '$keys'
log_statement = 'all'
log_min_messages = debug5
log_error_verbosity = verbose
debug_print_plan = on
log_parameter_max_length = -1
CONF
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# What went wrong, with the error code
sub failure
{
	my ($query) = @_;
	my (undef, undef, $stderr) =
	  $node->psql('postgres', $query, extra_params => [ '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=never' ]);
	return $stderr;
}

sql('CREATE EXTENSION anshim');
sql("SELECT anshim.generate_key('door', 'jeju')");
sql("SELECT anshim.generate_key('till', 'jeju', 'hmac')");

# Files: closed to everybody else, and nothing but files
is(sql("SELECT anshim.verify(anshim.sign('door'))"), 't', 'a file of mode 0600 is taken');
for my $mode (0400, 0500)
{
	chmod $mode, "$keys/door.pem";
	is(sql("SELECT anshim.verify(anshim.sign('door'))"), 't', sprintf('a file of mode %04o, too', $mode));
}
for my $mode (0640, 0604, 0620, 0602, 0644, 0666, 0777)
{
	chmod $mode, "$keys/door.pem";
	like(failure("SELECT anshim.sign('door')"), qr/F0000: secret key file ".*door\.pem" has group or world access.*0600/s,
		sprintf('a file of mode %04o is refused', $mode));
}
chmod 0600, "$keys/door.pem";
chmod 0640, "$keys/till.hmac";
like(failure("SELECT anshim.sign('till')"), qr/F0000: .*has group or world access/, 'HMAC secrets as well');
is(failure("SELECT anshim.sign('door')"), '', 'another key does not mind');
chmod 0600, "$keys/till.hmac";

chmod 0755, $keys;
like(failure("SELECT anshim.sign('door')"), qr/F0000: key directory ".*" has group or world access/, 'a directory of mode 0755 is refused');
like(failure("SELECT anshim.generate_key('x', 'jeju')"), qr/F0000: key directory/, 'nor is a file put there');
chmod 0700, $keys;

rename "$keys/door.pem", "$keys/kept" or die;
mkdir "$keys/door.pem", 0700;
like(failure("SELECT anshim.sign('door')"), qr/F0000: secret key file ".*" is not a regular file/, 'a directory is no file');
rmdir "$keys/door.pem";
system('mkfifo', '-m', '600', "$keys/door.pem") == 0 or die;
like(failure("SET statement_timeout = '10s'; SELECT anshim.sign('door')"), qr/is not a regular file/, 'nor is a pipe, which would make us wait');
unlink "$keys/door.pem";
symlink 'kept', "$keys/door.pem";
is(sql("SELECT anshim.verify(anshim.sign('door'))"), 't', 'a symbolic link is followed, as that of server.key');
chmod 0644, "$keys/kept";
like(failure("SELECT anshim.sign('door')"), qr/has group or world access/, 'to be checked where it leads');
chmod 0600, "$keys/kept";
unlink "$keys/door.pem";
rename "$keys/kept", "$keys/door.pem";

my $data = $node->data_dir;
mkdir "$data/keys", 0700;
like(failure("SET anshim.key_directory = '$data/keys'; SELECT anshim.generate_key('x', 'jeju')"),
	qr/F0000: key directory ".*" lies in the data directory/, 'not inside of the data directory');
my $link = PostgreSQL::Test::Utils::tempdir . '/link';
symlink "$data/keys", $link;
like(failure("SET anshim.key_directory = '$link'; SELECT anshim.generate_key('x', 'jeju')"),
	qr/lies in the data directory/, 'nor by a link');
like(failure("SET anshim.key_directory = '$data/keys'; SELECT anshim.sign('door')"), qr/lies in the data directory/,
	'nor is a secret read there, though the backend held it');

# A session that has signed before sees what becomes of the file at once.
my $session = $node->background_psql('postgres', on_error_stop => 0);
is($session->query("SELECT anshim.verify(anshim.sign('door'))"), 't', 'a session signs');
rename "$keys/door.pem", "$keys/kept";
$session->query("SELECT anshim.sign('door')");
like($session->{stderr}, qr/the secret of key "door" is not on this server/, 'and cannot any more when the file is gone');
$session->{stderr} = '';
# behind a URI, both files count: the one that names the other, and that one
umask 077;
append_to_file("$keys/door.uri", "file:$keys/kept\n");
is($session->query("SELECT anshim.verify(anshim.sign('door'))"), 't', 'but through a URI');
rename "$keys/kept", "$keys/away";
$session->query("SELECT anshim.sign('door')");
like($session->{stderr}, qr/could not open secret key file ".*kept"/, 'not any more when what it names is gone');
$session->{stderr} = '';
rename "$keys/away", "$keys/kept";
is($session->query("SELECT anshim.verify(anshim.sign('door'))"), 't', 'but when that is back');
unlink "$keys/door.uri";
$session->query("SELECT anshim.sign('door')");
like($session->{stderr}, qr/the secret of key "door" is not on this server/, 'and not when the URI is gone');
$session->{stderr} = '';
rename "$keys/kept", "$keys/door.pem";
is($session->query("SELECT anshim.verify(anshim.sign('door'))"), 't', 'but when all is as it was');
sql("SELECT anshim.revoke_key('door')");
$session->query("SELECT anshim.sign('door')");
like($session->{stderr}, qr/key "door" is revoked/, 'nor with a key that another session has revoked');
$session->{stderr} = '';
$session->quit;

# Two sessions, one name: the first gets it, and its file is left alone.
my $first = $node->background_psql('postgres');
$first->query_safe("BEGIN; SELECT anshim.generate_key('race', 'jeju')");
my $before = slurp_file("$keys/race.pem");
like(failure("SELECT anshim.generate_key('race', 'jeju')"), qr/58P02: secret key file ".*race\.pem" already exists/, 'the name is taken');
$first->query_safe('COMMIT');
$first->quit;
is(slurp_file("$keys/race.pem"), $before, 'the first one\'s file is as it was');
is(sql("SELECT anshim.verify(anshim.sign('race'))"), 't', 'and signs');

# A crash before the commit leaves the file behind, and no row. It is not
# overwritten, and can be adopted. A terminated session cleans up.
$first = $node->background_psql('postgres', on_error_stop => 0);
$first->query_safe("BEGIN; SELECT anshim.generate_key('ended', 'jeju')");
ok(-f "$keys/ended.pem", 'a file is there before the commit');
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%''ended''%' AND pid <> pg_backend_pid()");
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE '%''ended''%' AND pid <> pg_backend_pid()");
ok(!-e "$keys/ended.pem", 'and gone with the session');
$first->{run}->finish;
$first = $node->background_psql('postgres', on_error_stop => 0);
$first->query_safe("BEGIN; SELECT anshim.generate_key('crash', 'jeju')");
$node->stop('immediate');
$first->{run}->finish;
$node->start;
ok(-f "$keys/crash.pem", 'after a crash the file is there');
is(sql("SELECT count(*) FROM anshim.key WHERE kid = 'crash'"), '0', 'the row is not');
like(failure("SELECT anshim.generate_key('crash', 'jeju')"), qr/58P02: .*already exists.*adopt_key/s, 'it is not overwritten');
is(length sql("SELECT anshim.adopt_key('crash', 'jeju')"), 2 + 64, 'but can be adopted');
is(sql("SELECT anshim.verify(anshim.sign('crash'))"), 't', 'and sign');

# No secret is in the log, nor in any file of the data directory: not as it
# stands in its file, not as bytes, not in hexadecimal.
sql('CHECKPOINT');
my %secrets;
for my $file (glob "$keys/*.pem")
{
	my ($base64) = slurp_file($file) =~ /-----\n(.*)\n-----/s;
	my $seed = substr(decode_base64($base64), -32);
	$secrets{$_} = $file for substr($base64, -44), $seed, unpack('H*', $seed);
}
my $hmac = slurp_file("$keys/till.hmac");
chomp $hmac;
$secrets{$_} = 'till.hmac' for $hmac, decode_base64url($hmac), unpack('H*', decode_base64url($hmac));
my $pattern = join '|', map { quotemeta } keys %secrets;
my ($files, $found) = (0, '');
find(
	{
		no_chdir => 1,
		wanted => sub {
			return unless -f $_ && !-l $_;
			$files++;
			$found .= "$_ holds a secret\n" if slurp_file($_) =~ /$pattern/i;
		}
	},
	$data);
$found .= "the log holds a secret\n" if slurp_file($node->logfile) =~ /$pattern/i;
my $any = sql("SELECT anshim.sign('crash')");
ok($files > 900, "looked into $files files");
is($found, '', 'no secret is in any of them, nor in the log');

# Where Linux shows the memory of a session: secrets that it holds are in none
# that a core file would have, and nowhere once keys have changed.
SKIP:
{
	my $holder = $node->background_psql('postgres');
	my $pid = $holder->query_safe('SELECT pg_backend_pid()');

	skip 'the memory of a session cannot be read here', 3 unless open my $try, '<:raw', "/proc/$pid/mem";
	$holder->query_safe("SELECT anshim.generate_key('seen', 'jeju')");
	$holder->query_safe("SELECT bool_and(anshim.verify(anshim.sign('seen'))), bool_and(anshim.verify(anshim.sign('till'))) FROM generate_series(1, 3)");
	my ($seed) = slurp_file("$keys/seen.pem") =~ /-----\n(.*)\n-----/s;
	$pattern = join '|', map { quotemeta } substr(decode_base64($seed), -32), substr($seed, -44), $hmac, decode_base64url($hmac);
	my @places = places($pid, $pattern);
	is(scalar(grep { /dd/ } @places), 2, 'two secrets are held');
	is(join("\n", grep { !/dd/ } @places), '', 'left out of core files');
	sql("SELECT anshim.revoke_key('seen')");
	$holder->query_safe("SELECT anshim.verdict('$any')");
	is(join("\n", places($pid, $pattern)), '', 'and dropped when keys change');
	$holder->quit;
}

# The mappings of a process in which a pattern is found, with their flags
sub places
{
	no warnings 'portable';
	my ($pid, $what) = @_;
	my (@maps, @found);

	for (split /\n/, slurp_file("/proc/$pid/smaps"))
	{
		push @maps, { from => hex $1, to => hex $2, line => $_ } if /^([0-9a-f]+)-([0-9a-f]+) r/;
		$maps[-1]{flags} = $_ if /^VmFlags/ && @maps && !$maps[-1]{flags};
	}
	open my $mem, '<:raw', "/proc/$pid/mem" or die;
	for my $map (grep { $_->{line} !~ /\[v/ } @maps)
	{
		# in pieces that overlap
		for (my $at = $map->{from}; $at < $map->{to}; $at += 1 << 24)
		{
			my $len = $map->{to} - $at;
			$len = (1 << 24) + 128 if $len > (1 << 24) + 128;
			sysseek $mem, $at, 0 or next;
			sysread $mem, my $bytes, $len or next;
			push @found, "$map->{line} $map->{flags}" while $bytes =~ /$what/g;
		}
	}
	return @found;
}

# A standby: public keys verify, revocations arrive, secrets do not.
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$node->append_conf('postgresql.conf', "log_min_messages = warning\n");
$standby->init_from_backup($node, 'copy', has_streaming => 1);
my $none = PostgreSQL::Test::Utils::tempdir . '/none';
mkdir $none, 0700;
$standby->append_conf('postgresql.conf', "anshim.key_directory = '$none'\n");
$standby->start;
my $token = sql("SELECT anshim.sign('race')");
$node->wait_for_catchup($standby);
$session = $standby->background_psql('postgres', on_error_stop => 0);
is($session->query("SELECT anshim.verdict('$token')"), 'valid', 'a standby verifies');
$session->query("SELECT anshim.sign('race')");
like($session->{stderr}, qr/the secret of key "race" is not on this server/, 'and cannot sign');
$session->{stderr} = '';
sql("SELECT anshim.revoke_key('race')");
$node->wait_for_catchup($standby);
is($session->query("SELECT anshim.verdict('$token')"), 'key revoked', 'a session there sees a revocation');
$session->quit;

done_testing();
