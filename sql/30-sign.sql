--| # Signing and verifying
--|
--| ## Signing
--|
--| Signing needs the grant of `EXECUTE` by a superuser; it gives no access to the secret itself.
CREATE FUNCTION anshim.random_id() RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_random_id' LANGUAGE C VOLATILE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION anshim.random_id() IS '16 random bytes: the default identifier of a token';

--| `anshim.sign(kid, venue => NULL, subject => NULL, valid => NULL, id => 16 random bytes)` → `token`: a token that the key vouches for, with
--| the key's issuer, the time of signing, and of the rest what is not NULL. Both ends of `valid` are rounded
--| down to whole seconds. A venue's pass names a venue, a
--| visitor's pass a subject.
--|
--| The key must be valid and not revoked at the time of signing. Every signature is verified before it is returned.
CREATE FUNCTION anshim.sign(kid pg_catalog.text, venue pg_catalog.uuid DEFAULT NULL, subject pg_catalog.uuid DEFAULT NULL,
	valid pg_catalog.tstzrange DEFAULT NULL, id pg_catalog.bytea DEFAULT anshim.random_id()) RETURNS anshim.token
AS 'MODULE_PATHNAME', 'anshim_sign' LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 5000;
COMMENT ON FUNCTION anshim.sign(pg_catalog.text, pg_catalog.uuid, pg_catalog.uuid, pg_catalog.tstzrange, pg_catalog.bytea)
IS 'signs a token';
REVOKE ALL ON FUNCTION anshim.sign(pg_catalog.text, pg_catalog.uuid, pg_catalog.uuid, pg_catalog.tstzrange, pg_catalog.bytea) FROM PUBLIC;

--| ## Verifying
--|
--| Everybody may verify.
--|
--| `anshim.verify(token, at => now())` → `boolean`: is the token good, at this moment? False for every bad token, and never an error.
--|
--| `anshim.verdict(token, at => now())` → `text`: the same, and if not, why not. The first of these that applies:
--|
--| | verdict | meaning |
--| | --- | --- |
--| | `unknown key` | no key of this name does this algorithm, or it is of another issuer than the token names; or it is an HMAC key whose secret is not here |
--| | `bad signature` | signature, claims or header have been changed, or the signature is not the canonical one |
--| | `key revoked` | the key was revoked at or before that moment |
--| | `key not valid then` | the moment lies outside the key's `valid` |
--| | `not yet valid`, `expired` | the moment lies outside the token's validity |
--| | `valid` | none of these |
--|
--| Both are `STABLE`, although a key may be revoked while a query runs: like functions that read the catalogs they go by the latest state.
CREATE FUNCTION anshim.verify(token anshim.token, at pg_catalog.timestamptz DEFAULT pg_catalog.now()) RETURNS pg_catalog.bool
AS 'MODULE_PATHNAME', 'anshim_verify' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION anshim.verify(anshim.token, pg_catalog.timestamptz) IS 'is the token good, at this moment?';

CREATE FUNCTION anshim.verdict(token anshim.token, at pg_catalog.timestamptz DEFAULT pg_catalog.now()) RETURNS pg_catalog.text
AS 'MODULE_PATHNAME', 'anshim_verdict' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION anshim.verdict(anshim.token, pg_catalog.timestamptz) IS 'whether the token is good at this moment, and if not, why not';

--| ## Visitors' passes
--|
--| A pass that carries its subject can be followed by whoever photographs it. A pass of `anshim.issue_pass` carries nothing but a random id and
--| its validity: who it belongs to is kept in `anshim.pass`, which nobody but `anshim.check_in` reads, and forgotten when the pass has expired. It is
--| not dumped, either: after a restore, visitors need new passes.
CREATE TABLE anshim.pass (
	kid text COLLATE "C" NOT NULL,
	id bytea NOT NULL,
	subject uuid NOT NULL,
	expires_at timestamptz NOT NULL,
	CONSTRAINT pass_pkey PRIMARY KEY (id, kid)
);
COMMENT ON TABLE anshim.pass IS 'whose the unexpired passes of anshim.issue_pass() are';
COMMENT ON COLUMN anshim.pass.kid IS 'key that signed the pass';
COMMENT ON COLUMN anshim.pass.id IS 'id of the pass';
COMMENT ON COLUMN anshim.pass.subject IS 'whose it is';
COMMENT ON COLUMN anshim.pass.expires_at IS 'when this row is to be forgotten';
REVOKE ALL ON anshim.pass FROM PUBLIC;

CREATE INDEX pass_expires_at ON anshim.pass (expires_at);
COMMENT ON INDEX anshim.pass_expires_at IS 'finds what is to be forgotten';

--| Where a visitor's pass has been used is kept until four weeks after it has expired, or was used if that is later, so that a copy of it is
--| refused at the same venue, for check-ins that are reported late, too. This is dumped.
CREATE TABLE anshim.pass_use (
	venue uuid NOT NULL,
	issuer text COLLATE "C" NOT NULL,
	id bytea NOT NULL,
	forget_at timestamptz NOT NULL,
	CONSTRAINT pass_use_pkey PRIMARY KEY (venue, id, issuer)
);
COMMENT ON TABLE anshim.pass_use IS 'where visitors'' passes have been used';
COMMENT ON COLUMN anshim.pass_use.venue IS 'where it was';
COMMENT ON COLUMN anshim.pass_use.issuer IS 'who issued the pass';
COMMENT ON COLUMN anshim.pass_use.id IS 'id of the pass';
COMMENT ON COLUMN anshim.pass_use.forget_at IS 'when this row is to be forgotten';
REVOKE ALL ON anshim.pass_use FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('anshim.pass_use', '');

CREATE INDEX pass_use_forget_at ON anshim.pass_use (forget_at);
COMMENT ON INDEX anshim.pass_use_forget_at IS 'finds what is to be forgotten';

--| `anshim.forget_passes(at_most => NULL)` → `bigint`: deletes what `anshim.pass` and `anshim.pass_use` need not hold any more, or at most so many rows of
--| each, and says how many that were. `issue_pass` and `check_in` do a little of it at each call; have it called once an hour, so that nothing stays
--| where no new pass is issued.
CREATE FUNCTION anshim.forget_passes(at_most pg_catalog.int8 DEFAULT NULL) RETURNS pg_catalog.int8
LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH forgotten AS (
		DELETE FROM anshim.pass WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
			SELECT ctid FROM anshim.pass
			WHERE expires_at OPERATOR(pg_catalog.<=) pg_catalog.now()
			ORDER BY expires_at LIMIT at_most FOR UPDATE SKIP LOCKED))
		RETURNING 1
	), forgotten_use AS (
		DELETE FROM anshim.pass_use WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
			SELECT ctid FROM anshim.pass_use
			WHERE forget_at OPERATOR(pg_catalog.<=) pg_catalog.now()
			ORDER BY forget_at LIMIT at_most FOR UPDATE SKIP LOCKED))
		RETURNING 1
	)
	SELECT (SELECT pg_catalog.count(*) FROM forgotten) OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM forgotten_use);
END;
COMMENT ON FUNCTION anshim.forget_passes(pg_catalog.int8) IS 'forgets expired passes';
REVOKE ALL ON FUNCTION anshim.forget_passes(pg_catalog.int8) FROM PUBLIC;

--| `anshim.issue_pass(kid, subject, valid, venue => NULL)` → `token`: a visitor's pass without the visitor in it, perhaps for one venue only. `valid`
--| must have an end; let it be near. Two passes of one visitor cannot be told from those of two, as long as their times do not tell: give all visitors'
--| passes the same ones, such as `tstzrange(t, t + '30 minutes')` with `t = date_bin('15 minutes', now(), '2000-01-01')`. Needs the grant of `EXECUTE`.
CREATE FUNCTION anshim.issue_pass(kid pg_catalog.text, subject pg_catalog.uuid, valid pg_catalog.tstzrange,
	venue pg_catalog.uuid DEFAULT NULL) RETURNS anshim.token
AS 'MODULE_PATHNAME', 'anshim_issue_pass' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000
SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION anshim.issue_pass(pg_catalog.text, pg_catalog.uuid, pg_catalog.tstzrange, pg_catalog.uuid)
IS 'signs a visitor''s pass that does not show whose it is';
REVOKE ALL ON FUNCTION anshim.issue_pass(pg_catalog.text, pg_catalog.uuid, pg_catalog.tstzrange, pg_catalog.uuid) FROM PUBLIC;
