#!/usr/bin/env bash
#
# The token layers that know no server, under the address and undefined
# behaviour sanitizers: see test/unit/token_test.c.

set -euo pipefail

out=${TEST_TMP:-$(mktemp -d)}
cc=${CC:-gcc}

"$cc" -std=gnu11 -g -O1 -Wall -Wextra -Wshadow -Werror -fsanitize=address,undefined \
	-fno-sanitize-recover=all -Isrc -o "$out/token_test" test/unit/token_test.c \
	src/token/{base45,base64url,cbor,cose,cwt,fault}.c -lm

# field FILE NAME: the first string of this name in a JSON file
field() { sed -n "s/.*\"$2\" *: *\"\([^\"]*\)\".*/\1/p" "$1" | head -n 1; }

examples=()
for file in test/data/cose/*/*.json; do
	name=$(basename "$file" .json)
	to_be_signed=$(field "$file" ToBeSign_hex)$(field "$file" ToMac_hex)
	aad=$(field "$file" external)
	examples+=("$name:$(field "$file" cbor):${aad:--}:$to_be_signed")
done
[ "${#examples[@]}" -ge 14 ] || {
	echo "only ${#examples[@]} COSE examples in test/data/cose"
	exit 1
}

"$out/token_test" test/data/cbor/items.txt "${examples[@]}"
