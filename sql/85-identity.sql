--| # Sealed identities
--|
--| A log of pseudonyms is of no use to somebody who has to call people. Names and telephone numbers can lie in the database so that it cannot read
--| them itself: sealed to the public key of the health authority, whose secret key is elsewhere. See [identities.md](identities.md) for the whole way.
--|
--| It is HPKE ([RFC 9180](https://www.rfc-editor.org/rfc/rfc9180)) in base mode, with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305, in the
--| form that [formats.md](formats.md#sealed-identities) shows, which any HPKE library opens.
--|
--| ## anshim.seal_identity
--|
--| `anshim.seal_identity(recipient, plaintext, context)` → `bytea`: seals `plaintext`, of 1 to 65536 bytes, to the key named `recipient`, which must be of
--| algorithm X25519, valid now and not revoked. NULL stays NULL. Everybody may seal.
--|
--| `context` binds it to its place, such as the subject's uuid (`uuid_send(subject)`): with any other it cannot be opened, so nobody can put one
--| person's name into another's row. It is not in the result. Where there is nothing to bind to, write `''`.
--|
--| The result is longer than the plaintext by 50 bytes and the recipient's name, so that it tells how long the plaintext is: pad what should not be told by that. Sealed
--| twice, the same gives two results. Whoever can write to the table can put something else there: sealed does not mean signed.
CREATE FUNCTION anshim.seal_identity(recipient pg_catalog.text, plaintext pg_catalog.bytea, context pg_catalog.bytea) RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_seal_identity' LANGUAGE C VOLATILE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION anshim.seal_identity(pg_catalog.text, pg_catalog.bytea, pg_catalog.bytea)
IS 'seals bytes so that only the recipient''s secret key opens them';

--| ## anshim.sealed_to
--|
--| `anshim.sealed_to(sealed)` → `text`: the name of the key that opens it. Raises `22P03` for bytes that `seal_identity` cannot have made.
CREATE FUNCTION anshim.sealed_to(sealed pg_catalog.bytea) RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'anshim_sealed_to' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION anshim.sealed_to(pg_catalog.bytea) IS 'the name of the key that opens a sealed identity';

--| ## anshim.open_identity
--|
--| `anshim.open_identity(sealed, context)` → `bytea`: what was sealed, where the secret key is in this server's key directory: in a database of the
--| health authority's own, say. Keys that are revoked or not valid any more still open what was sealed to them. NULL stays NULL. Raises `22023` if it was
--| changed, or sealed with another context.
--|
--| Nobody but superusers may call it, until it is granted. Where `anshim.require_purpose` is on, each call has to say what for, and is recorded as
--| a look at visits is.
CREATE FUNCTION anshim.open_identity(sealed pg_catalog.bytea, context pg_catalog.bytea) RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_open_identity' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION anshim.open_identity(pg_catalog.bytea, pg_catalog.bytea) IS 'opens a sealed identity with the secret key in the key directory';
REVOKE ALL ON FUNCTION anshim.open_identity(pg_catalog.bytea, pg_catalog.bytea) FROM PUBLIC;
