--| # Keys
--|
--| A key signs tokens and checkpoints, or verifies them; or identities are sealed to it. Its name, the *kid*, stands in every token that it signed, is unique,
--| and is never used again.
--|
--| There are two algorithms to sign with. With `Ed25519` whoever knows the public key verifies, and only who has the secret signs. With `HMAC 256/256` one shared
--| secret does both: smaller and quicker, for an issuer who is the only verifier. A token cannot choose between them: its key's algorithm is
--| what counts. With `X25519` whoever knows the public key can [seal](#sealed-identities), and only who has the secret can open; such a key signs nothing.
--|
--| **Secrets are never in a table**, so no dump, replica or query brings one out. They lie in the directory that `anshim.key_directory` names, one
--| file a key, which is looked at as PostgreSQL looks at `server.key`: mode 0600 if it belongs to the server's owner, 0640 at most if it belongs to
--| root; the directory 0700, or 0750 if it is root's, and outside of the data directory, which base backups copy.
--|
--| | file | holds |
--| | --- | --- |
--| | `<kid>.pem` | an Ed25519 or X25519 key in PKCS #8, without a passphrase |
--| | `<kid>.uri` | the URI by which OpenSSL's stores find one: `pkcs11:` with its provider for an HSM, `file:` and an absolute path |
--| | `<kid>.hmac` | 32 random bytes in base64url, 43 characters |
--|
--| The table itself is dumped and restored. The secrets do not travel with it: until their files are brought, signing says that they are not there. Public
--| keys verify everywhere.
--|
--| ## anshim.key
--|
--| The keys, readable by everybody: nothing in it is secret. Rows are added with the functions below. Keys are read with the latest snapshot,
--| whatever the transaction's isolation level, and a change has its effect in every session as soon as it is committed.
--|
--| - `kid`: the name, `[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}`
--| - `issuer`: whose key it is; a token signed with it may name no other issuer
--| - `algorithm`: `Ed25519`, `HMAC 256/256` or `X25519`
--| - `public_key`: the 32 bytes of a public key; NULL for HMAC
--| - `valid`: when the key may sign, and its signatures are believed; when it may be sealed to
--| - `revoked_at`: from when on it is not believed any more, NULL while nothing is amiss
--| - `added_at`: when the row was made
CREATE TABLE anshim.key (
	kid text COLLATE "C" NOT NULL
		CONSTRAINT key_pkey PRIMARY KEY
		CONSTRAINT key_kid CHECK (kid OPERATOR(pg_catalog.~) '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$'),
	issuer text NOT NULL
		CONSTRAINT key_issuer CHECK (issuer OPERATOR(pg_catalog.<>) ''
			AND pg_catalog.octet_length(issuer) OPERATOR(pg_catalog.<=) 255),
	algorithm text NOT NULL
		CONSTRAINT key_algorithm CHECK (algorithm OPERATOR(pg_catalog.=) 'Ed25519'
			OR algorithm OPERATOR(pg_catalog.=) 'HMAC 256/256'
			OR algorithm OPERATOR(pg_catalog.=) 'X25519'),
	public_key bytea,
	valid tstzrange NOT NULL DEFAULT '(,)'
		CONSTRAINT key_valid CHECK (NOT pg_catalog.isempty(valid)),
	revoked_at timestamptz,
	added_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	CONSTRAINT key_public_key CHECK (CASE WHEN algorithm OPERATOR(pg_catalog.=) 'HMAC 256/256'
		THEN public_key IS NULL
		ELSE public_key IS NOT NULL AND pg_catalog.octet_length(public_key) OPERATOR(pg_catalog.=) 32 END)
);
COMMENT ON TABLE anshim.key IS 'keys that sign and verify, or are sealed to; their secrets are in files';
COMMENT ON COLUMN anshim.key.kid IS 'name of the key, and of the file with its secret';
COMMENT ON COLUMN anshim.key.issuer IS 'whose key it is';
COMMENT ON COLUMN anshim.key.algorithm IS 'Ed25519, HMAC 256/256 or X25519';
COMMENT ON COLUMN anshim.key.public_key IS '32 bytes of a public key; NULL for HMAC';
COMMENT ON COLUMN anshim.key.valid IS 'when the key may sign, and its signatures are believed; when it may be sealed to';
COMMENT ON COLUMN anshim.key.revoked_at IS 'from when on the key is not believed, NULL if nothing is amiss';
COMMENT ON COLUMN anshim.key.added_at IS 'when the row was made';
GRANT SELECT ON anshim.key TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.key', '');

CREATE FUNCTION anshim.key_changed() RETURNS trigger
AS 'MODULE_PATHNAME', 'anshim_key_changed' LANGUAGE C;
COMMENT ON FUNCTION anshim.key_changed() IS 'lets every session forget what it knows of keys';
REVOKE ALL ON FUNCTION anshim.key_changed() FROM PUBLIC;

-- Not "after each statement": logical replication runs none.
CREATE TRIGGER key_changed AFTER INSERT OR UPDATE OR DELETE ON anshim.key
	FOR EACH ROW EXECUTE FUNCTION anshim.key_changed();
COMMENT ON TRIGGER key_changed ON anshim.key IS 'lets every session forget what it knows of keys';
ALTER TABLE anshim.key ENABLE ALWAYS TRIGGER key_changed;

CREATE TRIGGER key_truncated AFTER TRUNCATE ON anshim.key
	FOR EACH STATEMENT EXECUTE FUNCTION anshim.key_changed();
COMMENT ON TRIGGER key_truncated ON anshim.key IS 'lets every session forget what it knows of keys';
ALTER TABLE anshim.key ENABLE ALWAYS TRIGGER key_truncated;

--| ## Making, trusting and revoking keys
--|
--| Nobody but a superuser may call these, until she grants `EXECUTE`.
--|
--| `anshim.generate_key(kid, issuer, algorithm => 'Ed25519', valid => '(,)')` → `bytea`: makes a key, puts its secret into a new file, and
--| returns its public key (NULL for HMAC), to be given to whoever shall trust it. No file is ever overwritten. If the transaction is rolled back, the
--| file goes as well.
CREATE FUNCTION anshim.generate_key(kid pg_catalog.text, issuer pg_catalog.text, algorithm pg_catalog.text DEFAULT 'Ed25519',
	valid pg_catalog.tstzrange DEFAULT '(,)') RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_generate_key' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION anshim.generate_key(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.tstzrange)
IS 'makes a key, its secret in a new file, and returns its public key';
REVOKE ALL ON FUNCTION anshim.generate_key(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.tstzrange) FROM PUBLIC;

--| `anshim.adopt_key(kid, issuer, algorithm => 'Ed25519', valid => '(,)')` → `bytea`: registers a key whose secret is in the key directory
--| already, in one of the files above; returns its public key (NULL for HMAC).
CREATE FUNCTION anshim.adopt_key(kid pg_catalog.text, issuer pg_catalog.text, algorithm pg_catalog.text DEFAULT 'Ed25519',
	valid pg_catalog.tstzrange DEFAULT '(,)') RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_adopt_key' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION anshim.adopt_key(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.tstzrange)
IS 'registers a key whose secret is in the key directory already';
REVOKE ALL ON FUNCTION anshim.adopt_key(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.tstzrange) FROM PUBLIC;

--| `anshim.trust_key(kid, issuer, public_key, algorithm => 'Ed25519', valid => '(,)')`: registers another issuer's public key, 32 bytes, so
--| that its tokens verify here, or to which identities are to be sealed (`X25519`). What is no canonical encoding of a point, or a point of small order, is refused.
CREATE FUNCTION anshim.trust_key(kid pg_catalog.text, issuer pg_catalog.text, public_key pg_catalog.bytea,
	algorithm pg_catalog.text DEFAULT 'Ed25519', valid pg_catalog.tstzrange DEFAULT '(,)') RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'anshim_trust_key' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION anshim.trust_key(pg_catalog.text, pg_catalog.text, pg_catalog.bytea, pg_catalog.text, pg_catalog.tstzrange)
IS 'registers the public key of somebody else';
REVOKE ALL ON FUNCTION anshim.trust_key(pg_catalog.text, pg_catalog.text, pg_catalog.bytea, pg_catalog.text, pg_catalog.tstzrange)
FROM PUBLIC;

--| `anshim.revoke_key(kid, at => now())`: from the moment `at` on, the key is not to be believed, and signs nothing any more. Give the moment at which
--| the secret may have got into wrong hands. What it signed keeps its verdict for moments before that; who asks about the present is told so in
--| every session as soon as the revocation is committed, in transactions that began before it, too. A revocation can be moved to an earlier moment by
--| calling this again, but not to a later one.
--|
--| Retiring a key in good order is no revocation: that is what the end of `valid` is for.
CREATE FUNCTION anshim.revoke_key(kid pg_catalog.text, at pg_catalog.timestamptz DEFAULT pg_catalog.now()) RETURNS pg_catalog.void
AS 'MODULE_PATHNAME', 'anshim_revoke_key' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION anshim.revoke_key(pg_catalog.text, pg_catalog.timestamptz) IS 'declares that a key is not to be believed from a moment on';
REVOKE ALL ON FUNCTION anshim.revoke_key(pg_catalog.text, pg_catalog.timestamptz) FROM PUBLIC;
