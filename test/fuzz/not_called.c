/*-------------------------------------------------------------------------
 *
 * not_called.c
 *	  What the linker wants of a server, and no fuzz target comes to call
 *
 * Code of ours that looks into a server's catalogs lies beside code that does
 * not.  A target that does call one of these brings its own.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#define NOT_CALLED(function) \
	void function(void); \
	__attribute__((weak)) void \
	function(void) \
	{ \
		fprintf(stderr, "there is no server: %s\n", #function); \
		abort(); \
	}

/* an assertion has failed */
NOT_CALLED(ExceptionalCondition)

/* InterruptPending is never set */
NOT_CALLED(ProcessInterrupts)

/* src/visits/ident.c, for types other than integers and uuid */
NOT_CALLED(FunctionCall2Coll)
NOT_CALLED(OidFunctionCall1Coll)
NOT_CALLED(ReleaseSysCache)
NOT_CALLED(SearchSysCache1)
NOT_CALLED(datumGetSize)
NOT_CALLED(datum_image_eq)
NOT_CALLED(datum_image_hash)
NOT_CALLED(fmgr_info)
NOT_CALLED(format_type_be)
NOT_CALLED(getBaseType)
NOT_CALLED(get_collation_isdeterministic)
NOT_CALLED(get_collation_name)
NOT_CALLED(get_namespace_name)
NOT_CALLED(get_opfamily_proc)
NOT_CALLED(get_typlenbyvalalign)
NOT_CALLED(lookup_type_cache)
NOT_CALLED(namestrcpy)
NOT_CALLED(pg_detoast_datum_packed)
NOT_CALLED(quote_identifier)
NOT_CALLED(rbt_create)
NOT_CALLED(rbt_insert)

/* src/exposure/times.c, for ranges that come from SQL */
NOT_CALLED(range_deserialize)

/* src/chain/image.c, for layouts that do not fit their table, and in chain() */
NOT_CALLED(GetSysCacheOid)
NOT_CALLED(SearchSysCacheExists)
NOT_CALLED(get_base_element_type)
NOT_CALLED(get_multirange_range)
NOT_CALLED(get_range_subtype)
NOT_CALLED(get_typtype)
