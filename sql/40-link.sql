--| # Links
--|
--| Every row of a chained table has a column `link` of type `anshim.link`, its place in the chain: the number of its *strand*, the number
--| of the *layout* that says which columns are covered, its place `seq` in the strand, counted from 1, and a SHA-256 hash over all of that,
--| the hash of the link before it, and the row. [formats.md](formats.md) has the bytes.
--|
--| As text a link is `strand/layout/seq/hash`: three decimal numbers and 64 hexadecimal digits in lower case. In binary protocols it is 48
--| bytes: two integers of 4 bytes, one of 8, and the hash, big-endian. Anything else raises `22P02` as text and `22P03` as bytes.
CREATE TYPE anshim.link;

CREATE FUNCTION anshim.link_in(pg_catalog.cstring) RETURNS anshim.link
AS 'MODULE_PATHNAME', 'anshim_link_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_in(pg_catalog.cstring) IS 'input function of type anshim.link';

CREATE FUNCTION anshim.link_out(anshim.link) RETURNS pg_catalog.cstring
AS 'MODULE_PATHNAME', 'anshim_link_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_out(anshim.link) IS 'output function of type anshim.link';

CREATE FUNCTION anshim.link_recv(pg_catalog.internal) RETURNS anshim.link
AS 'MODULE_PATHNAME', 'anshim_link_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_recv(pg_catalog.internal) IS 'binary input function of type anshim.link';

CREATE FUNCTION anshim.link_send(anshim.link) RETURNS pg_catalog.bytea
AS 'MODULE_PATHNAME', 'anshim_link_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_send(anshim.link) IS 'binary output function of type anshim.link';

CREATE TYPE anshim.link (
	INPUT = anshim.link_in,
	OUTPUT = anshim.link_out,
	RECEIVE = anshim.link_recv,
	SEND = anshim.link_send,
	INTERNALLENGTH = 48,
	ALIGNMENT = double,
	STORAGE = plain,
	CATEGORY = 'U'
);
COMMENT ON TYPE anshim.link IS 'place of a row in a chain: strand/layout/seq/hash';

--| ## Parts of a link
--|
--| `anshim.strand(link)` → `integer`: the strand that the row is in; 0 is that of the chain's own events.
CREATE FUNCTION anshim.strand(link anshim.link) RETURNS integer
AS 'MODULE_PATHNAME', 'anshim_strand' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.strand(anshim.link) IS 'the strand of a link';

--| `anshim.layout(link)` → `integer`: the layout, a row of `anshim.layout`, whose columns the link covers.
CREATE FUNCTION anshim.layout(link anshim.link) RETURNS integer
AS 'MODULE_PATHNAME', 'anshim_layout' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.layout(anshim.link) IS 'the layout of a link';

--| `anshim.seq(link)` → `bigint`: the place in the strand, from 1.
CREATE FUNCTION anshim.seq(link anshim.link) RETURNS bigint
AS 'MODULE_PATHNAME', 'anshim_seq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.seq(anshim.link) IS 'the place of a link in its strand';

--| `anshim.hash(link)` → `bytea`: the hash, 32 bytes.
CREATE FUNCTION anshim.hash(link anshim.link) RETURNS bytea
AS 'MODULE_PATHNAME', 'anshim_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.hash(anshim.link) IS 'the hash of a link';

--| `anshim.leaf_hash(link)` → `bytea`: the hash of the link as a leaf of the log's tree, SHA-256 of a zero byte and the link's hash.
CREATE FUNCTION anshim.leaf_hash(link anshim.link) RETURNS bytea
AS 'MODULE_PATHNAME', 'anshim_leaf_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION anshim.leaf_hash(anshim.link) IS 'the hash of a link as a leaf of the log';

--| ## Order and equality
--|
--| Links are ordered by strand, then seq. B-tree and hash indexes, `DISTINCT`, `GROUP BY`, merge and hash joins all work.
CREATE FUNCTION anshim.link_eq(anshim.link, anshim.link) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_link_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_eq(anshim.link, anshim.link) IS 'implementation of = operator';

CREATE FUNCTION anshim.link_ne(anshim.link, anshim.link) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_link_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_ne(anshim.link, anshim.link) IS 'implementation of <> operator';

CREATE FUNCTION anshim.link_lt(anshim.link, anshim.link) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_link_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_lt(anshim.link, anshim.link) IS 'implementation of < operator';

CREATE FUNCTION anshim.link_le(anshim.link, anshim.link) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_link_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_le(anshim.link, anshim.link) IS 'implementation of <= operator';

CREATE FUNCTION anshim.link_gt(anshim.link, anshim.link) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_link_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_gt(anshim.link, anshim.link) IS 'implementation of > operator';

CREATE FUNCTION anshim.link_ge(anshim.link, anshim.link) RETURNS boolean
AS 'MODULE_PATHNAME', 'anshim_link_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_ge(anshim.link, anshim.link) IS 'implementation of >= operator';

CREATE OPERATOR anshim.= (
	FUNCTION = anshim.link_eq, LEFTARG = anshim.link, RIGHTARG = anshim.link,
	COMMUTATOR = OPERATOR(anshim.=), NEGATOR = OPERATOR(anshim.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR anshim.= (anshim.link, anshim.link) IS 'equal';

CREATE OPERATOR anshim.<> (
	FUNCTION = anshim.link_ne, LEFTARG = anshim.link, RIGHTARG = anshim.link,
	COMMUTATOR = OPERATOR(anshim.<>), NEGATOR = OPERATOR(anshim.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR anshim.<> (anshim.link, anshim.link) IS 'not equal';

CREATE OPERATOR anshim.< (
	FUNCTION = anshim.link_lt, LEFTARG = anshim.link, RIGHTARG = anshim.link,
	COMMUTATOR = OPERATOR(anshim.>), NEGATOR = OPERATOR(anshim.>=),
	RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR anshim.< (anshim.link, anshim.link) IS 'less than';

CREATE OPERATOR anshim.<= (
	FUNCTION = anshim.link_le, LEFTARG = anshim.link, RIGHTARG = anshim.link,
	COMMUTATOR = OPERATOR(anshim.>=), NEGATOR = OPERATOR(anshim.>),
	RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR anshim.<= (anshim.link, anshim.link) IS 'less than or equal';

CREATE OPERATOR anshim.> (
	FUNCTION = anshim.link_gt, LEFTARG = anshim.link, RIGHTARG = anshim.link,
	COMMUTATOR = OPERATOR(anshim.<), NEGATOR = OPERATOR(anshim.<=),
	RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR anshim.> (anshim.link, anshim.link) IS 'greater than';

CREATE OPERATOR anshim.>= (
	FUNCTION = anshim.link_ge, LEFTARG = anshim.link, RIGHTARG = anshim.link,
	COMMUTATOR = OPERATOR(anshim.<=), NEGATOR = OPERATOR(anshim.<),
	RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR anshim.>= (anshim.link, anshim.link) IS 'greater than or equal';

CREATE FUNCTION anshim.link_cmp(anshim.link, anshim.link) RETURNS integer
AS 'MODULE_PATHNAME', 'anshim_link_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_cmp(anshim.link, anshim.link) IS 'less-equal-greater';

CREATE FUNCTION anshim.link_hash(anshim.link) RETURNS integer
AS 'MODULE_PATHNAME', 'anshim_link_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_hash(anshim.link) IS 'hash';

CREATE FUNCTION anshim.link_hash_extended(anshim.link, bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'anshim_link_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION anshim.link_hash_extended(anshim.link, bigint) IS 'hash with a seed';

CREATE OPERATOR FAMILY anshim.link_ops USING btree;
COMMENT ON OPERATOR FAMILY anshim.link_ops USING btree IS 'order of links, along the strands';

CREATE OPERATOR CLASS anshim.link_ops DEFAULT FOR TYPE anshim.link USING btree FAMILY anshim.link_ops AS
	OPERATOR 1 anshim.<,
	OPERATOR 2 anshim.<=,
	OPERATOR 3 anshim.=,
	OPERATOR 4 anshim.>=,
	OPERATOR 5 anshim.>,
	FUNCTION 1 anshim.link_cmp(anshim.link, anshim.link),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS anshim.link_ops USING btree IS 'order of links, along the strands';

CREATE OPERATOR FAMILY anshim.link_ops USING hash;
COMMENT ON OPERATOR FAMILY anshim.link_ops USING hash IS 'equality of links, by their bytes';

CREATE OPERATOR CLASS anshim.link_ops DEFAULT FOR TYPE anshim.link USING hash FAMILY anshim.link_ops AS
	OPERATOR 1 anshim.=,
	FUNCTION 1 anshim.link_hash(anshim.link),
	FUNCTION 2 anshim.link_hash_extended(anshim.link, bigint);
COMMENT ON OPERATOR CLASS anshim.link_ops USING hash IS 'equality of links, by their bytes';
