# Writes chains as `anshim_verify --export` does, without anshim or PostgreSQL:
# from docs/formats.md alone.
#
#   my $chain = AnshimExport->new(table => 'visit', leaves => { visit => [ [ 'name', 'text' ], … ] });
#   $chain->insert('visit', $strand, \@fields);     # fields are bytes, or undef
#   $chain->seal; $chain->expire($block);
#   $chain->write($directory);
#   my $note = $chain->note($key, @witnesses);      # of all that is sealed
#
# What a test tampers with are the members of the object, before write().

package AnshimExport;

use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64);

my $no_hash = "\0" x 32;

sub new
{
	my ($class, %args) = @_;
	my $self = bless {
		id => pack('H*', '6f1c9a520c1d4e6b9f3a2b7d8e4f5a60'),
		schema => 'public',
		origin => 'example.org/visits',
		now => 700_000_000_000_000,
		%args,
		event => [], rows => {}, block => [], segment => [], kept => [], expired => {},
		event_layout => [ [ 'chain', 'uuid' ], [ 'at', 'timestamp with time zone' ], [ 'kind', 'text' ], [ 'actor', 'text' ], [ 'detail', 'jsonb' ] ],
		leaf_hash => [], tail => {}, sealed => {}, layout => [], guard => [], hole => [],
	}, $class;

	my @names = sort keys %{ $self->{leaves} };
	$self->{rows}{$_} = [] for @names;
	$self->event('chained', qq({"rows": 0, "order": ["ctid"], "table": "$self->{table}", "schema": "public", "strands": []}));
	$self->add_layout(@{ $self->{leaves}{ $names[0] } });
	if ($names[0] ne $self->{table})
	{
		$self->event('partition attached', qq({"table": "$_", "schema": "public"})) for @names;
	}
	for my $i (1 .. @names)
	{
		push @{ $self->{guard} }, [ $i, $_, 'A' ] for @{ $self->{guards} };
	}
	return $self;
}

# Layouts are numbered from 1.
sub add_layout
{
	my ($self, @columns) = @_;
	my $number = 1 + @{ $self->{layout} };

	$self->event('layout added', sprintf '{"layout": %d, "columns": [%s]}', $number,
		join ', ', map { qq({"name": "$_->[0]", "type": "$_->[1]"}) } @columns);
	push @{ $self->{layout} }, [ map { [@$_] } @columns ];
	return;
}

sub field
{
	my ($value) = @_;
	return defined $value ? pack('N/a*', $value) : pack('N', 0xffffffff);
}

sub image
{
	my (@fields) = @_;
	return pack('n', scalar @fields) . join('', map { field($_) } @fields);
}

sub link_hash
{
	my ($self, $strand, $layout, $seq, $before, $image) = @_;
	return sha256("\x02" . $self->{id} . pack('N N Q>', $strand, $layout, $seq) . $before . $image);
}

sub link_bytes
{
	my ($row) = @_;
	return pack('N N Q> a32', @$row{qw(strand layout seq hash)});
}

# The next row of a strand
sub make_row
{
	my ($self, $strand, $layout, @fields) = @_;
	my $tail = $self->{tail}{$strand} //= { seq => 0, hash => $no_hash };
	my $row = { strand => $strand, layout => $layout, seq => $tail->{seq} + 1, fields => [@fields] };

	$row->{hash} = $self->link_hash($strand, $layout, $row->{seq}, $tail->{hash}, image(@fields));
	@$tail{qw(seq hash)} = @$row{qw(seq hash)};
	push @{ $self->{links}{$strand} }, $row->{hash};
	return $row;
}

sub insert
{
	my ($self, $leaf, $strand, $fields) = @_;
	my $row = $self->make_row($strand, scalar @{ $self->{layout} }, @$fields);

	push @{ $self->{rows}{$leaf} }, $row;
	return $row;
}

sub event
{
	my ($self, $kind, $detail) = @_;
	my $row = $self->make_row(0, 0, $self->{id}, pack('Q>', $self->{now} + 1000 * @{ $self->{event} }), $kind, 'postgres', "\x01$detail");

	push @{ $self->{event} }, $row;
	return $row;
}

# The tree

sub leaf_of { return sha256("\x00" . $_[0]) }
sub node_of { return sha256("\x01" . $_[0] . $_[1]) }

sub root
{
	my (@leaves) = @_;
	return sha256('') unless @leaves;
	return $leaves[0] if @leaves == 1;
	my $k = 1;
	$k *= 2 while 2 * $k < @leaves;
	return node_of(root(@leaves[ 0 .. $k - 1 ]), root(@leaves[ $k .. $#leaves ]));
}

sub node
{
	my ($self, $level, $index) = @_;
	return root(@{ $self->{leaf_hash} }[ $index << $level .. (($index + 1) << $level) - 1 ]);
}

sub seal
{
	my ($self) = @_;
	my $block = 1 + @{ $self->{block} };

	for my $strand (sort { $a <=> $b } keys %{ $self->{tail} })
	{
		my $from = $self->{sealed}{$strand} // 0;
		my $to = $self->{tail}{$strand}{seq};
		next if $to == $from;
		push @{ $self->{segment} },
			{ block => $block, strand => $strand, first_seq => $from + 1, last_seq => $to, first_index => scalar @{ $self->{leaf_hash} },
				last_hash => $self->{links}{$strand}[ $to - 1 ] };
		push @{ $self->{leaf_hash} }, map { leaf_of($_) } @{ $self->{links}{$strand} }[ $from .. $to - 1 ];
		$self->{sealed}{$strand} = $to;
	}
	push @{ $self->{block} },
		{ block => $block, size => scalar @{ $self->{leaf_hash} }, root => root(@{ $self->{leaf_hash} }), sealed_at => $self->{now} - 3_600_000_000 };
	return;
}

# Build blocks and tiles anew from the links that are there, as a forger would.
sub reseal
{
	my ($self) = @_;
	my @leaves;

	for my $segment (@{ $self->{segment} })
	{
		$segment->{last_hash} = $self->{links}{ $segment->{strand} }[ $segment->{last_seq} - 1 ];
		push @leaves, map { leaf_of($_) } @{ $self->{links}{ $segment->{strand} } }[ $segment->{first_seq} - 1 .. $segment->{last_seq} - 1 ];
	}
	$self->{leaf_hash} = \@leaves;
	$_->{root} = root(@leaves[ 0 .. $_->{size} - 1 ]) for @{ $self->{block} };
	return;
}

# Hash a strand again from a row on, as a forger would.
sub relink
{
	my ($self, $strand) = @_;
	my $before = $no_hash;
	my @links;

	for my $row (sort { $a->{seq} <=> $b->{seq} } grep { $_->{strand} == $strand } @{ $self->{event} }, map { @$_ } values %{ $self->{rows} })
	{
		$row->{hash} = $before = $self->link_hash(@$row{qw(strand layout seq)}, $before, image(@{ $row->{fields} }));
		push @links, $before;
	}
	$self->{links}{$strand} = \@links;
	return;
}

# Remove the segments of all blocks up to this one, but for the events.
sub expire
{
	my ($self, $block) = @_;
	my (%lost, @parts);

	for my $segment (grep { $_->{block} <= $block && $_->{strand} > 0 && !$_->{gone} } @{ $self->{segment} })
	{
		my $lost = $lost{ $segment->{strand} } //= { first_seq => $segment->{first_seq} };
		my ($from, $to) = ($segment->{first_index}, $segment->{first_index} + $segment->{last_seq} - $segment->{first_seq} + 1);

		$lost->{last_seq} = $segment->{last_seq};
		$segment->{gone} = 1;
		while ($from < $to)
		{
			my $level = 0;
			$level++ while ($from & ((2 << $level) - 1)) == 0 && $from + (2 << $level) <= $to;
			push @{ $self->{kept} }, [ $level, $from >> $level, $self->node($level, $from >> $level) ] if $level < 8;
			$from += 1 << $level;
		}
	}
	for my $strand (sort { $a <=> $b } keys %lost)
	{
		my $lost = $lost{$strand};
		my $hash = $self->{links}{$strand}[ $lost->{last_seq} - 1 ];

		push @parts, sprintf '{"strand": %d, "last_seq": %d, "first_seq": %d, "last_hash": "%s"}',
			$strand, $lost->{last_seq}, $lost->{first_seq}, unpack('H*', $hash);
		$self->{expired}{$strand} = { last_seq => $lost->{last_seq}, hash => $hash };
		@$_ = grep { $_->{strand} != $strand || $_->{seq} > $lost->{last_seq} } @$_ for values %{ $self->{rows} };
	}
	$self->event('expired', sprintf '{"rows": 0, "block": %d, "strands": [%s]}', $block, join ', ', @parts);
	return;
}

# Files

# Each row is an array of fields; [ bytes ] is one that nothing depends on.
sub write_file
{
	my ($self, $file, @rows) = @_;
	my $data = "PGCOPY\n\xff\r\n\0" . pack('N N', 0, 0);

	for my $row (@rows)
	{
		$data .= pack('n', scalar @$row);
		for my $value (@$row)
		{
			my $bytes = field(ref $value ? $value->[0] : $value);
			push @{ $self->{free}{$file} }, [ length($data) + 4, length($data) + length($bytes) ] if ref $value;
			$data .= $bytes;
		}
	}
	$data .= "\xff\xff";
	open(my $handle, '>:raw', "$self->{folder}/$file") or die "$file: $!\n";
	print $handle $data;
	close($handle) or die "$file: $!\n";
	return;
}

sub row_fields
{
	my ($row, $number) = @_;
	return [ $row->{nolink} ? undef : link_bytes($row), [ pack('N n', $number >> 7, ($number & 127) + 1) ], @{ $row->{fields} } ];
}

sub id_text
{
	my ($self) = @_;
	return join '-', unpack 'H8 H4 H4 H4 H12', $self->{id};
}

sub tiles
{
	my ($self) = @_;
	my @tiles;

	for (my $level = 1; @{ $self->{leaf_hash} } >> 8 * $level; $level++)
	{
		my $n = @{ $self->{leaf_hash} } >> 8 * $level;
		for (my $tile = 0; $tile * 256 < $n; $tile++)
		{
			my $end = ($tile + 1) * 256 < $n ? ($tile + 1) * 256 : $n;
			push @tiles, [ $level, $tile, join '', map { $self->node(8 * $level, $_) } $tile * 256 .. $end - 1 ];
		}
	}
	return \@tiles;
}

sub write
{
	my ($self, $directory) = @_;
	my $folder = $self->{folder} = "$directory/" . $self->id_text;
	my @names = sort keys %{ $self->{leaves} };
	my (@columns, @layouts, $number);

	mkdir $directory;
	mkdir $folder or die "$folder: $!\n";
	$self->{free} = {};
	$self->write_file('chain.copy',
		[ $self->{id}, $self->{schema}, $self->{table}, $self->{origin}, [ pack('Q>', 1) ], undef, [ pack('Q>', $self->{now}) ] ]);
	for my $i (0 .. @{ $self->{layout} })
	{
		my @layout = @{ $i == 0 ? $self->{event_layout} : $self->{layout}[ $i - 1 ] };
		push @layouts, map { [ pack('N', $i), pack('N', $_ + 1), @{ $layout[$_] } ] } 0 .. $#layout;
	}
	$self->write_file('layout.copy', @layouts);
	$number = 0;
	$self->write_file('event.copy', map { row_fields($_, $number++) } @{ $self->{event} });
	$self->write_file('block.copy', map { [ pack('Q>', $_->{block}), pack('Q>', $_->{size}), $_->{root}, [ pack('Q>', $_->{sealed_at}) ] ] } @{ $self->{block} });
	$self->write_file('segment.copy',
		map { [ pack('Q>', $_->{block}), pack('N', $_->{strand}), (map { pack('Q>', $_) } @$_{qw(first_seq last_seq first_index)}), $_->{last_hash} ] } @{ $self->{segment} });
	$self->write_file('tile.copy', map { [ pack('n', $_->[0]), pack('Q>', $_->[1]), $_->[2] ] } @{ $self->{tile} // $self->tiles });
	$self->write_file('kept.copy',
		map { [ pack('n', $_->[0]), pack('Q>', $_->[1]), $_->[2] ] } sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @{ $self->{kept} });
	$self->write_file('expired.copy',
		map { [ pack('N', $_), pack('Q>', $self->{expired}{$_}{last_seq}), $self->{expired}{$_}{hash} ] } sort { $a <=> $b } keys %{ $self->{expired} });
	for my $i (0 .. $#names)
	{
		my @leaf = @{ $self->{leaves}{ $names[$i] } };
		push @columns, map { [ pack('N', $i + 1), $self->{schema}, $names[$i], pack('N', $_ + 1), @{ $leaf[$_] } ] } 0 .. $#leaf;
		$number = 0;
		$self->write_file('rows-' . ($i + 1) . '.copy', map { row_fields($_, $number++) }
			sort { $a->{strand} <=> $b->{strand} || $a->{seq} <=> $b->{seq} } @{ $self->{rows}{ $names[$i] } });
	}
	$self->write_file('leaf.copy', @columns);
	$self->write_file('guard.copy', map { [ pack('N', $_->[0]), @$_[ 1, 2 ] ] } @{ $self->{guard} });
	return $folder;
}

# Signed notes.  A key has a name, a file with its secret, and its public key.

sub sign
{
	my ($key, $message) = @_;
	my $file = "$key->{file}.message";

	open(my $handle, '>:raw', $file) or die "$file: $!\n";
	print $handle $message;
	close($handle) or die "$file: $!\n";
	my $signature = qx(openssl pkeyutl -sign -inkey '$key->{file}' -rawin -in '$file');
	die "openssl does not sign\n" unless length($signature) == 64;
	return $signature;
}

sub key_id
{
	my ($key, $type) = @_;
	return substr(sha256("$key->{name}\n" . chr($type) . $key->{public}), 0, 4);
}

sub vkey
{
	my ($key, $type) = @_;
	return join '+', $key->{name}, unpack('H*', key_id($key, $type)), encode_base64(chr($type) . $key->{public}, '');
}

sub key
{
	my ($name, $file) = @_;
	system("openssl genpkey -algorithm ed25519 -out '$file'") == 0 or die "openssl makes no key\n";
	return { name => $name, file => $file, public => substr(scalar qx(openssl pkey -in '$file' -pubout -outform DER), -32) };
}

sub note
{
	my ($self, $key, @witnesses) = @_;
	my $size = @{ $self->{leaf_hash} };
	my $text = "$self->{origin}\n$size\n" . encode_base64(root(@{ $self->{leaf_hash} }), '') . "\n";
	my $note = "$text\n\xe2\x80\x94 $key->{name} " . encode_base64(key_id($key, 1) . sign($key, $text), '') . "\n";

	for my $witness (@witnesses)
	{
		my $time = 1_645_000_000;
		my $signature = sign($witness, "cosignature/v1\ntime $time\n$text");
		$note .= "\xe2\x80\x94 $witness->{name} " . encode_base64(key_id($witness, 4) . pack('Q>', $time) . $signature, '') . "\n";
	}
	return $note;
}

1;
