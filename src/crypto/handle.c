/*-------------------------------------------------------------------------
 *
 * handle.c
 *	  Handles of OpenSSL's objects, tied to resource owners
 *
 * The order is what keeps an error from leaking anything: room in the
 * resource owner first, then the struct, empty, then the resource owner is
 * told of it, which cannot fail, and only then OpenSSL is asked for objects.
 * Whatever fails from there on, the release finds those that were made.
 *
 * Memory: handles lie in TopMemoryContext, as they may outlive a statement's
 * contexts; the resource owner frees them.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>

#include "utils/memutils.h"

#include "compat.h"
#include "crypto/handle.h"

static void release_handle(Datum res);

static const ResourceOwnerDesc crypto_handle_desc =
{
	.name = "anshim OpenSSL handle",
	.release_phase = RESOURCE_RELEASE_BEFORE_LOCKS,
	.release_priority = RELEASE_PRIO_FIRST,
	.ReleaseResource = release_handle,
	.DebugPrint = NULL
};

static int	handles;

static void
release_handle(Datum res)
{
	CryptoHandle *handle = (CryptoHandle *) DatumGetPointer(res);

	handle->owner = NULL;
	crypto_handle_free(handle);
}

/*
 * A struct of this size, zeroed, that begins with a CryptoHandle.
 */
void *
crypto_handle_alloc(Size size, void (*release) (CryptoHandle *handle))
{
	CryptoHandle *handle;

	ResourceOwnerEnlarge(CurrentResourceOwner);
	handle = MemoryContextAllocZero(TopMemoryContext, size);
	handle->release = release;
	handle->owner = CurrentResourceOwner;
	ResourceOwnerRemember(handle->owner, PointerGetDatum(handle), &crypto_handle_desc);
	handles++;
	return handle;
}

void
crypto_handle_keep(CryptoHandle *handle)
{
	if (handle->owner != NULL)
		ResourceOwnerForget(handle->owner, PointerGetDatum(handle), &crypto_handle_desc);
	handle->owner = NULL;
}

void
crypto_handle_free(CryptoHandle *handle)
{
	crypto_handle_keep(handle);
	handle->release(handle);
	pfree(handle);
	handles--;
}

int
crypto_handle_count(void)
{
	return handles;
}

/*
 * OpenSSL's oldest error is the one that caused the others.  Only its reason
 * is shown, a fixed text: the data beside it may quote a URI, PIN and all.
 */
void
crypto_fail(const char *message)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("%s", message),
			 reason != NULL ? errdetail("OpenSSL says: %s.", reason) :
			 errdetail("OpenSSL gives no reason.")));
}
