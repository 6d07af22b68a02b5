/*-------------------------------------------------------------------------
 *
 * checkpoint.h
 *	  What checkpoint.c and witness.c share: keys and notes of the database
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_LOG_CHECKPOINT_H
#define ANSHIM_LOG_CHECKPOINT_H

#include "fmgr.h"

#include "key/key.h"
#include "log/log.h"
#include "log/head.h"

/* A key to sign with, or to tell of; errors for what cannot sign notes. */
extern Key *log_signing_key(text *kid);
extern Key *log_find_key(text *kid);
extern void log_require_ed25519(const Key *key);

/* The key under this name, in UTF-8, which must be one that notes can have. */
extern void log_note_key(NoteKey *note_key, const char *name, uint8 type, const Key *key);

/* An error where the database's encoding lacks the dash that notes have. */
extern void log_require_dash(void);

/* Verifier keys, in the server's encoding; an error for what is none. */
extern Datum log_vkey(const NoteKey *key);
extern void log_read_vkey(const char *vkey, NoteKey *key);

/* Takes a note apart that came as a value, into memory of its own. */
extern bool log_read_note(text *data, Note *note, const char **reason);

/* Signs the table's newest block, unless this key has signed it already. */
extern void log_sign_newest(Oid target, const char *kid);

#endif							/* ANSHIM_LOG_CHECKPOINT_H */
