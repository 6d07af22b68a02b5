/*-------------------------------------------------------------------------
 *
 * qr.c
 *	  QR codes of tokens, with libqrencode
 *
 * Tokens are written in the symbol's alphanumeric mode, which is what their
 * text form is for: 5.5 bits a character.
 *
 * No error can be raised while libqrencode holds memory: qr_encode() calls
 * nothing of the server's between the library's first allocation and its
 * last release, so there is nothing that an error could leak.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <qrencode.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "token/qr.h"

/*
 * Fills `qr`, which is all that is kept of the library's work; 0 or an errno.
 * Must not raise errors, nor call what might.
 */
static int
qr_encode(const char *chars, size_t len, QrSymbol *qr)
{
	QRinput    *input;
	QRcode	   *code = NULL;
	int			result = 0;

	/* version 0: the smallest that holds the text */
	input = QRinput_new2(0, QR_ECLEVEL_M);
	if (input == NULL)
		return errno;

	if (QRinput_append(input, QR_MODE_AN, (int) len,
					   (const unsigned char *) chars) < 0 ||
		(code = QRcode_encodeInput(input)) == NULL)
		result = errno;
	else
	{
		qr->width = code->width;
		for (int i = 0; i < code->width * code->width; i++)
			qr->dark[i] = (code->data[i] & 1) != 0;
	}

	QRcode_free(code);
	QRinput_free(input);
	return result;
}

QrSymbol *
qr_of_token(const Token *token)
{
	QrSymbol   *qr = palloc(sizeof(QrSymbol));
	size_t		len;
	char	   *chars = token_text(token, &len);
	int			error;

	errno = 0;
	error = qr_encode(chars, len, qr);
	pfree(chars);

	if (error == ERANGE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("token is too long for a QR code"),
				 errdetail("The token's text has %zu characters; a QR code with error correction level M holds 3391.",
						   len)));
	if (error == ENOMEM)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed while making a QR code.")));
	if (error != 0)
		elog(ERROR, "could not make a QR code: %s", strerror(error));
	return qr;
}

bool
qr_is_dark(const QrSymbol *qr, int x, int y)
{
	x -= QR_QUIET_ZONE;
	y -= QR_QUIET_ZONE;
	return x >= 0 && x < qr->width && y >= 0 && y < qr->width &&
		qr->dark[y * qr->width + x];
}

/*
 * Two rows of modules a line.  Terminals mostly write light on dark, so light
 * modules are drawn and dark ones left out, unless asked for the inverse.
 */
void
qr_append_blocks(StringInfo buf, const QrSymbol *qr, bool inverse)
{
	static const char *const blocks[2][2] = {
		{" ", "\xe2\x96\x84"},	/* nothing, lower half */
		{"\xe2\x96\x80", "\xe2\x96\x88"}	/* upper half, full block */
	};
	int			width = qr->width + 2 * QR_QUIET_ZONE;

	for (int y = 0; y < width; y += 2)
	{
		if (y > 0)
			appendStringInfoChar(buf, '\n');
		for (int x = 0; x < width; x++)
		{
			bool		upper = qr_is_dark(qr, x, y) == inverse;
			bool		lower = y + 1 < width &&
				qr_is_dark(qr, x, y + 1) == inverse;

			appendStringInfoString(buf, blocks[upper][lower]);
		}
	}
}

/* Dark modules that touch in a row are one rectangle of the path. */
void
qr_append_svg(StringInfo buf, const QrSymbol *qr)
{
	int			width = qr->width + 2 * QR_QUIET_ZONE;

	appendStringInfo(buf,
					 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">"
					 "<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/>"
					 "<path d=\"",
					 width, width, width, width);
	for (int y = 0; y < width; y++)
	{
		for (int x = 0; x < width; x++)
		{
			int			begin = x;

			while (qr_is_dark(qr, x, y))
				x++;
			if (x > begin)
				appendStringInfo(buf, "M%d %dh%dv1h-%dz",
								 begin, y, x - begin, x - begin);
		}
	}
	appendStringInfoString(buf, "\"/></svg>");
}

PG_FUNCTION_INFO_V1(anshim_qr);
Datum
anshim_qr(PG_FUNCTION_ARGS)
{
	QrSymbol   *qr;
	StringInfoData buf;

	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a QR code of block characters needs the server encoding UTF8"),
				 errdetail("This database's encoding is %s.",
						   GetDatabaseEncodingName()),
				 errhint("qr_svg() works with every encoding.")));

	qr = qr_of_token(PG_GETARG_TOKEN_PP(0));
	initStringInfo(&buf);
	qr_append_blocks(&buf, qr, PG_GETARG_BOOL(1));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf.data, buf.len));
}

PG_FUNCTION_INFO_V1(anshim_qr_svg);
Datum
anshim_qr_svg(PG_FUNCTION_ARGS)
{
	QrSymbol   *qr = qr_of_token(PG_GETARG_TOKEN_PP(0));
	StringInfoData buf;

	initStringInfo(&buf);
	qr_append_svg(&buf, qr);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf.data, buf.len));
}
