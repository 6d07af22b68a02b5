#!/usr/bin/env bash
#
# anshim_verify under the address and undefined behaviour sanitizers: unit
# tests of its readers (test/unit/verify_test.c), and the whole program with
# fewer of the files of verify_files.pl.

set -euo pipefail

out=${TEST_TMP:-$(mktemp -d)}
cc=${CC:-gcc}
pg_config=${PG_CONFIG:-pg_config}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" anshim.control)

flags=(-std=gnu11 -g -O1 -Wall -Wextra -Wshadow -Werror -Wno-sign-compare -Wno-unused-parameter -Wno-missing-field-initializers
	"-fsanitize=address,undefined" -fno-sanitize-recover=all
	-DFRONTEND -DUSE_ASSERT_CHECKING -DANSHIM_VERSION="\"$version\"" -Isrc
	-I"$("$pg_config" --includedir-server)" -I"$("$pg_config" --includedir)" -I"$("$pg_config" --pkgincludedir)/internal")
libraries=(-L"$("$pg_config" --pkglibdir)" -L"$("$pg_config" --libdir)" -lpgcommon -lpgport -lpq -lcrypto -lm)
shared=(src/audit/finding_kind.c src/chain/link_hash.c src/crypto/point.c src/log/{merkle,note}.c)

# What a sanitizer finds is neither "findings" nor "could not be checked".
export ASAN_OPTIONS=abort_on_error=1 UBSAN_OPTIONS=abort_on_error=1 LSAN_OPTIONS=exitcode=99

echo "SEED=$seed"
"$cc" "${flags[@]}" -o "$out/verify_test" test/unit/verify_test.c bin/{copy,crypto,json,tree}.c "${shared[@]}" "${libraries[@]}"
"$out/verify_test" "$seed"

"$cc" "${flags[@]}" -o "$out/anshim_verify" bin/*.c "${shared[@]}" "${libraries[@]}"
SEED=$seed RUNS=${RUNS:-300} CLUSTER_BIN=$out perl test/scripts/verify_files.pl
