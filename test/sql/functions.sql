--
-- Every function, and the marks that were chosen for it.  The expected output
-- is their review: a change of it has to be meant.
--
\pset format unaligned
SELECT p.oid::regprocedure::text COLLATE "C" AS function,
	lanname AS language,
	CASE provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
	CASE proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' ELSE 'parallel unsafe' END AS parallel,
	CASE WHEN proisstrict THEN 'strict' ELSE 'called on null' END AS strict,
	procost AS cost, prorows AS rows,
	CASE WHEN prosecdef THEN 'owner''s rights' ELSE 'caller''s rights' END AS rights,
	CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'everybody' ELSE 'granted' END AS callers
FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE pronamespace = 'anshim'::regnamespace
ORDER BY 1;

-- Who may read the tables and views.
SELECT relname COLLATE "C" AS relation,
	CASE WHEN has_table_privilege('public', c.oid, 'SELECT') THEN 'everybody' ELSE 'granted' END AS readers
FROM pg_class c
WHERE relnamespace = 'anshim'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
ORDER BY 1;
