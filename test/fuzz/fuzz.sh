#!/usr/bin/env bash
#
# make fuzz: feed the token reader with what no well-meaning sender sends.
#
#   FUZZ_RUNS=N   inputs, 2 million by default, for each fuzzer
#   FUZZ_SEED=N   to repeat a run; printed in any case
#   --install     install the compilers where they are missing
#
# libFuzzer (clang with its runtime library) looks for inputs that reach new
# code; the plain mutator beside it needs no more than gcc, and gives the same
# inputs everywhere.  Both run under the address and undefined behaviour
# sanitizers.  An input that fails is left in build/fuzz/.

set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "${1:-}" = --install ]; then
	# shellcheck source=scripts/lib.sh
	(. scripts/lib.sh && need_packages gcc libc6-dev clang libclang-rt-dev)
fi

runs=${FUZZ_RUNS:-2000000}
seed=${FUZZ_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
out=${FUZZ_DIR:-build/fuzz}
items=test/data/cbor/items.txt
flags=(-std=gnu11 -g -O1 -Wall -Wextra -Werror -fno-sanitize-recover=all -Isrc -Itest/fuzz)
target=(test/fuzz/{token_fuzz,oracle}.c src/token/{base45,cbor,cose,cwt,fault}.c -lm)

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
clang "${flags[@]}" -fsanitize=fuzzer,address,undefined -o "$out/token_fuzz" "${target[@]}"
rm -rf "$out/corpus" "$out/seeds"
mkdir -p "$out/corpus" "$out/seeds"
"$out/mutate" "$items" corpus "$out/seeds"
"$out/token_fuzz" -seed="$((seed % 4294967296))" -runs="$runs" -max_len=4200 -use_value_profile=1 \
	-verbosity=0 -timeout=10 -artifact_prefix="$out/" -print_final_stats=1 \
	"$out/corpus" "$out/seeds" >"$out/log" 2>&1 || {
	tail -n 50 "$out/log"
	exit 1
}
echo "libFuzzer: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/log") inputs," \
	"$(find "$out/corpus" -type f | wc -l) kept for what they reached"
