--| # Tokens
--|
--| An `anshim.token` is a CBOR Web Token ([RFC 8392](https://www.rfc-editor.org/rfc/rfc8392)) signed with Ed25519, or authenticated with
--| HMAC-SHA-256, in COSE ([RFC 9052](https://www.rfc-editor.org/rfc/rfc9052)): a venue's pass on its door, or a visitor's pass on her phone.
--| Any COSE library can make and check one.
--|
--| As text a token is `ANSHIM1:` and the COSE bytes in Base45 ([RFC 9285](https://www.rfc-editor.org/rfc/rfc9285)), which is what its QR code
--| holds. Cast to `bytea`, and in binary protocols, it is the COSE bytes themselves.
--|
--| Input checks a token's structure, and nothing else: **a value of this type may bear a false signature.** `anshim.verify` and
--| `anshim.verdict` tell. Accepted is exactly one encoding of every token:
--|
--| - tag 18 (COSE_Sign1) or 17 (COSE_Mac0), at most 4096 bytes, nothing after them;
--| - a protected header of the algorithm (1: -8 EdDSA or -19 Ed25519 with tag 18, 5 HMAC 256/256 with tag 17) and the key's name
--|   (4: 1 to 64 bytes of `[A-Za-z0-9._-]`, not beginning with a dot), and an empty unprotected header;
--| - claims with integer keys: `1` iss, text; `4` exp, `5` nbf, `6` iat, integers within the range of `timestamptz`; `7` cti, bytes;
--|   `-65537` venue and `-65538` subject, each a UUID (tag 37 over 16 bytes). Each may be absent. Others may hold anything;
--| - deterministic CBOR ([RFC 8949](https://www.rfc-editor.org/rfc/rfc8949), section 4.2.1) throughout: shortest numbers, lengths and floats, definite
--|   lengths, sorted keys, none twice, the one NaN `f97e00`, bignums only beyond 64 bits; text in UTF-8 without NUL; arrays, maps and tags nested
--|   at most 16 deep in a claim.
--|
--| Anything else raises `22P02` as text and `22P03` as bytes. The error says what is wrong and where, but never repeats the token.
CREATE TYPE anshim.token;

CREATE FUNCTION anshim.token_in(pg_catalog.cstring) RETURNS anshim.token
AS 'MODULE_PATHNAME', 'anshim_token_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;
COMMENT ON FUNCTION anshim.token_in(pg_catalog.cstring) IS 'input function of type anshim.token';

CREATE FUNCTION anshim.token_out(anshim.token) RETURNS pg_catalog.cstring
AS 'MODULE_PATHNAME', 'anshim_token_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 15;
COMMENT ON FUNCTION anshim.token_out(anshim.token) IS 'output function of type anshim.token';

CREATE FUNCTION anshim.token_recv(pg_catalog.internal) RETURNS anshim.token
AS 'MODULE_PATHNAME', 'anshim_token_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 15;
COMMENT ON FUNCTION anshim.token_recv(pg_catalog.internal) IS 'binary input function of type anshim.token';

CREATE FUNCTION anshim.token_send(anshim.token) RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_token_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_send(anshim.token) IS 'binary output function of type anshim.token';

CREATE TYPE anshim.token (
	INPUT = anshim.token_in,
	OUTPUT = anshim.token_out,
	RECEIVE = anshim.token_recv,
	SEND = anshim.token_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended,
	CATEGORY = 'U'
);
COMMENT ON TYPE anshim.token IS 'signed token: a CWT in COSE, as text in Base45 for QR codes';

--| ## Casts
--|
--| `bytes::anshim.token` and `token::bytea` convert from and to the COSE bytes, only where they are written out. The bytes are checked as all
--| input is.
CREATE FUNCTION anshim.token(bytes pg_catalog.bytea) RETURNS anshim.token
AS 'MODULE_PATHNAME', 'anshim_token' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 15;
COMMENT ON FUNCTION anshim.token(pg_catalog.bytea) IS 'the token that these COSE bytes are';

CREATE CAST (pg_catalog.bytea AS anshim.token) WITH FUNCTION anshim.token(pg_catalog.bytea);
COMMENT ON CAST (pg_catalog.bytea AS anshim.token) IS 'COSE bytes to token, checked';

CREATE FUNCTION anshim.bytea(token anshim.token) RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.bytea(anshim.token) IS 'the COSE bytes of a token';

CREATE CAST (anshim.token AS pg_catalog.bytea) WITH FUNCTION anshim.bytea(anshim.token);
COMMENT ON CAST (anshim.token AS pg_catalog.bytea) IS 'token to its COSE bytes';

--| ## What a token says
--|
--| What these return is only what the token *claims*. It is to be believed once `anshim.verify` has said so.
--|
--| `anshim.venue(token)` → `uuid`: the venue (claim -65537), or NULL.
CREATE FUNCTION anshim.venue(token anshim.token) RETURNS pg_catalog.uuid
AS 'MODULE_PATHNAME', 'anshim_venue' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 12;
COMMENT ON FUNCTION anshim.venue(anshim.token) IS 'the venue that the token names, or NULL';

--| `anshim.subject(token)` → `uuid`: the subject (claim -65538), or NULL.
CREATE FUNCTION anshim.subject(token anshim.token) RETURNS pg_catalog.uuid
AS 'MODULE_PATHNAME', 'anshim_subject' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 12;
COMMENT ON FUNCTION anshim.subject(anshim.token) IS 'the subject that the token names, or NULL';

--| `anshim.id(token)` → `bytea`: the token's own identifier (claim 7, cti), or NULL.
CREATE FUNCTION anshim.id(token anshim.token) RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_id' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 12;
COMMENT ON FUNCTION anshim.id(anshim.token) IS 'the token''s identifier, or NULL';

--| `anshim.kid(token)` → `text`: the name of the key that is said to have signed it.
CREATE FUNCTION anshim.kid(token anshim.token) RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'anshim_kid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 12;
COMMENT ON FUNCTION anshim.kid(anshim.token) IS 'the name of the key that is said to have signed the token';

--| `anshim.issuer(token)` → `text`: the issuer (claim 1, iss), or NULL. Raises `22P05` if the database's encoding lacks a character of it.
CREATE FUNCTION anshim.issuer(token anshim.token) RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'anshim_issuer' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 12;
COMMENT ON FUNCTION anshim.issuer(anshim.token) IS 'the issuer that the token names, or NULL';

--| `anshim.valid(token)` → `tstzrange`: from `nbf` (inclusive) to `exp` (exclusive); unbounded where a claim is absent, empty if the token
--| expires no later than it begins. A token is valid at the moment `nbf`, and no longer at the moment `exp`. Both are whole seconds.
CREATE FUNCTION anshim.valid(token anshim.token) RETURNS pg_catalog.tstzrange
AS 'MODULE_PATHNAME', 'anshim_valid' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 15;
COMMENT ON FUNCTION anshim.valid(anshim.token) IS 'when the token is valid, as it says itself';

--| `anshim.claims(token)` → `jsonb`: all claims, under their names (`iss`, `sub`, `aud`, `exp`, `nbf`, `iat`, `cti`, `venue`, `subject`), the
--| others under their numbers. JSON has fewer types than CBOR:
--|
--| | CBOR | JSON |
--| | --- | --- |
--| | integers, bignums | numbers, exactly, of any size |
--| | finite floats | numbers, the shortest decimal that means that float |
--| | NaN, infinities, `undefined`, further simple values | `null` |
--| | byte strings | base64url without padding |
--| | tag 37, UUIDs | their usual text |
--| | other tags | what they tag, alone |
--| | maps whose keys are all text, or all integers | objects |
--| | other maps | an array of `[key, value]` arrays |
--|
--| Raises `22P05` if the database's encoding lacks a character of some text.
CREATE FUNCTION anshim.claims(token anshim.token) RETURNS pg_catalog.jsonb
AS 'MODULE_PATHNAME', 'anshim_claims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 65;
COMMENT ON FUNCTION anshim.claims(anshim.token) IS 'all claims of the token, unknown ones included';

--| ## Order and equality
--|
--| Tokens are compared by their bytes: equal tokens are the same token, and their order means nothing else. B-tree and hash indexes,
--| `DISTINCT`, `GROUP BY`, merge and hash joins all work. The operators lie in schema `anshim`: have it on your `search_path`, or write
--| `pass OPERATOR(anshim.=) $1`.
CREATE FUNCTION anshim.token_eq(anshim.token, anshim.token) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_token_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_eq(anshim.token, anshim.token) IS 'implementation of = operator';

CREATE FUNCTION anshim.token_ne(anshim.token, anshim.token) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_token_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_ne(anshim.token, anshim.token) IS 'implementation of <> operator';

CREATE FUNCTION anshim.token_lt(anshim.token, anshim.token) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_token_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_lt(anshim.token, anshim.token) IS 'implementation of < operator';

CREATE FUNCTION anshim.token_le(anshim.token, anshim.token) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_token_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_le(anshim.token, anshim.token) IS 'implementation of <= operator';

CREATE FUNCTION anshim.token_gt(anshim.token, anshim.token) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_token_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_gt(anshim.token, anshim.token) IS 'implementation of > operator';

CREATE FUNCTION anshim.token_ge(anshim.token, anshim.token) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_token_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_ge(anshim.token, anshim.token) IS 'implementation of >= operator';

CREATE OPERATOR anshim.= (
	FUNCTION = anshim.token_eq, LEFTARG = anshim.token, RIGHTARG = anshim.token,
	COMMUTATOR = OPERATOR(anshim.=), NEGATOR = OPERATOR(anshim.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR anshim.= (anshim.token, anshim.token) IS 'equal';

CREATE OPERATOR anshim.<> (
	FUNCTION = anshim.token_ne, LEFTARG = anshim.token, RIGHTARG = anshim.token,
	COMMUTATOR = OPERATOR(anshim.<>), NEGATOR = OPERATOR(anshim.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR anshim.<> (anshim.token, anshim.token) IS 'not equal';

CREATE OPERATOR anshim.< (
	FUNCTION = anshim.token_lt, LEFTARG = anshim.token, RIGHTARG = anshim.token,
	COMMUTATOR = OPERATOR(anshim.>), NEGATOR = OPERATOR(anshim.>=),
	RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR anshim.< (anshim.token, anshim.token) IS 'less than';

CREATE OPERATOR anshim.<= (
	FUNCTION = anshim.token_le, LEFTARG = anshim.token, RIGHTARG = anshim.token,
	COMMUTATOR = OPERATOR(anshim.>=), NEGATOR = OPERATOR(anshim.>),
	RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR anshim.<= (anshim.token, anshim.token) IS 'less than or equal';

CREATE OPERATOR anshim.> (
	FUNCTION = anshim.token_gt, LEFTARG = anshim.token, RIGHTARG = anshim.token,
	COMMUTATOR = OPERATOR(anshim.<), NEGATOR = OPERATOR(anshim.<=),
	RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR anshim.> (anshim.token, anshim.token) IS 'greater than';

CREATE OPERATOR anshim.>= (
	FUNCTION = anshim.token_ge, LEFTARG = anshim.token, RIGHTARG = anshim.token,
	COMMUTATOR = OPERATOR(anshim.<=), NEGATOR = OPERATOR(anshim.<),
	RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR anshim.>= (anshim.token, anshim.token) IS 'greater than or equal';

CREATE FUNCTION anshim.token_cmp(anshim.token, anshim.token) RETURNS integer
AS 'MODULE_PATHNAME', 'anshim_token_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_cmp(anshim.token, anshim.token) IS 'less-equal-greater';

CREATE FUNCTION anshim.token_sortsupport(pg_catalog.internal) RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'anshim_token_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_sortsupport(pg_catalog.internal) IS 'sort support of type anshim.token';

CREATE FUNCTION anshim.token_hash(anshim.token) RETURNS integer
AS 'MODULE_PATHNAME', 'anshim_token_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_hash(anshim.token) IS 'hash';

CREATE FUNCTION anshim.token_hash_extended(anshim.token, bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'anshim_token_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.token_hash_extended(anshim.token, bigint) IS 'hash with a seed';

CREATE OPERATOR FAMILY anshim.token_ops USING btree;
COMMENT ON OPERATOR FAMILY anshim.token_ops USING btree IS 'order of tokens, by their bytes';

CREATE OPERATOR CLASS anshim.token_ops DEFAULT FOR TYPE anshim.token USING btree FAMILY anshim.token_ops AS
	OPERATOR 1 anshim.<,
	OPERATOR 2 anshim.<=,
	OPERATOR 3 anshim.=,
	OPERATOR 4 anshim.>=,
	OPERATOR 5 anshim.>,
	FUNCTION 1 anshim.token_cmp(anshim.token, anshim.token),
	FUNCTION 2 anshim.token_sortsupport(pg_catalog.internal),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS anshim.token_ops USING btree IS 'order of tokens, by their bytes';

CREATE OPERATOR FAMILY anshim.token_ops USING hash;
COMMENT ON OPERATOR FAMILY anshim.token_ops USING hash IS 'equality of tokens, by their bytes';

CREATE OPERATOR CLASS anshim.token_ops DEFAULT FOR TYPE anshim.token USING hash FAMILY anshim.token_ops AS
	OPERATOR 1 anshim.=,
	FUNCTION 1 anshim.token_hash(anshim.token),
	FUNCTION 2 anshim.token_hash_extended(anshim.token, bigint);
COMMENT ON OPERATOR CLASS anshim.token_ops USING hash IS 'equality of tokens, by their bytes';
