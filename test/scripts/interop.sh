#!/usr/bin/env bash
#
# Tokens made here are verified by an independent COSE library, and tokens made
# there are verified here; the same of sealed identities and an HPKE library:
# see test/interop.

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

for program in node npm; do
	command -v "$program" >/dev/null || {
		echo "$program is not here"
		exit 77
	}
done
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || {
	echo "node is older than 18"
	exit 77
}

out=${TEST_TMP:-$(mktemp -d)}
cp test/interop/*.json test/interop/*.mjs "$out"
# what the pages show
for page in tokens identities; do
	# shellcheck disable=SC2016 # nothing is to be expanded
	sed -n '/^```js$/,/^```$/{/^```/!p}' "docs/$page.md" >"$out/$page.shown.mjs"
done
(cd "$out" && npm install --omit=optional --ignore-scripts --no-audit --no-fund) >"$out/npm.log" 2>&1 || {
	tail -n 5 "$out/npm.log"
	echo "npm cannot fetch what package-lock.json names"
	exit 77
}

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

# Secrets lie in a directory of the server's own.
keys=$CLUSTER/keys.interop
as_server mkdir -m 700 "$keys"
sql -c "CREATE EXTENSION anshim" -c "ALTER DATABASE \"$PGDATABASE\" SET anshim.key_directory = '$keys'"

#
# Theirs, verified here
#
mkdir "$out/theirs"
node "$out/interop.mjs" make "$out/theirs" >"$out/theirs.json"
as_server sh -c "umask 077; cat >'$keys/theirs-mac.hmac'" <"$out/theirs/theirs.hmac"
result=$(sql <<EOF
CREATE TABLE theirs (line jsonb);
\\copy theirs FROM '$out/theirs.json' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
SELECT anshim.trust_key('theirs', 'theirs', decode(line ->> 'public_key', 'hex')) FROM theirs LIMIT 1;
SELECT anshim.adopt_key('theirs-mac', 'theirs', 'HMAC 256/256') IS NULL AS adopted \\gset

CREATE VIEW v AS SELECT line, decode(line ->> 'token', 'hex')::anshim.token AS token FROM theirs;
SELECT count(*), count(*) FILTER (WHERE anshim.verify(token)), count(*) FILTER (WHERE anshim.verdict(token) = 'expired') FROM v;
-- what is not as it was said to be
SELECT line, anshim.verdict(token), anshim.claims(token) FROM v
WHERE anshim.verdict(token) <> CASE WHEN (line ->> 'expired')::bool THEN 'expired' ELSE 'valid' END
	OR anshim.claims(token) <> line -> 'claims' OR anshim.kid(token) <> line ->> 'kid'
	OR anshim.venue(token)::text IS DISTINCT FROM line -> 'claims' ->> 'venue'
	OR anshim.subject(token)::text IS DISTINCT FROM line -> 'claims' ->> 'subject';
-- one bit of any signature, and it is none
SELECT line ->> 'kid', anshim.verdict(other) FROM v,
	CAST(set_bit(token::bytea, octet_length(token::bytea) * 8 - 5, 1 - get_bit(token::bytea, octet_length(token::bytea) * 8 - 5)) AS anshim.token) other
WHERE anshim.verdict(other) <> 'bad signature';
EOF
)
# the first row is of trust_key(), which returns nothing
[ "$result" = "
8|6|2" ] || {
	echo "of their tokens: $result"
	exit 1
}
echo "8 tokens of theirs verify"

#
# Ours, verified there
#
sql -c "SELECT anshim.generate_key('ours', 'Gesundheitsamt Tübingen')" >"$out/ours.key"
sql -c "SELECT anshim.generate_key('ours-mac', 'ours', 'HMAC 256/256')" >/dev/null
secret=$(base64 -d <<<"$(tr -- '-_' '+/' <"$keys/ours-mac.hmac" | tr -d '\n')=" | od -An -v -tx1 | tr -d ' \n')
sql -v secret="$secret" >"$out/ours.json" <<'EOF'
SELECT jsonb_build_object('token', encode(token::bytea, 'hex'), 'text', token, 'claims', anshim.claims(token), 'kid', kid, 'algorithm', algorithm,
	'key', coalesce(encode(public_key, 'hex'), :'secret'))
FROM anshim.key,
	(VALUES (NULL, NULL, NULL),
			(gen_random_uuid(), NULL, NULL),
			(NULL, gen_random_uuid(), tstzrange(now() - interval '1 minute', now() + interval '1 hour')),
			(gen_random_uuid(), gen_random_uuid(), tstzrange(now(), NULL)),
			(gen_random_uuid(), gen_random_uuid(), tstzrange(NULL, now() + interval '70 years'))) p (venue, subject, validity),
	LATERAL anshim.sign(kid, venue::uuid, subject::uuid, validity) AS token
WHERE kid LIKE 'ours%';
EOF
node "$out/interop.mjs" check <"$out/ours.json"

#
# Identities: sealed here and opened there, and the other way round
#
public=$(sql -c "SELECT encode(anshim.generate_key('authority', 'kdca', 'X25519'), 'hex')")
sql >"$out/sealed.json" <<'EOF'
SELECT jsonb_build_object('sealed', encode(anshim.seal_identity('authority', plaintext, context), 'hex'),
	'context', encode(context, 'hex'), 'plaintext', encode(plaintext, 'hex'))
FROM (VALUES ('Ann'), ('x'), (repeat('서울 🦠 ', 1000))) p (text), CAST(convert_to(text, 'UTF8') AS bytea) plaintext,
	(VALUES (''::bytea), (uuid_send(gen_random_uuid()))) c (context);
EOF
node "$out/identities.mjs" open "$keys/authority.pem" <"$out/sealed.json"
node "$out/identities.mjs" seal "$public" >"$out/theirs_sealed.json"
result=$(sql <<EOF
CREATE TABLE theirs_sealed (line jsonb);
\\copy theirs_sealed FROM '$out/theirs_sealed.json' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
SELECT count(*), bool_and(anshim.sealed_to(sealed) = 'authority'), bool_and(encode(anshim.open_identity(sealed, decode(line ->> 'context', 'hex')), 'hex') = line ->> 'plaintext')
FROM theirs_sealed, CAST(decode(line ->> 'sealed', 'hex') AS bytea) sealed;
EOF
)
[ "$result" = "4|t|t" ] || {
	echo "of what they sealed: $result"
	exit 1
}
echo "4 identities sealed by them open"
