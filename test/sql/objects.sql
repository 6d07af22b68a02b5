--
-- Rules that every object of the extension keeps: each query lists what breaks
-- one, so none returns a row.
--
CREATE TEMP VIEW member AS
SELECT classid, objid, pg_describe_object(classid, objid, 0) COLLATE "C" AS object
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'anshim');

-- It has a comment.  A sequence belongs to its column, an operator family to
-- its class, a row's type to its table and an array's to its element's.
SELECT object AS "without a comment"
FROM member
WHERE obj_description(objid, classid::regclass::name) IS NULL
	AND NOT (classid = 'pg_class'::regclass
			 AND (SELECT relkind FROM pg_class WHERE oid = objid) = 'S')
	AND classid <> 'pg_opfamily'::regclass
	AND NOT (classid = 'pg_type'::regclass
			 AND (SELECT typsubscript = 'array_subscript_handler'::regproc
				  OR typrelid <> 0 AND (SELECT relkind FROM pg_class WHERE oid = typrelid) <> 'c'
				  FROM pg_type WHERE oid = objid))
ORDER BY 1;

-- So has every column of a table or view.
SELECT object, attname AS "column without a comment"
FROM member
JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid AND relkind <> 'S'
JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
WHERE col_description(c.oid, attnum) IS NULL
ORDER BY object, attnum;

-- Comments are as PostgreSQL's own: no sentences, in small letters but for names.
SELECT object, description AS "comment that is a sentence"
FROM member JOIN pg_description d ON d.classoid = classid AND d.objoid = objid
WHERE description ~ '[.]$' OR description ~ '^[A-Z][a-z ]' AND description !~ '^Ed25519'
ORDER BY object, objsubid;

-- It lies in the extension's schema.
SELECT object AS "elsewhere"
FROM member, pg_identify_object(classid, objid, 0) o
WHERE o.schema <> 'anshim'
ORDER BY 1;

-- A function that runs with its owner's rights has a search_path that nobody
-- else can put things into.
SELECT object AS "search_path not pinned"
FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
WHERE prosecdef AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(proconfig, '{}'))
ORDER BY 1;

-- A function in SQL has a body that was parsed when it was created, so that no
-- search_path changes what it means; PostgreSQL has none for polymorphic ones.
SELECT object AS "parsed at every call"
FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
JOIN pg_language l ON prolang = l.oid AND lanname = 'sql'
WHERE prosqlbody IS NULL
	AND NOT EXISTS (SELECT FROM unnest(proargtypes) t
					WHERE t = ANY (ARRAY['anyelement', 'anyarray', 'anycompatible']::regtype[]))
ORDER BY 1;

-- A function is leakproof only if someone has proved it.
SELECT object AS "leakproof"
FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid
WHERE proleakproof
ORDER BY 1;

-- Nobody but the owner writes to a table of the extension.
SELECT object, privilege_type
FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid
CROSS JOIN aclexplode(relacl) a
WHERE grantee <> relowner AND privilege_type NOT IN ('SELECT', 'REFERENCES')
ORDER BY 1, 2;

-- Operator classes are whole.
SELECT object AS "incomplete"
FROM member
WHERE CASE classid WHEN 'pg_opclass'::regclass THEN NOT amvalidate(objid) END
ORDER BY 1;
