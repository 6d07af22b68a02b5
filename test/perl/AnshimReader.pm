# A second verifier of chains: reads what `anshim_verify --export` writes, or
# values as psql prints them, and knows of anshim what docs/formats.md says.
# It shares nothing with the C programs, nor with AnshimExport.pm, which writes
# such files; so what all three agree on is what the page says.  Core Perl, and
# OpenSSL's program for Ed25519.
#
#   my $chain = AnshimReader->read("$export/$uuid");
#   print "$_\n" for $chain->findings;              # none: the chain is intact
#   print "$_\n" for $chain->checkpoint($note, [$vkey], [@witness_vkeys], $quorum);
#   $chain->size; $chain->root($size);
#   $chain->inclusion_path($index, $size); $chain->consistency_path($old, $new);
#   AnshimReader::image([ type => text ], …)        # a row image of printed values
#
# A file that cannot be read dies; all else is a finding.

package AnshimReader;

use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256);
use File::Temp ();
use JSON::PP ();
use List::Util qw(first min);
use MIME::Base64 qw(decode_base64 encode_base64);
use Time::Local qw(timegm_modern);

my $no_hash = "\0" x 32;
my $json = JSON::PP->new->utf8;

#
# Files
#

# Layout 0
my @event_layout = ([ 'chain', 'uuid' ], [ 'at', 'timestamp with time zone' ], [ 'kind', 'text' ], [ 'actor', 'text' ], [ 'detail', 'jsonb' ]);

# The rows of a stream of COPY (FORMAT binary): each an array of bytes, or undef
sub read_copy
{
	my ($file) = @_;
	open(my $handle, '<:raw', $file) or die "$file: $!\n";
	my $data = do { local $/; <$handle> };
	my ($magic, $flags, $extension) = unpack('a11 N N', $data);
	die "$file: no binary copy\n" unless ($magic // '') eq "PGCOPY\n\xff\r\n\0" && !$flags && defined $extension && !$extension;
	my ($at, @rows) = (19);

	while (1)
	{
		die "$file: cut off\n" if $at + 2 > length $data;
		my $fields = unpack('s>', substr($data, $at, 2));
		$at += 2;
		last if $fields == -1;
		my @row;
		for (1 .. $fields)
		{
			die "$file: cut off\n" if $at + 4 > length $data;
			my $length = unpack('l>', substr($data, $at, 4));
			$at += 4;
			die "$file: cut off\n" if $length < -1 || ($length > 0 && $at + $length > length $data);
			push @row, $length < 0 ? undef : substr($data, $at, $length);
			$at += $length if $length > 0;
		}
		push @rows, \@row;
	}
	die "$file: more than a stream\n" if $at != length $data;
	return @rows;
}

# The same with names for the fields, and integers unpacked where the name says so
sub read_table
{
	my ($self, $file, @columns) = @_;
	my @rows;

	for my $fields (read_copy("$self->{folder}/$file.copy"))
	{
		my %row;
		die "$file: " . @$fields . " columns\n" if @$fields != @columns;
		for my $i (0 .. $#columns)
		{
			my ($name, $type) = split /:/, $columns[$i];
			my $value = $fields->[$i];
			my ($format, $length) = @{ { int4 => [ 'l>', 4 ], int8 => [ 'q>', 8 ], int2 => [ 's>', 2 ] }->{ $type // '' } // [] };
			die "$file: $name has the wrong length\n" if $length && defined $value && length($value) != $length;
			$row{$name} = $format && defined $value ? unpack($format, $value) : $value;
		}
		push @rows, \%row;
	}
	return @rows;
}

sub read
{
	my ($class, $folder) = @_;
	my $self = bless { folder => $folder, findings => [], layouts => [ [@event_layout] ] }, $class;
	my (%leaf, @chain);

	@chain = $self->read_table('chain', qw(chain schema table origin created_at ended_at exported_at));
	die "$folder: not one chain\n" if @chain != 1;
	%$self = (%$self, %{ $chain[0] });
	$self->{stored}{layout} = [ $self->read_table('layout', qw(layout:int4 position:int4 name type)) ];
	$self->{events} = [ $self->read_table('event', qw(link ctid chain at kind actor detail)) ];
	$self->{blocks} = [ $self->read_table('block', qw(block:int8 size:int8 root sealed_at)) ];
	$self->{segments} = [ $self->read_table('segment', qw(block:int8 strand:int4 first_seq:int8 last_seq:int8 first_index:int8 last_hash)) ];
	for my $tile ($self->read_table('tile', qw(level:int2 tile:int8 hashes)))
	{
		my @hashes = unpack('(a32)*', $tile->{hashes});
		$self->{node}{ 8 * $tile->{level} }{ 256 * $tile->{tile} + $_ } = $hashes[$_] for 0 .. $#hashes;
	}
	for my $kept ($self->read_table('kept', qw(level:int2 index:int8 hash)))
	{
		$self->{node}{ $kept->{level} }{ $kept->{index} } = $kept->{hash};
	}
	$self->{stored}{expired} = { map { ($_->{strand} => $_) } $self->read_table('expired', qw(strand:int4 last_seq:int8 last_hash)) };
	for my $column ($self->read_table('leaf', qw(leaf:int4 schema table position:int4 name type)))
	{
		my $name = "$column->{schema}.$column->{table}";
		my $leaf = $leaf{ $column->{leaf} } //= { table => $name, columns => [] };
		die "leaf: two names\n" if $leaf->{table} ne $name;
		die "leaf: out of order\n" if defined $column->{position} && $column->{position} != 1 + @{ $leaf->{columns} };
		push @{ $leaf->{columns} }, [ @$column{qw(name type)} ] if defined $column->{position};
	}
	$leaf{ $_->{leaf} }{guards}{ $_->{trigger} } = $_->{enabled} for $self->read_table('guard', qw(leaf:int4 trigger enabled));
	for my $number (sort { $a <=> $b } keys %leaf)
	{
		$leaf{$number}{rows} = [ read_copy("$folder/rows-$number.copy") ];
		push @{ $self->{leaves} }, $leaf{$number};
	}
	return $self;
}

#
# Links
#

sub finding
{
	my ($self, @words) = @_;
	return push @{ $self->{findings} }, join ' ', @words;
}

sub parse_link
{
	my ($bytes) = @_;
	return undef unless defined $bytes && length($bytes) == 48;
	my %link;
	@link{qw(strand layout seq hash)} = unpack('l> l> q> a32', $bytes);
	return \%link;
}

sub row_image
{
	my (@fields) = @_;
	return pack('s>', scalar @fields) . join '', map { defined $_ ? pack('l>', length $_) . $_ : pack('l>', -1) } @fields;
}

# The row that comes next in its strand; says whether it follows.
sub follow
{
	my ($self, $link, $image) = @_;
	my ($strand, $seq) = @$link{qw(strand seq)};
	my $tail = $self->{tail}{$strand} //= { %{ $self->{expired}{$strand} // { last_seq => 0, last_hash => $no_hash } } };
	my $hash = sha256("\x02" . $self->{chain} . pack('l> l> q>', $strand, $link->{layout}, $seq) . $tail->{last_hash} . $image);

	if ($seq != $tail->{last_seq} + 1)
	{
		$self->finding($seq <= $tail->{last_seq} ? 'inserted' : 'missing', $strand, $seq);
	}
	elsif ($hash ne $link->{hash})
	{
		$self->finding('changed', $strand, $seq);
	}
	@$tail{qw(last_seq last_hash)} = ($seq, $link->{hash});
	$self->{hash}{$strand}{$seq} = $link->{hash};
	return;
}

# Strand 0, and what it tells
sub events
{
	my ($self) = @_;

	for my $event (@{ $self->{events} })
	{
		my $link = parse_link($event->{link});
		if (!$link || $link->{strand} != 0 || $link->{layout} != 0 || $event->{chain} ne $self->{chain})
		{
			$self->finding('no event');
			next;
		}
		$self->follow($link, row_image(@$event{qw(chain at kind actor detail)}));
		eval { $self->play($event->{kind}, $json->decode($event->{detail} =~ s/^\x01//r)); 1 } or $self->finding('event', $link->{seq}, $@);
	}
	return;
}

sub table_name
{
	my ($detail) = @_;
	my $name = "$detail->{schema}.$detail->{table}";
	utf8::encode($name);
	return $name;
}

sub play
{
	my ($self, $kind, $detail) = @_;

	if ($kind eq 'chained')
	{
		die "chained twice\n" if $self->{called};
		$self->{called} = table_name($detail);
	}
	elsif ($kind eq 'table renamed')
	{
		my ($from, $to) = map { table_name($_) } @$detail{qw(from to)};
		if    (delete $self->{partition}{$from}) { $self->{partition}{$to} = 1 }
		elsif ($self->{called} eq $from)         { $self->{called} = $to }
	}
	elsif ($kind eq 'partition attached')
	{
		$self->{partition}{ table_name($detail) } = 1;
	}
	elsif ($kind eq 'partition dropped')
	{
		delete $self->{partition}{ table_name($detail) };
	}
	elsif ($kind eq 'layout added')
	{
		die "no such number\n" if $detail->{layout} != @{ $self->{layouts} };
		push @{ $self->{layouts} }, [ map { [ map { utf8::encode(my $name = $_); $name } @$_{qw(name type)} ] } @{ $detail->{columns} } ];
	}
	elsif ($kind eq 'column renamed' || $kind eq 'type renamed')
	{
		my ($from, $to) = @$detail{qw(from to)};
		my $part = $kind eq 'column renamed' ? 0 : 1;
		utf8::encode($_) for $from, $to;
		for my $column (map { @$_ } @{ $self->{layouts} }[ 1 .. $#{ $self->{layouts} } ])
		{
			$column->[$part] = $to if $column->[$part] eq $from;
		}
	}
	elsif ($kind eq 'expired')
	{
		for my $lost (@{ $detail->{strands} })
		{
			my $before = $self->{expired}{ $lost->{strand} };
			die "expired out of order\n" if $lost->{first_seq} != 1 + ($before ? $before->{last_seq} : 0);
			$self->{expired}{ $lost->{strand} } = { last_seq => $lost->{last_seq}, last_hash => pack('H*', $lost->{last_hash}) };
		}
	}
	elsif ($kind eq 'guard disabled')
	{
		$self->finding('guard was disabled');
	}
	return;
}

# What the tables say beside the events
sub stored
{
	my ($self) = @_;
	my @layouts;

	for my $column (@{ $self->{stored}{layout} })
	{
		my ($number, $position) = @$column{qw(layout position)};
		$self->finding('layouts out of order') and return
			if $number < 0 || $number != $#layouts && $number != @layouts || $position != 1 + @{ $layouts[$number] // [] };
		push @{ $layouts[$number] }, [ @$column{qw(name type)} ];
	}
	$self->finding('layouts differ') if listing(@layouts) ne listing(@{ $self->{layouts} });
	my ($told, $are) = map { my $of = $_; join ' ', map { "$_ $of->{$_}{last_seq} " . unpack('H*', $of->{$_}{last_hash}) } sort keys %$of }
		$self->{expired} // {}, $self->{stored}{expired};
	$self->finding('expiry differs') if $told ne $are;
	my $table = "$self->{schema}.$self->{table}";
	my @leaves = map { $_->{table} } @{ $self->{leaves} };
	$self->finding('table differs') if ($self->{called} // '') ne $table;
	$self->finding('partitions differ') if "@{[ sort @leaves ]}" ne join ' ', $self->{partition} ? sort keys %{ $self->{partition} } : $table;
	return;
}

sub listing
{
	my (@layouts) = @_;
	return $json->canonical->encode([ map { [ map { [ map { unpack 'H*', $_ } @$_ ] } @{ $_ // [] } ] } @layouts ]);
}

# Rows, a partition at a time
sub rows
{
	my ($self) = @_;
	my %home;

	for my $leaf (@{ $self->{leaves} })
	{
		my @columns = @{ $leaf->{columns} };
		my @places;

		for my $layout (@{ $self->{layouts} })
		{
			push @places, [ map { my ($name, $type) = @$_; first { $columns[$_][0] eq $name && $columns[$_][1] eq $type } 0 .. $#columns } @$layout ];
		}
		my %covered = map { ($_->[0] => 1) } @{ $self->{layouts}[-1] // [] };
		$self->finding('layout differs', $leaf->{table}, $_->[0]) for grep { !$covered{ $_->[0] } } @columns;
		for my $row (@{ $leaf->{rows} })
		{
			my ($bytes, undef, @fields) = @$row;
			my $link = parse_link($bytes);
			my $places = $link && $link->{strand} > 0 && $link->{layout} > 0 ? $places[ $link->{layout} ] : undef;

			if (!$places || @fields != @columns)
			{
				$self->finding('no place', $leaf->{table});
				next;
			}
			$self->finding('moved', @$link{qw(strand seq)}) if ($home{ $link->{strand} } //= $leaf) != $leaf;
			$self->finding('layout differs', @$link{qw(strand seq)}) if grep { !defined $_ } @$places;
			$self->follow($link, row_image(map { defined $_ ? $fields[$_] : undef } @$places));
		}
		$self->finding('guard', $leaf->{table}, $_)
			for grep { ($leaf->{guards}{$_} // '') ne 'A' } qw(zz_anshim_append anshim_guard anshim_guard_truncate);
	}
	return;
}

#
# The log
#

sub leaf_hash { return sha256("\x00" . $_[0]) }
sub node_hash { return sha256("\x01" . $_[0] . $_[1]) }

# Segments follow each other, each link of theirs is there or has expired, and
# is a leaf.
sub segments
{
	my ($self) = @_;
	my ($index, $number, $strand, %sealed) = (0, 0, -1);
	my %block = map { ($_->{block} => $_) } @{ $self->{blocks} };

	for my $segment (@{ $self->{segments} })
	{
		my ($first, $last) = @$segment{qw(first_seq last_seq)};
		($number, $strand) = ($segment->{block}, -1) if $segment->{block} != $number;
		my $lost = $self->{expired}{ $segment->{strand} } // { last_seq => 0 };

		if (!$block{$number} || $segment->{strand} <= $strand || $first != 1 + ($sealed{ $segment->{strand} } // 0) || $last < $first
			|| $segment->{first_index} != $index || ($lost->{last_seq} >= $first && $lost->{last_seq} < $last))
		{
			$self->finding('segment', $number, $segment->{strand});
			last;
		}
		($strand, $sealed{ $segment->{strand} }) = ($segment->{strand}, $last);
		if ($last > ($self->{tail}{$strand} // $lost)->{last_seq})
		{
			$self->finding('missing', $strand, $last);
			last;
		}
		for my $seq ($first .. $last)
		{
			my $hash = $self->{hash}{ $segment->{strand} }{$seq};
			$self->{leaf}[$index] = defined $hash ? leaf_hash($hash) : undef;
			$self->finding('missing', $segment->{strand}, $seq) if !defined $hash && $seq > $lost->{last_seq};
			$index++;
		}
		my $end = $self->{hash}{ $segment->{strand} }{$last} // ($lost->{last_seq} == $last ? $lost->{last_hash} : undef);
		$self->finding('segment ends otherwise', $number, $segment->{strand}) if defined $end && $end ne $segment->{last_hash};
		$self->{ends}{$number} = $index;
	}
	$self->{size} = $index;
	$self->finding('expired unsealed', $_) for grep { ($sealed{$_} // 0) < $self->{expired}{$_}{last_seq} } keys %{ $self->{expired} // {} };
	return;
}

# The hash of a complete node: computed where its leaves are there; else what was kept
sub node
{
	my ($self, $level, $index) = @_;
	my $cache = $self->{computed}{$level} //= {};

	return $cache->{$index} if $cache->{$index};
	return $cache->{$index} = $self->{leaf}[$index] // $self->{node}{0}{$index} // die "leaf $index is not there\n" if $level == 0;
	my $all_lost = !grep { defined } @{ $self->{leaf} }[ $index << $level .. (($index + 1) << $level) - 1 ];
	return $cache->{$index} = $self->{node}{$level}{$index} if $all_lost && $self->{node}{$level}{$index};
	return $cache->{$index} = node_hash($self->node($level - 1, 2 * $index), $self->node($level - 1, 2 * $index + 1));
}

# The root over so many leaves from one on, which is a multiple of the power of two that splits them
sub root_of
{
	my ($self, $first, $size) = @_;

	return sha256('') if $size == 0;
	my ($level, $k) = (0, 1);
	($level, $k) = ($level + 1, 2 * $k) while 2 * $k <= $size;
	return $self->node($level, $first >> $level) if $k == $size;
	return node_hash($self->node($level, $first >> $level), $self->root_of($first + $k, $size - $k));
}

sub size { return $_[0]{size} }
sub root { my ($self, $size) = @_; return $self->root_of(0, $size) }

sub log
{
	my ($self) = @_;
	my $number = 0;

	for my $block (@{ $self->{blocks} })
	{
		if ($block->{block} != ++$number || ($self->{ends}{$number} // -1) != $block->{size})
		{
			$self->finding('block', $block->{block});
			next;
		}
		my $root = eval { $self->root($block->{size}) } // '';
		$self->finding('root differs', $block->{block}) if $root ne $block->{root};
	}
	for my $level (keys %{ $self->{node} })
	{
		for my $index (keys %{ $self->{node}{$level} })
		{
			my $node = $level >= 0 && $level < 32 && $index >= 0 && $index < $self->{size} >> $level && eval { $self->node($level, $index) };
			$self->finding('node differs', $level, $index) if !$node || $node ne $self->{node}{$level}{$index};
		}
	}
	return;
}

sub findings
{
	my ($self) = @_;

	unless ($self->{checked}++)
	{
		$self->$_ for qw(events stored rows segments log);
	}
	return @{ $self->{findings} };
}

#
# Proofs: RFC 9162, sections 2.1.3 and 2.1.4
#

sub split_at
{
	my ($size) = @_;
	my $k = 1;

	$k *= 2 while 2 * $k < $size;
	return $k;
}

sub path_of
{
	my ($self, $m, $first, $size) = @_;

	return () if $size == 1;
	my $k = split_at($size);
	return $m < $k
		? ($self->path_of($m, $first, $k), $self->root_of($first + $k, $size - $k))
		: ($self->path_of($m - $k, $first + $k, $size - $k), $self->root_of($first, $k));
}

sub inclusion_path
{
	my ($self, $index, $size) = @_;
	return $self->path_of($index, 0, $size);
}

sub subproof
{
	my ($self, $m, $first, $size, $whole) = @_;

	return $whole ? () : $self->root_of($first, $size) if $m == $size;
	my $k = split_at($size);
	return $m <= $k
		? ($self->subproof($m, $first, $k, $whole), $self->root_of($first + $k, $size - $k))
		: ($self->subproof($m - $k, $first + $k, $size - $k, 0), $self->root_of($first, $k));
}

sub consistency_path
{
	my ($self, $old, $new) = @_;
	return $old == 0 || $old == $new ? () : $self->subproof($old, 0, $new, 1);
}

sub verify_inclusion
{
	my ($leaf_hash, $index, $size, $path, $root) = @_;
	my ($fn, $sn, $r) = ($index, $size - 1, $leaf_hash);

	return 0 if $index >= $size;
	for my $p (@$path)
	{
		return 0 if $sn == 0;
		if ($fn & 1 || $fn == $sn)
		{
			$r = node_hash($p, $r);
			($fn, $sn) = ($fn >> 1, $sn >> 1) while !($fn & 1) && $fn != 0;
		}
		else
		{
			$r = node_hash($r, $p);
		}
		($fn, $sn) = ($fn >> 1, $sn >> 1);
	}
	return $sn == 0 && $r eq $root;
}

sub verify_consistency
{
	my ($old, $new, $old_root, $new_root, $path) = @_;
	my @path = @$path;

	return !@path && ($old == 0 || $old_root eq $new_root) if $old == 0 || $old == $new;
	return 0 if !@path || $old > $new;
	unshift @path, $old_root if ($old & ($old - 1)) == 0;
	my ($fn, $sn) = ($old - 1, $new - 1);
	($fn, $sn) = ($fn >> 1, $sn >> 1) while $fn & 1;
	my $fr = my $sr = shift @path;
	for my $c (@path)
	{
		return 0 if $sn == 0;
		if ($fn & 1 || $fn == $sn)
		{
			$fr = node_hash($c, $fr);
			$sr = node_hash($c, $sr);
			($fn, $sn) = ($fn >> 1, $sn >> 1) while !($fn & 1) && $fn != 0;
		}
		else
		{
			$sr = node_hash($sr, $c);
		}
		($fn, $sn) = ($fn >> 1, $sn >> 1);
	}
	return $fr eq $old_root && $sr eq $new_root && $sn == 0;
}

#
# Checkpoints
#

sub key_of
{
	my ($vkey) = @_;
	my ($name, $id, $base64) = $vkey =~ /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/ or die "no verifier key\n";
	my ($type, $public) = unpack('C a*', decode_base64($base64));

	die "no verifier key\n" if length($public) != 32 || substr(sha256("$name\n" . chr($type) . $public), 0, 4) ne pack('H*', $id);
	return { name => $name, id => pack('H*', $id), type => $type, public => $public };
}

# By OpenSSL; the key as RFC 8410 wraps it
sub ed25519
{
	my ($public, $message, $signature) = @_;
	my @files = map { my $file = File::Temp->new; print $file $_; close($file); $file }
		pack('H*', '302a300506032b6570032100') . $public, $message, $signature;

	return system("openssl pkeyutl -verify -pubin -keyform DER -inkey '$files[0]' -rawin -in '$files[1]' -sigfile '$files[2]' >/dev/null 2>&1") == 0;
}

# The text of a note and who signed it, or undef
sub parse_note
{
	my ($note) = @_;
	my $end = rindex($note, "\n\n");
	my @signatures;

	return undef if $end < 0;
	for my $line (split /\n/, substr($note, $end + 2), -1)
	{
		next if $line eq '';
		my ($name, $base64) = $line =~ /^\xe2\x80\x94 ([^ ]+) ([A-Za-z0-9+\/]+=*)$/ or return undef;
		my $blob = decode_base64($base64);
		return undef if length($blob) < 5 || encode_base64($blob, '') ne $base64;
		push @signatures, { name => $name, id => substr($blob, 0, 4), bytes => substr($blob, 4) };
	}
	return (substr($note, 0, $end + 1), @signatures);
}

# Whether this key's signature is on it: undef if there is none
sub signed_by
{
	my ($key, $text, @signatures) = @_;
	my $good;

	for my $signature (grep { $_->{name} eq $key->{name} && $_->{id} eq $key->{id} } @signatures)
	{
		my ($message, $bytes) = ($text, $signature->{bytes});
		if ($key->{type} == 4)
		{
			(my $time, $bytes) = unpack('Q> a*', $bytes);
			$message = "cosignature/v1\ntime $time\n$text";
		}
		$good = length($bytes) == 64 && ed25519($key->{public}, $message, $bytes) && ($good // 1);
	}
	return $good;
}

# Findings of a checkpoint that was kept elsewhere
sub checkpoint
{
	my ($self, $note, $vkeys, $witnesses, $quorum) = @_;
	my ($text, @signatures) = parse_note($note);
	my ($origin, $size, $base64) = ($text // '') =~ /^([^\n]+)\n(0|[1-9][0-9]*)\n([A-Za-z0-9+\/]{43}=)\n/ or return 'no checkpoint';
	my $key = first { $_->{type} == 1 && $_->{name} eq $origin } map { key_of($_) } @$vkeys;
	my @cosigned = map { signed_by(key_of($_), $text, @signatures) } @{ $witnesses // [] };

	return 'another origin' if $origin ne $self->{origin};
	return 'signature bad' if !$key || !signed_by($key, $text, @signatures) || grep { defined $_ && !$_ } @cosigned;
	return 'cosignatures missing' if (grep { $_ } @cosigned) < ($quorum // 0);
	return 'rolled back' if $size > $self->{size};
	return 'log differs' if $self->root($size) ne decode_base64($base64);
	return ();
}

#
# Values, as psql prints them with DateStyle ISO, IntervalStyle iso_8601 and TimeZone UTC
#

my %oid = (boolean => 16, bytea => 17, bigint => 20, smallint => 21, integer => 23, text => 25, uuid => 2950);

sub microseconds
{
	my ($fraction) = @_;
	return substr(($fraction // '') . '000000', 0, 6);
}

sub days_since_2000
{
	my ($year, $month, $day) = @_;
	return (timegm_modern(0, 0, 0, $day, $month - 1, $year) - 946_684_800) / 86400;
}

sub timestamp
{
	my ($text) = @_;
	return pack('q>', 9_223_372_036_854_775_807) if $text eq 'infinity';
	return pack('q>', -9_223_372_036_854_775_807 - 1) if $text eq '-infinity';
	my ($date, $h, $m, $s, $fraction) = $text =~ /^(\d{4}-\d\d-\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:\+00)?$/ or die "time: $text\n";
	return pack('q>', (days_since_2000(split /-/, $date) * 86400 + $h * 3600 + $m * 60 + $s) * 1_000_000 + microseconds($fraction));
}

sub interval
{
	my ($text) = @_;
	my $n = qr/(-?\d+)/;
	my ($y, $m, $d, $h, $min, $sign, $s, $fraction) =
		$text =~ /^P(?:${n}Y)?(?:${n}M)?(?:${n}D)?(?:T(?:${n}H)?(?:${n}M)?(?:(-?)(\d+)(?:\.(\d+))?S)?)?$/ or die "interval: $text\n";
	my $seconds = ($s // 0) * 1_000_000 + microseconds($fraction);
	return pack('q> l> l>', (($h // 0) * 3600 + ($min // 0) * 60) * 1_000_000 + ($sign ? -$seconds : $seconds), $d // 0, ($y // 0) * 12 + ($m // 0));
}

sub numeric
{
	my ($text) = @_;
	my %special = (NaN => 0xC000, Infinity => 0xD000, -Infinity => 0xF000);
	return pack(q(n4), 0, 0, $special{$text}, $text eq q(NaN) ? 0 : 0x20) if exists $special{$text};
	my ($sign, $whole, $fraction) = $text =~ /^(-?)(\d+)(?:\.(\d+))?$/ or die "numeric: $text\n";
	my $scale = length($fraction //= '');

	$whole = '0' x (-length($whole) % 4) . $whole;
	$fraction .= '0' x (-$scale % 4);
	my @digits = unpack('(a4)*', $whole . $fraction);
	my $weight = length($whole) / 4 - 1;
	while (@digits && $digits[0] == 0)  { shift @digits; $weight-- }
	while (@digits && $digits[-1] == 0) { pop @digits }
	return pack('s> s> n n n*', scalar @digits, @digits ? $weight : 0, $sign ? 0x4000 : 0, $scale, @digits);
}

sub floating
{
	my ($format, $text) = @_;
	my %special = (Infinity => 9**9**9, -Infinity => -9**9**9);
	return pack('H*', $format eq 'd>' ? '7ff8000000000000' : '7fc00000') if $text eq 'NaN';
	return pack($format, $special{$text}) if exists $special{$text};
	my $bytes = pack($format, $text =~ s/^-//r);
	substr($bytes, 0, 1) |= "\x80" if $text =~ /^-/;
	return $bytes;
}

my %encode = (
	boolean => sub { $_[0] eq 't' ? "\1" : "\0" },
	smallint => sub { pack('s>', $_[0]) },
	integer => sub { pack('l>', $_[0]) },
	bigint => sub { pack('q>', $_[0]) },
	real => sub { floating('f>', $_[0]) },
	'double precision' => sub { floating('d>', $_[0]) },
	numeric => \&numeric,
	text => sub { $_[0] },
	'character varying' => sub { $_[0] },
	character => sub { $_[0] },
	bytea => sub { pack('H*', $_[0] =~ s/^\\x//r) },
	uuid => sub { pack('H*', $_[0] =~ tr/-//dr) },
	date => sub { pack('l>', days_since_2000(split /-/, $_[0])) },
	'timestamp with time zone' => \&timestamp,
	'timestamp without time zone' => \&timestamp,
	interval => \&interval,
	json => sub { $_[0] },
	jsonb => sub { "\1$_[0]" },
);

# One dimension, elements without quotes
sub array
{
	my ($element, $text) = @_;
	my @elements = map { $_ eq 'NULL' ? undef : value($element, $_) } split /,/, $text =~ s/^\{|\}$//gr;
	return pack('l>3', 0, 0, $oid{$element}) unless @elements;
	return pack('l>3 l>2', 1, (grep { !defined } @elements) ? 1 : 0, $oid{$element}, scalar @elements, 1) . substr(row_image(@elements), 2);
}

sub value
{
	my ($type, $text) = @_;

	return undef unless defined $text;
	return array($1, $text) if $type =~ /^(.*)\[\]$/;
	return ($encode{$type} // $encode{text})->($text);    # enums are their labels
}

sub image
{
	my (@pairs) = @_;
	return row_image(map { value(@$_) } @pairs);
}

1;
