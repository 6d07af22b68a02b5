# Records of looks, where pg_regress cannot go: on a standby, which can write
# none, after a crash, which must lose none, and where no process is free to
# write one.

use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $look = "SELECT count(*) FROM anshim.contacts('visit', 1::bigint, '[2021-03-01, 2021-03-02)')";

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', <<'CONF');
fsync = on
max_worker_processes = 1
# the one would else be taken for ever
max_logical_replication_workers = 0
anshim.require_purpose = on
anshim.purpose_log = 'public.look'
anshim.purpose = 'set for all'
CONF
$primary->start;

# What went wrong, with the error code
sub failure
{
	my ($node, $query) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', $query, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $stderr;
}

$primary->safe_psql('postgres', <<'SQL');
CREATE EXTENSION anshim;
SELECT anshim.create_purpose_log('look');
CREATE TABLE visit (subject bigint, venue bigint, entered_at timestamptz NOT NULL, left_at timestamptz);
SELECT anshim.track_visits('visit');
INSERT INTO visit VALUES (1, 1, '2021-03-01 10:00', NULL), (2, 1, '2021-03-01 10:30', NULL);
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

is($primary->safe_psql('postgres', $look), '1', 'the primary shows what it has recorded');
$primary->wait_for_catchup('standby', 'replay', $primary->lsn('write'));
is($standby->safe_psql('postgres', 'SELECT count(*) FROM look'), '1', 'the standby has the record');
like(failure($standby, $look), qr/25006: a look cannot be recorded on a standby/, 'the standby shows nothing');

# The record is flushed before a row is shown.
$primary->safe_psql('postgres', "BEGIN; $look;");
$primary->stop('immediate');
$primary->start;
is($primary->safe_psql('postgres', 'SELECT count(*) FROM look'), '2', 'a crash loses no record');

# A worker that something else keeps busy is waited for, but not for ever.
$primary->safe_psql('postgres', "ALTER SYSTEM SET max_worker_processes = 0");
$primary->restart;
like(failure($primary, $look), qr/53400: the look could not be recorded.*No process is free/s,
	'without a process nothing is shown');

$standby->stop;
$primary->stop;
done_testing();
