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

#define SECRETS_HELD 16

/* The times of a file, as POSIX and as macOS call them */
#ifdef __APPLE__
#define st_mtim st_mtimespec
#define st_ctim st_ctimespec
#endif

/* base64url of 32 bytes, without padding */
#define HMAC_TEXT_LEN 43

typedef struct HeldSecret
{
	char		kid[KEY_KID_MAX_LEN + 1];
	CryptoAlgorithm algorithm;
	char		path[MAXPGPATH];
	struct stat st;
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

/*
 * Is the file that the secret was read from still the same?
 */
static bool
is_unchanged(const HeldSecret *secret)
{
	struct stat st;

	return stat(secret->path, &st) == 0 &&
		st.st_dev == secret->st.st_dev &&
		st.st_ino == secret->st.st_ino &&
		st.st_size == secret->st.st_size &&
		st.st_mode == secret->st.st_mode &&
		st.st_uid == secret->st.st_uid &&
		st.st_mtim.tv_sec == secret->st.st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == secret->st.st_mtim.tv_nsec &&
		st.st_ctim.tv_sec == secret->st.st_ctim.tv_sec &&
		st.st_ctim.tv_nsec == secret->st.st_ctim.tv_nsec;
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
		if (is_unchanged(secret))
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
	const uint8 *in = crypto_secret_data(text_form);
	Size		len = crypto_secret_size(text_form) - 1;
	uint32		bits = 0;
	int			nbits = 0;
	int			used = 0;

	while (len > 0 && (in[len - 1] == '\n' || in[len - 1] == '\r' || in[len - 1] == ' '))
		len--;
	if (len != HMAC_TEXT_LEN)
		return false;
	for (Size i = 0; i < len; i++)
	{
		uint8		c = in[i];
		int			value;

		if (c >= 'A' && c <= 'Z')
			value = c - 'A';
		else if (c >= 'a' && c <= 'z')
			value = c - 'a' + 26;
		else if (c >= '0' && c <= '9')
			value = c - '0' + 52;
		else if (c == '-')
			value = 62;
		else if (c == '_')
			value = 63;
		else
			return false;
		bits = (bits << 6 | value) & 0xffff;
		nbits += 6;
		if (nbits >= 8 && used < CRYPTO_HMAC_KEY_LEN)
		{
			nbits -= 8;
			out[used++] = bits >> nbits & 0xff;
		}
	}
	/* the two bits that are left over */
	return (bits & 3) == 0;
}

static CryptoKey *
hmac_from_file(const char *path, struct stat *st, int elevel)
{
	CryptoSecret *content = secret_file_read(path, st, elevel);
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
				 errdetail("It must hold 32 bytes in base64url: %d characters without padding.",
						   HMAC_TEXT_LEN)));
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
pem_from_file(const char *path, struct stat *st, int elevel)
{
	CryptoSecret *content = secret_file_read(path, st, elevel);
	const char *reason = NULL;
	CryptoKey  *key;

	if (content == NULL)
		return NULL;
	key = crypto_key_from_pem(content, &reason);
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

/*
 * Where the URI names a file, *path and *st become that file's.
 */
static CryptoKey *
key_from_uri_file(char **path, struct stat *st, int elevel)
{
	CryptoSecret *content = secret_file_read(*path, st, elevel);
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
	{
		*path = pstrdup(target);
		key = pem_from_file(*path, st, elevel);
	}
	else if (target != NULL || strchr(uri, ':') == NULL || strpbrk(uri, " \t\r\n") != NULL)
		reason = "The file must hold one URI with its scheme, such as pkcs11: or file: and an absolute path.";
	else
		key = crypto_key_from_uri(content, &reason);
	crypto_secret_free(content);

	if (key == NULL && reason != NULL)
		return report_bad_secret(*path, reason, elevel);
	return key;
}

/*
 * Reads a key's secret from the first of its files that is there.  *path is
 * the file to watch from then on.
 */
static CryptoKey *
read_secret(const char *kid, CryptoAlgorithm algorithm, char **path, struct stat *st, int elevel)
{
	if (!secret_directory_check(elevel))
		return NULL;

	if (algorithm == CRYPTO_HMAC_SHA256)
	{
		*path = secret_file_path(kid, SECRET_HMAC);
		if (stat(*path, st) == 0 || errno != ENOENT)
			return hmac_from_file(*path, st, elevel);
	}
	else
	{
		*path = secret_file_path(kid, SECRET_PEM);
		if (stat(*path, st) == 0 || errno != ENOENT)
			return pem_from_file(*path, st, elevel);
		*path = secret_file_path(kid, SECRET_URI);
		if (stat(*path, st) == 0 || errno != ENOENT)
			return key_from_uri_file(path, st, elevel);
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
	struct stat st;
	CryptoKey  *key;
	char	   *path;

	if (secret != NULL)
	{
		secret->used = ++uses;
		return secret->key;
	}

	key = read_secret(kid, algorithm, &path, &st, elevel);
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
	strlcpy(secret->path, path, sizeof(secret->path));
	secret->algorithm = algorithm;
	secret->st = st;
	secret->key = key;
	secret->used = ++uses;
	pfree(path);
	return key;
}
