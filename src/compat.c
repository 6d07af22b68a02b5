/*-------------------------------------------------------------------------
 *
 * compat.c
 *	  Resource owners that know our kinds of resources, before PostgreSQL 17
 *
 * Until then, an extension had one callback, called for every resource owner
 * that is released, in each of its phases; what belongs to which owner was
 * the extension's to know.  Here that is one short array: few resources are
 * held at a time, and the last remembered is nearly always the first
 * forgotten.
 *
 * Memory: the array lives as long as the backend.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "compat.h"

#ifdef ANSHIM_EMULATES_RESOURCE_KINDS

typedef struct OwnedResource
{
	ResourceOwner owner;
	Datum		res;
	const ResourceOwnerDesc *kind;
} OwnedResource;

static OwnedResource *owned;
static int	owned_used;
static int	owned_size;

/*
 * Releases what is left to this owner.  At commit that is a leak in our code,
 * which core reports for its own resources as well.
 */
static void
release_owned(ResourceReleasePhase phase, bool isCommit, bool isTopLevel, void *arg)
{
	for (int i = owned_used - 1; i >= 0; i--)
	{
		OwnedResource gone;

		/* a release may forget others */
		if (i >= owned_used)
			continue;
		gone = owned[i];
		if (gone.owner != CurrentResourceOwner || gone.kind->release_phase != phase)
			continue;
		owned[i] = owned[--owned_used];
		if (isCommit)
			elog(WARNING, "resource was not closed: %s %p",
				 gone.kind->name, DatumGetPointer(gone.res));
		gone.kind->ReleaseResource(gone.res);
	}
}

/*
 * Makes room, so that ResourceOwnerRemember() cannot fail.
 */
void
ResourceOwnerEnlarge(ResourceOwner owner)
{
	if (owned == NULL)
	{
		owned = MemoryContextAlloc(TopMemoryContext, 16 * sizeof(OwnedResource));
		owned_size = 16;
		RegisterResourceReleaseCallback(release_owned, NULL);
	}
	else if (owned_used == owned_size)
	{
		owned = repalloc(owned, 2 * (Size) owned_size * sizeof(OwnedResource));
		owned_size *= 2;
	}
}

void
ResourceOwnerRemember(ResourceOwner owner, Datum res, const ResourceOwnerDesc *kind)
{
	Assert(owned_used < owned_size);
	owned[owned_used++] = (OwnedResource)
	{
		owner, res, kind
	};
}

void
ResourceOwnerForget(ResourceOwner owner, Datum res, const ResourceOwnerDesc *kind)
{
	for (int i = owned_used - 1; i >= 0; i--)
	{
		if (owned[i].owner == owner && owned[i].res == res && owned[i].kind == kind)
		{
			owned[i] = owned[--owned_used];
			return;
		}
	}
	elog(ERROR, "%s %p is not owned by resource owner", kind->name, DatumGetPointer(res));
}

#endif							/* ANSHIM_EMULATES_RESOURCE_KINDS */
