--
-- Every function, type, table and view, and the marks, rights and words that
-- were chosen for it.  The expected output is their review: a change of it has
-- to be meant.
--
\pset format unaligned
SELECT p.oid::regprocedure::text COLLATE "C" AS function,
	lanname AS language,
	CASE provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
	CASE proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' ELSE 'parallel unsafe' END AS parallel,
	CASE WHEN proisstrict THEN 'strict' ELSE 'called on null' END AS strict,
	procost AS cost, prorows AS rows,
	CASE WHEN prosecdef THEN 'owner''s rights' ELSE 'caller''s rights' END AS rights,
	CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'everybody' ELSE 'granted' END AS callers,
	obj_description(p.oid, 'pg_proc') AS comment
FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = 'anshim'::regnamespace
ORDER BY 1;

-- What everybody may do with tables, views, sequences and their columns.
SELECT relname COLLATE "C" AS relation,
	CASE relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
	coalesce((SELECT string_agg(lower(privilege_type), ', ' ORDER BY privilege_type)
			  FROM aclexplode(relacl) WHERE grantee = 0), 'granted') AS everybody,
	(SELECT string_agg(attname || ': ' || lower(privilege_type), ', ' ORDER BY attnum, privilege_type)
	 FROM pg_attribute CROSS JOIN aclexplode(attacl) WHERE attrelid = c.oid AND grantee = 0) AS columns,
	obj_description(c.oid, 'pg_class') AS comment
FROM pg_class c
WHERE relnamespace = 'anshim'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
ORDER BY 1;

-- Types, but for those of rows and arrays
SELECT t.oid::regtype::text COLLATE "C" AS type, typlen AS length, typalign AS alignment, typstorage AS storage,
	typcategory AS category,
	CASE WHEN has_type_privilege('public', t.oid, 'USAGE') THEN 'everybody' ELSE 'granted' END AS users,
	obj_description(t.oid, 'pg_type') AS comment
FROM pg_type t
WHERE typnamespace = 'anshim'::regnamespace AND typsubscript <> 'array_subscript_handler'::regproc
	AND (typrelid = 0 OR (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c')
ORDER BY 1;
