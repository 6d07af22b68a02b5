#!/usr/bin/env bash
#
# Tokens in a database whose encoding is not UTF-8: text in a token is UTF-8
# always, and converted where it is shown; what cannot be, is an error.

set -euo pipefail

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

failed=0
fail() {
	failed=$((failed + 1))
	echo "$*"
}

# The SQLSTATE that a query ends with
state() {
	sql 2>&1 <<<"\\set VERBOSITY sqlstate
$1;" || true
}

createdb --encoding=LATIN1 --locale=C --template=template0 "${PGDATABASE}_latin1"
export PGDATABASE="${PGDATABASE}_latin1" PGCLIENTENCODING=UTF8
sql -c "CREATE EXTENSION anshim"

# {1: "Gesundheitsamt Tübingen", 100: ["ÿ", {"ü": 1}]}, and {1: "서울"}
german="d28446a20127044131a05827a2017818$(printf 'Gesundheitsamt Tübingen' | od -An -v -tx1 | tr -d ' \n')18648262c3bfa162c3bc0140"
korean=d28446a20127044131a049a10166ec849cec9ab840

answer=$(sql <<EOF
SELECT anshim.issuer(token), octet_length(anshim.issuer(token)), anshim.claims(token) -> '100', anshim.claims(token) ->> 'iss' = anshim.issuer(token)
FROM CAST('\\x$german'::bytea AS anshim.token) token;
EOF
)
[ "$answer" = 'Gesundheitsamt Tübingen|23|["ÿ", {"ü": 1}]|t' ] || fail "in LATIN1: $answer"

# The token itself has no encoding: same text, same bytes.
answer=$(sql <<<"SELECT token::text::anshim.token::bytea = '\x$korean', anshim.kid(token) FROM CAST('\x$korean'::bytea AS anshim.token) token")
[ "$answer" = "t|1" ] || fail "Korean in LATIN1: $answer"
for call in issuer claims; do
	answer=$(state "SELECT anshim.$call('\x$korean'::bytea::anshim.token)")
	[[ $answer == *22P05* ]] || fail "$call() of Korean text in LATIN1: $answer"
done

# A QR code for a terminal needs characters that only UTF8 has; an SVG needs none.
answer=$(state "SELECT anshim.qr('\x$korean'::bytea::anshim.token)")
[[ $answer == *0A000* ]] || fail "qr() in LATIN1: $answer"
answer=$(sql <<<"SELECT anshim.qr_svg('\x$korean'::bytea::anshim.token) LIKE '<svg %</svg>'")
[ "$answer" = t ] || fail "qr_svg() in LATIN1: $answer"

echo "$failed failures"
[ "$failed" = 0 ]
