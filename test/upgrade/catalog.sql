--
-- All that the catalog says of the extension, a line each, so that two ways to
-- the same version can be compared.  OIDs, and what is said in them, are left
-- out; every object is called by its identity.
--
SET search_path = pg_catalog, pg_temp;

CREATE TEMP VIEW member AS
SELECT classid, objid, (pg_identify_object(classid, objid, 0)).type || ' ' || (pg_identify_object(classid, objid, 0)).identity AS object
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'anshim');

CREATE TEMP VIEW relation AS
SELECT c.*, object FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND objid = c.oid;

-- ACLs name roles; in which order does not matter.
CREATE FUNCTION pg_temp.rights(acl aclitem[], kind "char", owner oid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE grantee WHEN 0 THEN 'PUBLIC' WHEN owner THEN 'owner' ELSE grantee::regrole::text END
		|| ':' || privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, ' ' ORDER BY 1)
	FROM (SELECT DISTINCT * FROM aclexplode(coalesce(acl, acldefault(kind, owner)))) a
$$;

SELECT line COLLATE "C" FROM (
	SELECT concat_ws(' | ', object, 'member', obj_description(objid, classid::regclass::name)) AS line FROM member
	UNION ALL
	SELECT concat_ws(' | ', object, 'function', l.lanname, prokind, provolatile, proparallel, proisstrict, prosecdef, proleakproof,
		procost, prorows, proretset, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
		prosupport, probin, prosrc, pg_get_function_sqlbody(p.oid), proconfig::text, pg_temp.rights(proacl, 'f', proowner))
	FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND objid = p.oid JOIN pg_language l ON l.oid = prolang
	UNION ALL
	SELECT concat_ws(' | ', object, 'relation', relkind, relpersistence, relreplident, relrowsecurity, relforcerowsecurity,
		reloptions::text, pg_temp.rights(relacl, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner),
		CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) END)
	FROM relation
	UNION ALL
	SELECT concat_ws(' | ', object, 'column', attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
		attstorage, attcollation::regcollation, pg_get_expr(adbin, adrelid), pg_temp.rights(attacl, 'c', relowner),
		col_description(r.oid, attnum))
	FROM relation r JOIN pg_attribute ON attrelid = r.oid AND attnum > 0 AND NOT attisdropped
	LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
	UNION ALL
	SELECT concat_ws(' | ', object, 'sequence', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
	FROM relation r JOIN pg_sequence ON seqrelid = r.oid
	UNION ALL
	SELECT concat_ws(' | ', object, 'constraint', conname, pg_get_constraintdef(k.oid), convalidated)
	FROM relation r JOIN pg_constraint k ON conrelid = r.oid
	UNION ALL
	SELECT concat_ws(' | ', object, 'index', pg_get_indexdef(indexrelid), indisvalid) FROM relation r JOIN pg_index ON indrelid = r.oid
	UNION ALL
	SELECT concat_ws(' | ', object, 'trigger', pg_get_triggerdef(t.oid), tgenabled, obj_description(t.oid, 'pg_trigger'))
	FROM relation r JOIN pg_trigger t ON tgrelid = r.oid AND NOT tgisinternal
	UNION ALL
	SELECT concat_ws(' | ', object, 'event trigger', evtevent, evtfoid::regprocedure, evtenabled, evttags::text)
	FROM member JOIN pg_event_trigger e ON classid = 'pg_event_trigger'::regclass AND objid = e.oid
	UNION ALL
	SELECT concat_ws(' | ', object, 'type', typlen, typbyval, typtype, typcategory, typispreferred, typdelim, typinput, typoutput,
		typreceive, typsend, typmodin, typmodout, typanalyze, typalign, typstorage, pg_temp.rights(typacl, 'T', typowner))
	FROM member JOIN pg_type t ON classid = 'pg_type'::regclass AND objid = t.oid
	UNION ALL
	SELECT concat_ws(' | ', object, 'operator', oprcode, oprcanmerge, oprcanhash, oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin)
	FROM member JOIN pg_operator o ON classid = 'pg_operator'::regclass AND objid = o.oid
	UNION ALL
	SELECT concat_ws(' | ', object, 'cast', castfunc::regprocedure, castcontext, castmethod)
	FROM member JOIN pg_cast c ON classid = 'pg_cast'::regclass AND objid = c.oid
	UNION ALL
	SELECT concat_ws(' | ', object, 'operator class', opcintype::regtype, opcdefault, opckeytype::regtype)
	FROM member JOIN pg_opclass c ON classid = 'pg_opclass'::regclass AND objid = c.oid
	UNION ALL
	SELECT concat_ws(' | ', object, 'family operator', amopstrategy, amoppurpose, amopopr::regoperator)
	FROM member JOIN pg_amop ON classid = 'pg_opfamily'::regclass AND objid = amopfamily
	UNION ALL
	SELECT concat_ws(' | ', object, 'family function', amprocnum, amproc::regprocedure)
	FROM member JOIN pg_amproc ON classid = 'pg_opfamily'::regclass AND objid = amprocfamily
	UNION ALL
	SELECT concat_ws(' | ', 'extension', extversion, extrelocatable, extnamespace::regnamespace) FROM pg_extension WHERE extname = 'anshim'
	UNION ALL
	SELECT concat_ws(' | ', 'dumped', (extconfig[i])::regclass, extcondition[i])
	FROM pg_extension, generate_subscripts(extconfig, 1) i WHERE extname = 'anshim'
	UNION ALL
	-- what pg_dump takes for given
	SELECT concat_ws(' | ', object, 'initial rights', (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(initprivs) a))
	FROM member m JOIN pg_init_privs i ON i.classoid = m.classid AND i.objoid = m.objid
) AS l
ORDER BY 1;
