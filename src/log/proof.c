/*-------------------------------------------------------------------------
 *
 * proof.c
 *	  anshim.inclusion_proof(), consistency_proof(), and their verifiers
 *
 * Proofs are made of what the caller's snapshot shows.  They tell hashes of
 * other rows, and how many there are, to whoever may read the links.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "chain/chain.h"
#include "key/spi.h"
#include "log/store.h"

PG_FUNCTION_INFO_V1(anshim_inclusion_proof);
PG_FUNCTION_INFO_V1(anshim_consistency_proof);
PG_FUNCTION_INFO_V1(anshim_verify_inclusion);
PG_FUNCTION_INFO_V1(anshim_verify_consistency);

/*
 * Making proofs
 */

/* The chain of a table whose links the current user may read */
static Chain *
open_readable(Oid target)
{
	Chain	   *chain = chain_open(target, AccessShareLock);

	if (pg_class_aclcheck(target, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck(target, get_attnum(target, "link"), GetUserId(),
							  ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for the links of table %s", get_rel_name(target)),
				 errhint("Proofs are for those who may select its column \"link\".")));
	return chain;
}

/*
 * The size that was asked for, or that of the newest block.
 */
static int64
choose_size(FunctionCallInfo fcinfo, int argument, const Chain *chain)
{
	LogBlock	last;
	int64		size;

	if (!log_last_block(&chain->id, GetActiveSnapshot(), &last))
		last.size = 0;
	if (PG_ARGISNULL(argument))
		return last.size;
	size = PG_GETARG_INT64(argument);
	if (size < 0 || size > last.size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the log has no size %lld", (long long) size),
				 errdetail("It has grown to %lld leaves.", (long long) last.size),
				 errhint("Seal what is new with anshim.seal().")));
	return size;
}

static void
refuse_gone(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the nodes for this proof are not there any more"),
			 errdetail("Rows that they are computed of have expired, or were removed."),
			 errhint("See with anshim.verify_chain() which of them.")));
}

/*
 * The index of a link's leaf.  That the link is there, with this hash, is
 * compared with what the log has.
 */
static int64
find_leaf(LogReader *reader, const Chain *chain, const Link *link, int64 size)
{
	Segment		segment;
	MerkleHash	leaf;
	MerkleHash	stored;
	int64		index;

	if (!store_segment_of_seq(&chain->id, link->strand, link->seq, GetActiveSnapshot(), &segment) ||
		link->seq > segment.last_seq)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the link is not sealed"),
				 errdetail("The log has no seq %lld of strand %d.", (long long) link->seq, link->strand),
				 errhint("Seal what is new with anshim.seal().")));
	index = segment.first_index + (link->seq - segment.first_seq);
	if (index >= size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the link is not in the log's first %lld leaves", (long long) size),
				 errdetail("It is leaf %lld, counted from 0.", (long long) index)));
	if (!log_fetch(reader, 0, index, stored))
		refuse_gone();
	link_leaf_hash(link->hash, leaf);
	if (memcmp(leaf, stored, MERKLE_HASH_LEN) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the log has another link in this place"),
				 errdetail("Seq %lld of strand %d has another hash.", (long long) link->seq, link->strand),
				 errhint("Give the link as it stands in the row, or stood.")));
	return index;
}

static Datum
make_path(const MerkleHash *path, int n)
{
	Datum		nodes[MERKLE_PATH_MAX];

	for (int i = 0; i < n; i++)
		nodes[i] = store_hash_datum(path[i]);
	return PointerGetDatum(construct_array(nodes, n, BYTEAOID, -1, false, TYPALIGN_INT));
}

Datum
anshim_inclusion_proof(PG_FUNCTION_ARGS)
{
	MerkleHash	path[MERKLE_PATH_MAX];
	Datum		values[3];
	bool		nulls[lengthof(values)] = {false};
	TupleDesc	tupdesc;
	LogReader  *reader;
	Chain	   *chain;
	int64		size;
	int64		index;
	int			n;

	spi_refuse_null(fcinfo, 0, "target");
	spi_refuse_null(fcinfo, 1, "link");
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "the result is no row");
	chain = open_readable(PG_GETARG_OID(0));
	size = choose_size(fcinfo, 2, chain);
	reader = log_reader_begin(chain, GetActiveSnapshot());
	index = find_leaf(reader, chain, PG_GETARG_LINK_P(1), size);
	if (!merkle_inclusion_path(index, size, log_fetch, reader, path, &n))
		refuse_gone();
	log_reader_end(reader);
	chain_close(chain);

	values[0] = Int64GetDatum(index);
	values[1] = Int64GetDatum(size);
	values[2] = make_path(path, n);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}

Datum
anshim_consistency_proof(PG_FUNCTION_ARGS)
{
	MerkleHash	path[MERKLE_PATH_MAX];
	Chain	   *chain;
	int64		old_size;
	int64		size;
	int			n = 0;

	spi_refuse_null(fcinfo, 0, "target");
	spi_refuse_null(fcinfo, 1, "old_size");
	chain = open_readable(PG_GETARG_OID(0));
	old_size = choose_size(fcinfo, 1, chain);
	size = choose_size(fcinfo, 2, chain);
	if (old_size > size)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the old size is greater than the new one"),
				 errdetail("A log only grows.")));
	if (old_size > 0)
	{
		LogReader  *reader = log_reader_begin(chain, GetActiveSnapshot());

		if (!merkle_consistency_path(old_size, size, log_fetch, reader, path, &n))
			refuse_gone();
		log_reader_end(reader);
	}
	chain_close(chain);
	PG_RETURN_DATUM(make_path(path, n));
}

/*
 * Verifying them
 */

static bool
read_hash(Datum value, MerkleHash hash)
{
	bytea	   *bytes = DatumGetByteaPP(value);

	if (VARSIZE_ANY_EXHDR(bytes) != MERKLE_HASH_LEN)
		return false;
	memcpy(hash, VARDATA_ANY(bytes), MERKLE_HASH_LEN);
	return true;
}

bool
log_path_read(ArrayType *array, MerkleHash path[MERKLE_PATH_MAX], int *n)
{
	Datum	   *nodes;
	bool	   *nulls;

	if (ARR_NDIM(array) > 1 || ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > MERKLE_PATH_MAX)
		return false;
	deconstruct_array(array, BYTEAOID, -1, false, TYPALIGN_INT, &nodes, &nulls, n);
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i] || !read_hash(nodes[i], path[i]))
			return false;
	}
	return true;
}

Datum
anshim_verify_inclusion(PG_FUNCTION_ARGS)
{
	MerkleHash	path[MERKLE_PATH_MAX];
	MerkleHash	leaf;
	MerkleHash	root;
	int			n;

	PG_RETURN_BOOL(read_hash(PG_GETARG_DATUM(0), leaf) &&
				   log_path_read(PG_GETARG_ARRAYTYPE_P(3), path, &n) &&
				   read_hash(PG_GETARG_DATUM(4), root) &&
				   merkle_verify_inclusion(leaf, PG_GETARG_INT64(1), PG_GETARG_INT64(2), path, n, root));
}

Datum
anshim_verify_consistency(PG_FUNCTION_ARGS)
{
	MerkleHash	path[MERKLE_PATH_MAX];
	MerkleHash	old_root;
	MerkleHash	root;
	int			n;

	PG_RETURN_BOOL(read_hash(PG_GETARG_DATUM(2), old_root) &&
				   read_hash(PG_GETARG_DATUM(3), root) &&
				   log_path_read(PG_GETARG_ARRAYTYPE_P(4), path, &n) &&
				   merkle_verify_consistency(PG_GETARG_INT64(0), PG_GETARG_INT64(1), old_root, root, path, n));
}
