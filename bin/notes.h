/*-------------------------------------------------------------------------
 *
 * notes.h
 *	  Checkpoints that were kept elsewhere, and the keys to believe
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_BIN_NOTES_H
#define ANSHIM_BIN_NOTES_H

#include "log/note.h"
#include "report.h"

/* A checkpoint as its file has it */
typedef struct KeptCheckpoint
{
	const char *file;
	char	   *text;			/* of the file */
	size_t		len;
	uint8	   *blobs;			/* note_read()'s */
	bool		believed;		/* signed, and cosigned, by whom it should be */
	char	   *origin;			/* of a believed one, as what follows */
	int64		size;
	MerkleHash	root;
	int			cosignatures;
	int64		cosigned_at;	/* the earliest moment by which enough had
								 * cosigned, in microseconds since 2000; 0:
								 * none had to */
	bool		compared;		/* with a chain of its origin */
} KeptCheckpoint;

typedef struct Notes
{
	int			nkeys;
	NoteKey    *keys;			/* of logs: each pins the origin that is its
								 * name */
	int			nwitnesses;
	NoteKey    *witnesses;
	int			quorum;
	int			ncheckpoints;
	KeptCheckpoint *checkpoints;
} Notes;

/* False, and why, for what is no key of that type, or the key of a witness a second time. */
extern bool notes_add_key(Notes *notes, const char *vkey, const char **reason);
extern bool notes_add_witness(Notes *notes, const char *vkey, const char **reason);

/* False, and why in *error, allocated, if the file cannot be read. */
extern bool notes_add_checkpoint(Notes *notes, const char *file, char **error);

/* Judge the checkpoints: whatever is not believed is a finding. */
extern void notes_judge(Notes *notes, Report *report);

/* Believed checkpoints that no chain was compared with are findings. */
extern void notes_report_unused(const Notes *notes, Report *report);

#endif							/* ANSHIM_BIN_NOTES_H */
