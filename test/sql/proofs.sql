--
-- Verifiers of proofs against published vectors of the RFC 6962 tree; and what
-- is no proof at all
--
\getenv srcdir PG_ABS_SRCDIR
\set inclusion :srcdir '/data/rfc6962/inclusion.jsonl'
\set consistency :srcdir '/data/rfc6962/consistency.jsonl'
CREATE FUNCTION b64(value text) RETURNS bytea IMMUTABLE RETURN decode(value, 'base64');
CREATE FUNCTION path(proof jsonb) RETURNS bytea[] IMMUTABLE
RETURN ARRAY(SELECT b64(hash) FROM jsonb_array_elements_text(CASE jsonb_typeof(proof) WHEN 'array' THEN proof ELSE '[]' END)
	WITH ORDINALITY AS p (hash, place) ORDER BY place);

CREATE VIEW inclusion AS
SELECT v->>'name' AS name, (v->>'leafIdx')::numeric AS index, (v->>'treeSize')::numeric AS size, b64(v->>'leafHash') AS leaf_hash,
	b64(v->>'root') AS root, path(v->'proof') AS path, NOT (v->>'wantErr')::boolean AS good
FROM (SELECT line::jsonb AS v FROM regexp_split_to_table(pg_read_file(:'inclusion'), E'\n') AS line WHERE line <> '') AS vector;
CREATE VIEW consistency AS
SELECT v->>'name' AS name, (v->>'size1')::numeric AS old_size, (v->>'size2')::numeric AS new_size, b64(v->>'root1') AS old_root,
	b64(v->>'root2') AS new_root, path(v->'proof') AS path, NOT (v->>'wantErr')::boolean AS good
FROM (SELECT line::jsonb AS v FROM regexp_split_to_table(pg_read_file(:'consistency'), E'\n') AS line WHERE line <> '') AS vector;

-- Indexes are unsigned there: those beyond bigint come as -1, which is no index either.
SELECT good, count(*), count(*) FILTER (WHERE taken) AS taken
FROM (SELECT *, anshim.verify_inclusion(leaf_hash, CASE WHEN index < 2::numeric ^ 63 THEN index ELSE -1 END::bigint, size::bigint, path, root) AS taken
	  FROM inclusion) AS tried
GROUP BY good ORDER BY good;
-- One that is called good, of size 1 with itself, has roots of 12 bytes: no hashes.
SELECT good AND length(old_root) = 32 AS good, count(*), count(*) FILTER (WHERE taken) AS taken
FROM (SELECT *, anshim.verify_consistency(old_size::bigint, new_size::bigint, old_root, new_root, path) AS taken FROM consistency) AS tried
GROUP BY 1 ORDER BY 1;

-- Every bit of a good proof matters.
SELECT count(*), count(*) FILTER (WHERE anshim.verify_inclusion(leaf_hash, index::bigint, size::bigint,
	path[1:i - 1] || set_bit(path[i], bit, 1 - get_bit(path[i], bit)) || path[i + 1:], root)) AS taken
FROM inclusion, generate_subscripts(path, 1) AS i, generate_series(0, 255) AS bit
WHERE good;
SELECT count(*), count(*) FILTER (WHERE anshim.verify_consistency(old_size::bigint, new_size::bigint, old_root, new_root,
	path[1:i - 1] || set_bit(path[i], bit, 1 - get_bit(path[i], bit)) || path[i + 1:])) AS taken
FROM consistency, generate_subscripts(path, 1) AS i, generate_series(0, 255) AS bit
WHERE good;
SELECT count(*), count(*) FILTER (WHERE anshim.verify_inclusion(set_bit(leaf_hash, bit, 1 - get_bit(leaf_hash, bit)), index::bigint, size::bigint, path, root)
	OR anshim.verify_inclusion(leaf_hash, index::bigint, size::bigint, path, set_bit(root, bit, 1 - get_bit(root, bit)))) AS taken
FROM inclusion, generate_series(0, 255) AS bit
WHERE good;

-- What is no hash, and no path
CREATE TABLE one AS SELECT * FROM inclusion WHERE name = '1/happy-path';
SELECT anshim.verify_inclusion(leaf_hash, 0, 8, path, root) AS itself,
	anshim.verify_inclusion(leaf_hash, 0, 8, path || NULL::bytea, root) AS a_null,
	anshim.verify_inclusion(leaf_hash, 0, 8, path[1:2] || path[3] || '\x00'::bytea, root) AS a_short_hash,
	anshim.verify_inclusion(leaf_hash, 0, 8, path[1:2] || (path[3] || '\x00'), root) AS a_long_hash,
	anshim.verify_inclusion(leaf_hash, 0, 8, ARRAY[path], root) AS two_dimensions,
	anshim.verify_inclusion(leaf_hash, 0, 8, array_fill(path[1], ARRAY[10000]), root) AS a_long_path,
	anshim.verify_inclusion(leaf_hash || '\x00', 0, 8, path, root) AS a_long_leaf,
	anshim.verify_inclusion('', 0, 8, path, root) AS no_leaf,
	anshim.verify_inclusion(leaf_hash, 0, 8, path, substr(root, 1, 31)) AS a_short_root,
	anshim.verify_inclusion(leaf_hash, 0, 9223372036854775807, path, root) AS the_largest_size,
	anshim.verify_inclusion(leaf_hash, -9223372036854775808, 8, path, root) AS the_least_index,
	anshim.verify_inclusion(leaf_hash, 0, 0, '{}', root) AS nothing,
	anshim.verify_inclusion(leaf_hash, 0, 8, NULL, root) IS NULL AS null_for_null
FROM one \gx
SELECT anshim.verify_consistency(0, 0, sha256(''), sha256(''), '{}') AS nothing_from_nothing,
	anshim.verify_consistency(-1, 8, root, root, path) AS less_than_nothing,
	anshim.verify_consistency(8, 8, root, root, '{}') AS the_same,
	anshim.verify_consistency(8, 8, root, root, path) AS the_same_and_more,
	anshim.verify_consistency(8, 8, root || '\x00', root || '\x00', '{}') AS long_roots,
	anshim.verify_consistency(9223372036854775806, 9223372036854775807, root, root, path) AS the_largest_size
FROM one \gx
