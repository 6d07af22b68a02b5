#!/usr/bin/env bash
#
# The token reader as SQL sees it, with inputs that the mutator of test/fuzz
# made of good tokens: text, bytea and binary input accept the same ones, give
# the same reason for refusing the others, and for what is accepted every
# function has an answer.
#
#   INPUTS_SEED=N   to repeat a run; printed in any case

set -euo pipefail

seed=${INPUTS_SEED:-$((RANDOM * 32768 + RANDOM))}
count=${INPUTS:-20000}
out=${TEST_TMP:-$(mktemp -d)}
echo "INPUTS_SEED=$seed INPUTS=$count"

"${CC:-gcc}" -std=gnu11 -O1 -Isrc -Itest/fuzz -o "$out/mutate" test/fuzz/{mutate,token_fuzz,cbor_oracle}.c \
	src/token/{base45,cbor,cose,cwt,fault}.c -lm
"$out/mutate" test/data/cbor/items.txt text "$count" "$seed" >"$out/inputs"

answers=$(psql -XAtq -v ON_ERROR_STOP=1 <<EOF
CREATE EXTENSION IF NOT EXISTS anshim;
CREATE TABLE input (number int GENERATED ALWAYS AS IDENTITY, hex text, chars text);
\\copy input (hex, chars) FROM '$out/inputs' (FORMAT csv, DELIMITER E'\\t', QUOTE E'\\x01', FORCE_NOT_NULL (hex))

CREATE FUNCTION judge(form text, hex text, chars text) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
	token anshim.token;
	said text;
BEGIN
	BEGIN
		token := CASE form WHEN 'text' THEN chars::anshim.token ELSE decode(hex, 'hex')::anshim.token END;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
		RETURN replace(replace(SQLSTATE, '22P02', 'bad'), '22P03', 'bad') || ' ' || said;
	END;
	RETURN concat_ws(' ', 'accepted', anshim.venue(token), anshim.subject(token), anshim.id(token), anshim.kid(token),
		anshim.issuer(token), anshim.valid(token), anshim.claims(token), token::text = chars, encode(token::bytea, 'hex') = hex);
EXCEPTION WHEN OTHERS THEN
	RETURN 'accepted, but ' || SQLSTATE || ' ' || SQLERRM;
END \$\$;

CREATE TABLE answer AS SELECT *, judge('text', hex, chars) AS text, judge('bytea', hex, chars) AS bytea FROM input;
-- inputs; accepted ones; known claims and unknown ones in them
SELECT count(*), count(*) FILTER (WHERE bytea ~ '^accepted '), count(DISTINCT bytea) FROM answer;
-- what is wrong
SELECT * FROM answer WHERE text <> bytea OR bytea !~ '^(accepted .* t t|bad .*)\$' ORDER BY number LIMIT 5;
EOF
)
echo "inputs, accepted, different answers: $answers"
[ "$(wc -l <<<"$answers")" = 1 ] || exit 1

# A run in which nothing was accepted would show nothing.
IFS='|' read -r _ accepted _ <<<"$answers"
[ "$accepted" -gt $((count / 50)) ] || {
	echo "too few were accepted"
	exit 1
}

# Binary input, through COPY: those that the cast accepts, and none of the others.
psql -XAtq -v ON_ERROR_STOP=1 <<EOF
\\copy (SELECT number, decode(hex, 'hex') FROM answer WHERE bytea ~ '^accepted ' ORDER BY number) TO '$out/good' (FORMAT binary)
CREATE TABLE received (number int, token anshim.token);
\\copy received FROM '$out/good' (FORMAT binary)
DO \$\$
BEGIN
	ASSERT (SELECT count(*) FROM answer WHERE bytea ~ '^accepted ')
		= (SELECT count(*) FROM received JOIN answer USING (number) WHERE encode(token::bytea, 'hex') = hex),
		'binary input accepts something else';
END \$\$;
-- what is sent is the bytes
\\copy (SELECT * FROM received ORDER BY number) TO '$out/sent' (FORMAT binary)
EOF
cmp "$out/good" "$out/sent"
refused=0
while read -r hex; do
	# one row of one field, as COPY's binary format has it
	perl -e 'my $bytes = pack "H*", shift;
		print "PGCOPY\n\377\r\n\0", pack("NNnN", 0, 0, 1, length $bytes), $bytes, pack("n", 65535)' "$hex" >"$out/bad"
	state=$(psql -XAtq 2>&1 <<<"\set VERBOSITY sqlstate
\copy received (token) FROM '$out/bad' (FORMAT binary)") || true
	[[ $state == *22P03* ]] || {
		echo "binary input of $hex: $state"
		exit 1
	}
	refused=$((refused + 1))
done < <(psql -XAtq -c "SELECT hex FROM answer WHERE bytea ~ '^bad ' ORDER BY number LIMIT 50")
echo "binary input: the same, and $refused refused"
