/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  What a source says of a chain besides its rows
 *
 * Each stream has a function that takes one row of it.  Rows must ascend by
 * their keys, so that later look-ups are binary searches.  A row that is out
 * of order, or holds what its table cannot hold, is noted as a problem.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "catalog.h"

#define PROBLEMS_MAX 100		/* that are noted one by one */

/* Takes the reader's row; false if it is none: `misfit` may say why. */
typedef bool (*TakeRow) (Catalog *catalog, CopyReader *reader);

/* Room for one more element behind n of them. */
#define ENLARGE(array, n) \
	((array) = enlarge((array), (n), sizeof(*(array))))

static void *
enlarge(void *array, int64 n, size_t size)
{
	/* sizes at which there is no room left: 0, 16, 32, 64, ... */
	if (n == 0)
		return pg_realloc(array, 16 * size);
	if (n >= 16 && (n & (n - 1)) == 0)
		return pg_realloc(array, 2 * (size_t) n * size);
	return array;
}

static bool
is_text(const CopyReader *reader, int column, const char *str)
{
	const CopyField *field = &reader->fields[column];

	return field->len == strlen(str) && memcmp(field->data, str, field->len) == 0;
}

static bool
take_chain(Catalog *catalog, CopyReader *reader)
{
	if (catalog->schema != NULL ||	/* the second one */
		!copy_bytes(reader, 0, catalog->chain, CHAIN_ID_LEN) ||
		(catalog->schema = copy_text(reader, 1)) == NULL ||
		(catalog->table = copy_text(reader, 2)) == NULL ||
		(catalog->origin = copy_text(reader, 3)) == NULL)
		return false;
	catalog->ended = !copy_is_null(reader, 5);
	return copy_int8(reader, 6, &catalog->now);
}

static bool
take_layout(Catalog *catalog, CopyReader *reader)
{
	CatalogColumn *column;
	CatalogColumn *last;

	if (catalog->ncolumns == PG_INT32_MAX / 2)
		return false;
	ENLARGE(catalog->columns, catalog->ncolumns);
	column = &catalog->columns[catalog->ncolumns];
	last = catalog->ncolumns == 0 ? NULL : column - 1;
	if (!copy_int4(reader, 0, &column->layout) || !copy_int4(reader, 1, &column->position) ||
		(last != NULL && column->layout < last->layout) ||
		column->position != (last != NULL && column->layout == last->layout ? last->position + 1 : 1))
		return false;
	column->name = copy_text(reader, 2);
	column->type = copy_text(reader, 3);
	if (column->name == NULL || column->type == NULL)
	{
		pg_free(column->name);
		pg_free(column->type);
		return false;
	}
	catalog->ncolumns++;
	return true;
}

static bool
take_block(Catalog *catalog, CopyReader *reader)
{
	CatalogBlock *block;

	ENLARGE(catalog->blocks, catalog->nblocks);
	block = &catalog->blocks[catalog->nblocks];
	if (!copy_int8(reader, 0, &block->number) || !copy_int8(reader, 1, &block->size) ||
		!copy_bytes(reader, 2, block->root, MERKLE_HASH_LEN) || !copy_int8(reader, 3, &block->sealed_at) ||
		(catalog->nblocks > 0 && block->number <= block[-1].number))
		return false;
	catalog->nblocks++;
	return true;
}

static bool
take_segment(Catalog *catalog, CopyReader *reader)
{
	CatalogSegment *segment;
	CatalogSegment *last;

	ENLARGE(catalog->segments, catalog->nsegments);
	segment = &catalog->segments[catalog->nsegments];
	last = catalog->nsegments == 0 ? NULL : segment - 1;
	if (!copy_int8(reader, 0, &segment->block) || !copy_int4(reader, 1, &segment->strand) ||
		!copy_int8(reader, 2, &segment->first_seq) || !copy_int8(reader, 3, &segment->last_seq) ||
		!copy_int8(reader, 4, &segment->first_index) || !copy_bytes(reader, 5, segment->last_hash, LINK_HASH_LEN) ||
		(last != NULL && (segment->block < last->block ||
						  (segment->block == last->block && segment->strand <= last->strand))))
		return false;
	catalog->nsegments++;
	return true;
}

static bool
take_tile(Catalog *catalog, CopyReader *reader)
{
	const CopyField *hashes = &reader->fields[2];
	CatalogTile *tile;
	CatalogTile *last;

	ENLARGE(catalog->tiles, catalog->ntiles);
	tile = &catalog->tiles[catalog->ntiles];
	last = catalog->ntiles == 0 ? NULL : tile - 1;
	if (!copy_int2(reader, 0, &tile->level) || !copy_int8(reader, 1, &tile->tile) ||
		tile->level < 1 || tile->level > MERKLE_MAX_LEVELS / TILE_HEIGHT || tile->tile < 0 ||
		hashes->len <= 0 || hashes->len > TILE_WIDTH * MERKLE_HASH_LEN || hashes->len % MERKLE_HASH_LEN != 0 ||
		(last != NULL && (tile->level < last->level ||
						  (tile->level == last->level && tile->tile <= last->tile))))
		return false;
	tile->n = hashes->len / MERKLE_HASH_LEN;
	tile->hashes = pg_malloc(hashes->len);
	memcpy(tile->hashes, hashes->data, hashes->len);
	catalog->ntiles++;
	return true;
}

static bool
take_kept(Catalog *catalog, CopyReader *reader)
{
	CatalogKept *kept;
	CatalogKept *last;

	ENLARGE(catalog->kept, catalog->nkept);
	kept = &catalog->kept[catalog->nkept];
	last = catalog->nkept == 0 ? NULL : kept - 1;
	if (!copy_int2(reader, 0, &kept->level) || !copy_int8(reader, 1, &kept->index) ||
		!copy_bytes(reader, 2, kept->hash, MERKLE_HASH_LEN) ||
		kept->level < 0 || kept->level >= TILE_HEIGHT || kept->index < 0 ||
		(last != NULL && (kept->level < last->level ||
						  (kept->level == last->level && kept->index <= last->index))))
		return false;
	catalog->nkept++;
	return true;
}

static bool
take_expired(Catalog *catalog, CopyReader *reader)
{
	CatalogExpired *expired;

	ENLARGE(catalog->expired, catalog->nexpired);
	expired = &catalog->expired[catalog->nexpired];
	if (!copy_int4(reader, 0, &expired->strand) || !copy_int8(reader, 1, &expired->last_seq) ||
		!copy_bytes(reader, 2, expired->last_hash, LINK_HASH_LEN) ||
		(catalog->nexpired > 0 && expired->strand <= expired[-1].strand))
		return false;
	catalog->nexpired++;
	return true;
}

static bool
take_leaf(Catalog *catalog, CopyReader *reader)
{
	Leaf	   *leaf = catalog->nleaves == 0 ? NULL : &catalog->leaves[catalog->nleaves - 1];
	LeafColumn *column;
	int32		number;
	int32		position;

	if (!copy_int4(reader, 0, &number))
		return false;
	if (leaf == NULL || number != leaf->number)
	{
		if (number != catalog->nleaves + 1 || number == PG_INT32_MAX)
			return false;
		ENLARGE(catalog->leaves, catalog->nleaves);
		leaf = &catalog->leaves[catalog->nleaves++];
		memset(leaf, 0, sizeof(*leaf));
		leaf->number = number;
		leaf->schema = copy_text(reader, 1);
		leaf->table = copy_text(reader, 2);
		if (leaf->schema == NULL || leaf->table == NULL)
			return false;
		if (copy_is_null(reader, 3))
			return true;
	}
	else if (!is_text(reader, 1, leaf->schema) || !is_text(reader, 2, leaf->table))
		return false;
	if (!copy_int4(reader, 3, &position) || position != leaf->ncolumns + 1 || position > PG_INT16_MAX - 2)
		return false;
	ENLARGE(leaf->columns, leaf->ncolumns);
	column = &leaf->columns[leaf->ncolumns++];
	column->name = copy_text(reader, 4);
	column->type = copy_text(reader, 5);
	return column->name != NULL && column->type != NULL;
}

static bool
take_guard(Catalog *catalog, CopyReader *reader)
{
	CatalogGuard *guard;

	if (catalog->nguards == PG_INT32_MAX / 2)
		return false;
	ENLARGE(catalog->guards, catalog->nguards);
	guard = &catalog->guards[catalog->nguards++];
	memset(guard, 0, sizeof(*guard));
	return copy_int4(reader, 0, &guard->leaf) &&
		(guard->trigger = copy_text(reader, 1)) != NULL &&
		(guard->enabled = copy_text(reader, 2)) != NULL;
}

/* Streams whose rows are findings where they are wrong; without the others nothing can be checked. */
static bool
is_checkable(StreamKind kind, FindingKind *found)
{
	switch (kind)
	{
		case STREAM_LAYOUT:
			*found = FOUND_LAYOUT;
			return true;
		case STREAM_BLOCK:
			*found = FOUND_BLOCK;
			return true;
		case STREAM_SEGMENT:
			*found = FOUND_SEGMENT;
			return true;
		case STREAM_TILE:
		case STREAM_KEPT:
			*found = FOUND_NODE;
			return true;
		case STREAM_EXPIRED:
			*found = FOUND_EXPIRY;
			return true;
		default:
			return false;
	}
}

static bool
note_problem(Catalog *catalog, StreamKind kind, const char *stream, const CopyReader *reader)
{
	CatalogProblem *problem;
	FindingKind found;

	if (!is_checkable(kind, &found))
		return false;
	if (catalog->nproblems == PROBLEMS_MAX)
		return true;
	ENLARGE(catalog->problems, catalog->nproblems);
	problem = &catalog->problems[catalog->nproblems++];
	problem->kind = found;
	problem->text = psprintf("Row " INT64_FORMAT " of %s cannot be one: %s.", reader->tuples, stream,
							 reader->misfit[0] != '\0' ? reader->misfit : "its values are not such as can follow there");
	return true;
}

static bool
read_stream(Source *source, StreamKind kind, TakeRow take, Catalog *catalog)
{
	ByteStream *stream = source->open(source, kind, catalog->chain_text, NULL);
	char	   *name = stream_file(kind, NULL);
	CopyReader	reader;
	CopyResult	result;

	if (stream == NULL)
	{
		pg_free(name);
		return false;
	}
	copy_open(&reader, stream, stream_columns(kind, NULL));
	while ((result = copy_next(&reader)) == COPY_ROW)
	{
		reader.misfit[0] = '\0';
		if (!take(catalog, &reader) && !note_problem(catalog, kind, name, &reader))
			break;
	}
	if (result == COPY_BAD)
		source_fail(source, "%s is malformed: %s", name, reader.error);
	else if (result == COPY_ROW)
		source_fail(source, "%s is malformed: row " INT64_FORMAT " is not what should follow there",
					name, reader.tuples);
	copy_close(&reader);
	pg_free(name);
	return source->error == NULL;
}

/* Is this text the one that PostgreSQL writes for these bytes of a uuid? */
static bool
is_id(const uint8 *id, const char *str)
{
	char		digits[CHAIN_ID_LEN * 2 + 1];
	int			n = 0;

	for (int i = 0; i < CHAIN_ID_LEN; i++)
		snprintf(digits + 2 * i, 3, "%02x", id[i]);
	for (; *str != '\0' && n < 2 * CHAIN_ID_LEN; str++)
	{
		if (*str != '-' && *str != digits[n++])
			return false;
	}
	return n == 2 * CHAIN_ID_LEN && *str == '\0';
}

bool
catalog_read_chain(Source *source, const char *chain, Catalog *catalog)
{
	memset(catalog, 0, sizeof(*catalog));
	catalog->chain_text = chain;
	if (!read_stream(source, STREAM_CHAIN, take_chain, catalog))
		return false;
	if (catalog->schema == NULL)
		source_fail(source, "there is no chain %s any more", chain);
	else if (!is_id(catalog->chain, chain))
		source_fail(source, "chain.copy of chain %s is that of another one", chain);
	return source->error == NULL;
}

bool
catalog_read(Source *source, const char *chain, Catalog *catalog)
{
	return catalog_read_chain(source, chain, catalog) &&
		read_stream(source, STREAM_LAYOUT, take_layout, catalog) &&
		read_stream(source, STREAM_BLOCK, take_block, catalog) &&
		read_stream(source, STREAM_SEGMENT, take_segment, catalog) &&
		read_stream(source, STREAM_TILE, take_tile, catalog) &&
		read_stream(source, STREAM_KEPT, take_kept, catalog) &&
		read_stream(source, STREAM_EXPIRED, take_expired, catalog) &&
		read_stream(source, STREAM_LEAF, take_leaf, catalog) &&
		read_stream(source, STREAM_GUARD, take_guard, catalog);
}

bool
catalog_read_leaves(Source *source, const char *chain, Leaf **leaves, int *nleaves)
{
	Catalog		catalog = {0};
	bool		good;

	catalog.chain_text = chain;
	good = read_stream(source, STREAM_LEAF, take_leaf, &catalog);
	*leaves = catalog.leaves;
	*nleaves = catalog.nleaves;
	return good;
}

void
catalog_free_leaves(Leaf *leaves, int nleaves)
{
	for (int i = 0; i < nleaves; i++)
	{
		for (int j = 0; j < leaves[i].ncolumns; j++)
		{
			pg_free(leaves[i].columns[j].name);
			pg_free(leaves[i].columns[j].type);
		}
		pg_free(leaves[i].columns);
		pg_free(leaves[i].schema);
		pg_free(leaves[i].table);
	}
	pg_free(leaves);
}

void
catalog_free(Catalog *catalog)
{
	for (int i = 0; i < catalog->ncolumns; i++)
	{
		pg_free(catalog->columns[i].name);
		pg_free(catalog->columns[i].type);
	}
	for (int i = 0; i < catalog->nguards; i++)
	{
		pg_free(catalog->guards[i].trigger);
		pg_free(catalog->guards[i].enabled);
	}
	for (int64 i = 0; i < catalog->ntiles; i++)
		pg_free(catalog->tiles[i].hashes);
	for (int64 i = 0; i < catalog->nproblems; i++)
		pg_free(catalog->problems[i].text);
	catalog_free_leaves(catalog->leaves, catalog->nleaves);
	pg_free(catalog->columns);
	pg_free(catalog->guards);
	pg_free(catalog->blocks);
	pg_free(catalog->segments);
	pg_free(catalog->tiles);
	pg_free(catalog->kept);
	pg_free(catalog->problems);
	pg_free(catalog->expired);
	pg_free(catalog->schema);
	pg_free(catalog->table);
	pg_free(catalog->origin);
	memset(catalog, 0, sizeof(*catalog));
}

static const uint8 *
kept_node(const Catalog *catalog, int level, int64 index)
{
	int64		low = 0;
	int64		high = catalog->nkept;

	while (low < high)
	{
		int64		middle = low + (high - low) / 2;
		const CatalogKept *kept = &catalog->kept[middle];

		if (kept->level < level || (kept->level == level && kept->index < index))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < catalog->nkept && catalog->kept[low].level == level && catalog->kept[low].index == index)
		return catalog->kept[low].hash;
	return NULL;
}

static const uint8 *
tile_node(const Catalog *catalog, int level, int64 index)
{
	int64		low = 0;
	int64		high = catalog->ntiles;
	int64		number = index / TILE_WIDTH;
	int			place = index % TILE_WIDTH;

	while (low < high)
	{
		int64		middle = low + (high - low) / 2;
		const CatalogTile *tile = &catalog->tiles[middle];

		if (tile->level < level || (tile->level == level && tile->tile < number))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < catalog->ntiles && catalog->tiles[low].level == level &&
		catalog->tiles[low].tile == number && place < catalog->tiles[low].n)
		return catalog->tiles[low].hashes[place];
	return NULL;
}

const uint8 *
catalog_node(const Catalog *catalog, int level, int64 index)
{
	if (level < TILE_HEIGHT)
		return kept_node(catalog, level, index);
	return level % TILE_HEIGHT == 0 ? tile_node(catalog, level / TILE_HEIGHT, index) : NULL;
}
