/*-------------------------------------------------------------------------
 *
 * secret_file.h
 *	  Secrets in files below anshim.key_directory
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SECRET_FILE_H
#define ANSHIM_SECRET_FILE_H

#include <sys/stat.h>

#include "crypto/crypto.h"

/* What a file holds, which its name's end says. */
typedef enum SecretFileKind
{
	SECRET_PEM,					/* <kid>.pem: a key pair in PKCS #8 */
	SECRET_URI,					/* <kid>.uri: where OSSL_STORE finds one */
	SECRET_HMAC					/* <kid>.hmac: 32 bytes in base64url */
} SecretFileKind;

/*
 * Checks the directory that anshim.key_directory names.  As all functions
 * with an elevel here: false, or NULL, after a report at that level.
 */
extern bool secret_directory_check(int elevel);

/* The path of a key's file; palloc'd. */
extern char *secret_file_path(const char *kid, SecretFileKind kind);

/*
 * The content of a file that only the server's owner, or root, may change and
 * only the server may read, closed by a NUL that does not count.
 */
extern CryptoSecret *secret_file_read(const char *path, struct stat *st, int elevel);

/*
 * Makes a file of this content, on disk before it returns.  Nothing is ever
 * overwritten.  If the transaction comes to nothing, so does the file.
 */
extern void secret_file_create(const char *kid, SecretFileKind kind,
							   const uint8 *content, Size len);

#endif							/* ANSHIM_SECRET_FILE_H */
