/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  The secrets of keys, as this backend holds them
 *
 * A backend keeps the few secrets that it used last, ready to sign: reading
 * one anew for every token would take longer than the signature does.  At
 * each use the file is looked at again, so that one which was replaced,
 * closed or taken away has its effect at once.  A change of any key drops
 * them all.
 *
 * A secret that lies elsewhere than in a file, in an HSM for example, is
 * named by a URI in <kid>.uri.  That is a file, too, and no column of
 * anshim.key, as URIs may hold PINs.  Where it says file:, the file named is
 * held to the same rules.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "key/key.h"
#include "key/secret_file.h"
#include "token/base64url.h"

#define SECRETS_HELD 16

/* The times of a file, as POSIX and as macOS call them */
#ifdef __APPLE__
#define st_mtim st_mtimespec
#define st_ctim st_ctimespec
#endif

#define HMAC_TEXT_LEN BASE64URL_ENCODED_LEN(CRYPTO_HMAC_KEY_LEN)

/* Where a secret was read: in its file, or in one that its .uri file names. */
#define SOURCE_FILES 2

typedef struct SecretSource
{
	int			nfiles;
	char		path[SOURCE_FILES][MAXPGPATH];
	struct stat st[SOURCE_FILES];
} SecretSource;

typedef struct HeldSecret
{
	char		kid[KEY_KID_MAX_LEN + 1];
	CryptoAlgorithm algorithm;
	SecretSource source;
	uint64		used;			/* 0: free */
	CryptoKey  *key;
} HeldSecret;

static HeldSecret held[SECRETS_HELD];
static uint64 uses;

/* Has anshim.key_directory been set since? */
static bool directory_changed;

static void
drop_secret(HeldSecret *secret)
{
	CryptoKey  *key = secret->key;

	secret->used = 0;
	secret->key = NULL;
	if (key != NULL)
		crypto_key_free(key);
}

void
key_secrets_forget(void)
{
	directory_changed = false;
	for (int i = 0; i < SECRETS_HELD; i++)
	{
		if (held[i].used > 0)
			drop_secret(&held[i]);
	}
}

void
key_directory_changed(void)
{
	directory_changed = true;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev &&
		a->st_ino == b->st_ino &&
		a->st_size == b->st_size &&
		a->st_mode == b->st_mode &&
		a->st_uid == b->st_uid &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
		a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
		a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/*
 * Are the files that the secret was read from still the same?
 */
static bool
is_unchanged(const SecretSource *source)
{
	struct stat st;

	for (int i = 0; i < source->nfiles; i++)
	{
		if (stat(source->path[i], &st) != 0 || !is_same_file(&st, &source->st[i]))
			return false;
	}
	return true;
}

/*
 * Reads a file, and notes it as one that the secret comes from.
 */
static CryptoSecret *
read_file(const char *path, SecretSource *source, int elevel)
{
	/* a path too long for this is never found again, so it is read anew */
	strlcpy(source->path[source->nfiles], path, MAXPGPATH);
	return secret_file_read(path, &source->st[source->nfiles++], elevel);
}

static HeldSecret *
find_held(const char *kid, CryptoAlgorithm algorithm)
{
	if (directory_changed)
		key_secrets_forget();
	for (int i = 0; i < SECRETS_HELD; i++)
	{
		HeldSecret *secret = &held[i];

		if (secret->used == 0 || secret->algorithm != algorithm ||
			strcmp(secret->kid, kid) != 0)
			continue;
		if (is_unchanged(&secret->source))
			return secret;
		drop_secret(secret);
	}
	return NULL;
}

/*
 * 32 bytes of base64url, and nothing else but white space at the end.  False
 * says that it is not that.
 */
static bool
decode_hmac(CryptoSecret *text_form, uint8 out[CRYPTO_HMAC_KEY_LEN])
{
	const char *in = (const char *) crypto_secret_data(text_form);
	Size		len = crypto_secret_size(text_form) - 1;

	while (len > 0 && (in[len - 1] == '\n' || in[len - 1] == '\r' || in[len - 1] == ' '))
		len--;
	return len == HMAC_TEXT_LEN && base64url_decode(in, len, out);
}

static CryptoKey *
hmac_from_file(const char *path, SecretSource *source, int elevel)
{
	CryptoSecret *content = read_file(path, source, elevel);
	CryptoSecret *secret;
	CryptoKey  *key = NULL;

	if (content == NULL)
		return NULL;
	secret = crypto_secret_alloc(CRYPTO_HMAC_KEY_LEN);
	if (decode_hmac(content, crypto_secret_data(secret)))
		key = crypto_key_from_hmac(secret);
	else
		ereport(elevel,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("secret key file \"%s\" is not an HMAC key", path),
				 errdetail("It must hold %d bytes in base64url: %d characters without padding.",
						   CRYPTO_HMAC_KEY_LEN, HMAC_TEXT_LEN)));
	crypto_secret_free(secret);
	crypto_secret_free(content);
	return key;
}

static CryptoKey *
report_bad_secret(const char *path, const char *reason, int elevel)
{
	ereport(elevel,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("could not load a secret key from \"%s\"", path),
			 errdetail("%s", reason)));
	return NULL;
}

static CryptoKey *
pem_from_file(const char *path, CryptoAlgorithm algorithm, SecretSource *source, int elevel)
{
	CryptoSecret *content = read_file(path, source, elevel);
	const char *reason = NULL;
	CryptoKey  *key;

	if (content == NULL)
		return NULL;
	key = crypto_key_from_pem(algorithm, content, &reason);
	crypto_secret_free(content);
	if (key == NULL)
		return report_bad_secret(path, reason, elevel);
	return key;
}

/*
 * The path that a file: URI names, or NULL if it is none.  It points into the
 * URI.
 */
static const char *
path_of_file_uri(const char *uri)
{
	if (pg_strncasecmp(uri, "file:", 5) != 0)
		return NULL;
	uri += 5;
	if (strncmp(uri, "//", 2) != 0)
		return uri;
	uri += 2;
	if (pg_strncasecmp(uri, "localhost/", 10) == 0)
		uri += 9;
	return uri;
}

static CryptoKey *
key_from_uri_file(const char *path, CryptoAlgorithm algorithm, SecretSource *source, int elevel)
{
	CryptoSecret *content = read_file(path, source, elevel);
	const char *reason = NULL;
	const char *target;
	CryptoKey  *key = NULL;
	char	   *uri;
	Size		len;

	if (content == NULL)
		return NULL;
	uri = (char *) crypto_secret_data(content);
	len = strlen(uri);
	while (len > 0 && strchr(" \r\n", uri[len - 1]) != NULL)
		uri[--len] = '\0';

	target = path_of_file_uri(uri);
	if (target != NULL && target[0] == '/')
		key = pem_from_file(target, algorithm, source, elevel);
	else if (target != NULL || strchr(uri, ':') == NULL || strpbrk(uri, " \t\r\n") != NULL)
		reason = "The file must hold one URI with its scheme, such as pkcs11: or file: and an absolute path.";
	else
		key = crypto_key_from_uri(algorithm, content, &reason);
	crypto_secret_free(content);

	if (key == NULL && reason != NULL)
		return report_bad_secret(path, reason, elevel);
	return key;
}

/*
 * Is there anything of this name, be it a link to nowhere?
 */
static bool
file_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 || errno != ENOENT;
}

/*
 * Reads a key's secret from the first of its files that is there.
 */
static CryptoKey *
read_secret(const char *kid, CryptoAlgorithm algorithm, SecretSource *source, int elevel)
{
	char	   *path;

	source->nfiles = 0;
	if (!secret_directory_check(elevel))
		return NULL;

	if (algorithm == CRYPTO_HMAC_SHA256)
	{
		path = secret_file_path(kid, SECRET_HMAC);
		if (file_exists(path))
			return hmac_from_file(path, source, elevel);
	}
	else
	{
		path = secret_file_path(kid, SECRET_PEM);
		if (file_exists(path))
			return pem_from_file(path, algorithm, source, elevel);
		path = secret_file_path(kid, SECRET_URI);
		if (file_exists(path))
			return key_from_uri_file(path, algorithm, source, elevel);
	}

	ereport(elevel,
			(errcode(ERRCODE_UNDEFINED_FILE),
			 errmsg("the secret of key \"%s\" is not on this server", kid),
			 algorithm == CRYPTO_HMAC_SHA256 ?
			 errdetail("There is no file \"%s.hmac\" in \"%s\".", kid, anshim_key_directory) :
			 errdetail("There is neither a file \"%s.pem\" nor \"%s.uri\" in \"%s\".",
					   kid, kid, anshim_key_directory),
			 errhint("Secrets do not travel with dumps and replicas: bring the file from the "
					 "server that has it, or generate a new key.")));
	return NULL;
}

CryptoKey *
key_secret(const char *kid, CryptoAlgorithm algorithm, int elevel)
{
	HeldSecret *secret = find_held(kid, algorithm);
	SecretSource source;
	CryptoKey  *key;

	if (secret != NULL)
	{
		secret->used = ++uses;
		return secret->key;
	}

	key = read_secret(kid, algorithm, &source, elevel);
	if (key == NULL)
		return NULL;

	/* in the place of the one that was not used for longest */
	secret = &held[0];
	for (int i = 1; i < SECRETS_HELD; i++)
	{
		if (held[i].used < secret->used)
			secret = &held[i];
	}
	if (secret->used > 0)
		drop_secret(secret);
	crypto_key_keep(key);
	strlcpy(secret->kid, kid, sizeof(secret->kid));
	secret->algorithm = algorithm;
	secret->source = source;
	secret->key = key;
	secret->used = ++uses;
	return key;
}
