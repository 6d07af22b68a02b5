#!/usr/bin/env bash
#
# The tree and signed notes, which know no server, under the address and
# undefined behaviour sanitizers: see test/unit/log_test.c.

set -euo pipefail

out=${TEST_TMP:-$(mktemp -d)}
cc=${CC:-gcc}
pg_config=${PG_CONFIG:-pg_config}

"$cc" -std=gnu11 -g -O1 -Wall -Wextra -Wshadow -Werror -Wno-sign-compare -Wno-unused-parameter \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-DFRONTEND -DUSE_PRIVATE_ENCODING_FUNCS -DUSE_ASSERT_CHECKING -Isrc -I"$("$pg_config" --includedir-server)" \
	-o "$out/log_test" test/unit/{log_test,merkle_test,note_test,crypto}.c src/log/{merkle,note}.c \
	-L"$("$pg_config" --pkglibdir)" -L"$("$pg_config" --libdir)" -lpgcommon -lpgport -lcrypto -lm

# One line a proof: KIND NAME GOOD|BAD NUMBER NUMBER HASH HASH PROOF…; `-` for an empty hash
perl -MJSON::PP -MMIME::Base64 -ne '
	my $v = decode_json($_);
	my $hex = sub { my $h = unpack("H*", decode_base64($_[0])); $h eq "" ? "-" : $h };
	my @words = exists $v->{leafIdx} ? ("inclusion", @$v{qw(leafIdx treeSize)}, map { $hex->($_) } @$v{qw(root leafHash)})
		: ("consistency", @$v{qw(size1 size2)}, map { $hex->($_) } @$v{qw(root1 root2)});
	my $kind = shift @words;
	print join(" ", $kind, $v->{name}, $v->{wantErr} ? "bad" : "good", @words, map { $hex->($_) } @{$v->{proof} // []}), "\n";
	' test/data/rfc6962/inclusion.jsonl test/data/rfc6962/consistency.jsonl >"$out/vectors"

"$out/log_test" "$out/vectors"
