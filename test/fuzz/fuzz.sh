#!/usr/bin/env bash
#
# make fuzz: feed what reads tokens, notes, keys and proofs with what no
# well-meaning sender sends, and traces and row images with whatever comes.
#
#   token_fuzz   CBOR, COSE, CWT, Base45    log_fuzz   notes, keys, Merkle proofs
#   trace_fuzz   intervals of a trace       row_fuzz   row images and their hashes
#
#   FUZZ_RUNS=N   inputs, 2 million by default, for each fuzzer; a quarter of
#                 them for the last two, which check each against an oracle
#   FUZZ_SEED=N   to repeat a run; printed in any case
#   --install     install the compilers where they are missing
#
# libFuzzer (clang with its runtime library) looks for inputs that reach new
# code; the plain mutator beside it needs no more than gcc, and gives the same
# inputs everywhere.  Both run under the address and undefined behaviour
# sanitizers.  An input that fails is left in build/fuzz/.

set -euo pipefail
cd "$(dirname "$0")/../.."
pg_config=${PG_CONFIG:-pg_config}

if [ "${1:-}" = --install ]; then
	# shellcheck source=scripts/lib.sh
	(. scripts/lib.sh && need_packages gcc libc6-dev clang libclang-rt-dev)
fi

runs=${FUZZ_RUNS:-2000000}
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
out=${FUZZ_DIR:-build/fuzz}
items=test/data/cbor/items.txt
flags=(-std=gnu11 -g -O1 -Wall -Wextra -Werror -fno-sanitize-recover=all -Isrc -Itest/fuzz)
target=(test/fuzz/{token_fuzz,cbor_oracle}.c src/token/{base45,cbor,cose,cwt,fault}.c -lm)

mkdir -p "$out"
echo "FUZZ_SEED=$seed FUZZ_RUNS=$runs"

"${CC:-gcc}" "${flags[@]}" -fsanitize=address,undefined \
	-o "$out/mutate" test/fuzz/mutate.c "${target[@]}"
"$out/mutate" "$items" run "$runs" "$seed"
echo "mutator: $runs inputs"

if ! echo 'int LLVMFuzzerTestOneInput(const char *d, long n) { return d && n < 0; }' |
	clang -x c -fsanitize=fuzzer,address,undefined -o "$out/probe" - 2>/dev/null; then
	echo "libFuzzer: not here (make fuzz installs it)"
	exit 0
fi

# run_fuzzer NAME LENGTH: inputs of up to so many bytes, with what lies in the
# folder seeds.NAME to begin with
run_fuzzer() {
	local name=$1 length=$2

	rm -rf "$out/corpus.$name"
	mkdir -p "$out/corpus.$name"
	"$out/$name" -seed="$((seed % 4294967296))" -runs="$runs" -max_len="$length" -use_value_profile=1 \
		-verbosity=0 -timeout=10 -artifact_prefix="$out/" -print_final_stats=1 \
		"$out/corpus.$name" "$out/seeds.$name" >"$out/log" 2>&1 || {
		tail -n 50 "$out/log"
		exit 1
	}
	echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/log") inputs," \
		"$(find "$out/corpus.$name" -type f | wc -l) kept for what they reached"
}

rm -rf "$out"/seeds.*
mkdir -p "$out"/seeds.{token,log,trace,row}_fuzz
clang "${flags[@]}" -fsanitize=fuzzer,address,undefined -o "$out/token_fuzz" "${target[@]}"
"$out/mutate" "$items" corpus "$out/seeds.token_fuzz"
run_fuzzer token_fuzz 4200

command -v "$pg_config" >/dev/null || {
	echo "log_fuzz, trace_fuzz, row_fuzz: need PostgreSQL's development package"
	exit 0
}
flags+=(-Wno-sign-compare -Wno-unused-parameter -Wno-ignored-attributes -Wno-missing-field-initializers
	-D_GNU_SOURCE -DUSE_ASSERT_CHECKING -I"$("$pg_config" --includedir-server)")
libraries=(-L"$("$pg_config" --pkglibdir)" -L"$("$pg_config" --libdir)" -lpgcommon -lpgport -lcrypto -lm)

# A note, a verifier key, and numbers of a proof
hash=qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=
printf '\001example.org/log\n12\n%s\n\n— example.org/log q83vEjRWeJASNFZ4kBI0VniQEjRWeJASNFZ4kBI0VniQEjRWeJASNFZ4kBI0VniQEjRWeJASNFZ4kBI0VniQEjRWeJA=\n' "$hash" >"$out/seeds.log_fuzz/note"
# shellcheck disable=SC2016
perl -MDigest::SHA=sha256 -MMIME::Base64 -e '
	my ($name, $key) = ("example.org/log", "\1" . "k" x 32);
	print "\0$name+", unpack("H8", sha256("$name\n$key")), "+", encode_base64($key, "");' >"$out/seeds.log_fuzz/key"
printf '\002\001\002\000\101\000\063\007\021' >"$out/seeds.log_fuzz/proof"
clang "${flags[@]}" -fsanitize=fuzzer,address,undefined -DFRONTEND -DUSE_PRIVATE_ENCODING_FUNCS -o "$out/log_fuzz" \
	test/fuzz/log_fuzz.c test/unit/crypto.c src/log/{merkle,note}.c "${libraries[@]}"
run_fuzzer log_fuzz 4200

runs=$(((runs + 3) / 4))

# Any bytes say something to these.
perl -e '
	my ($seed, @folders) = @ARGV;
	srand($seed);
	for my $folder (@folders) {
		for my $n (1 .. 20) {
			open(my $file, ">:raw", "$folder/$n") or die "$folder: $!";
			print $file join("", map { chr(int(rand(256))) } 1 .. 8 * $n);
		}
	}' "$seed" "$out"/seeds.{trace,row}_fuzz

# PostgreSQL's sort template adds 0 elements to a null pointer.
flags+=("-fsanitize=fuzzer,address,undefined" -fno-sanitize=pointer-overflow)
clang "${flags[@]}" -o "$out/trace_fuzz" test/fuzz/{trace_fuzz,trace_oracle,server,not_called}.c \
	src/exposure/{air,encounters,minutes,minutes_air,minutes_spread,pieces,spread,times,trace}.c \
	src/visits/{ident,memory}.c "${libraries[@]}"
run_fuzzer trace_fuzz 200
clang "${flags[@]}" -o "$out/row_fuzz" test/fuzz/{row_fuzz,server,not_called}.c \
	src/chain/{image,link_hash}.c "${libraries[@]}"
run_fuzzer row_fuzz 300
