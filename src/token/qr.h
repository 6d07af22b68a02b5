/*-------------------------------------------------------------------------
 *
 * qr.h
 *	  QR codes: the symbol of a text, and ways to draw it
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_QR_H
#define ANSHIM_QR_H

#include "lib/stringinfo.h"

#include "token/token.h"

/* Light modules that a reader needs around a symbol. */
#define QR_QUIET_ZONE 4

/* The largest symbol, version 40, has 177 modules a side. */
#define QR_MAX_WIDTH 177

/* A symbol: width * width modules, row by row, true for dark. */
typedef struct QrSymbol
{
	int			width;
	bool		dark[QR_MAX_WIDTH * QR_MAX_WIDTH];
} QrSymbol;

/*
 * The symbol of a token's text form, at error correction level M, in the
 * current context.  Too long a token raises program_limit_exceeded.
 */
extern QrSymbol *qr_of_token(const Token *token);

/* A module of the symbol with its quiet zone; false outside of it all. */
extern bool qr_is_dark(const QrSymbol *qr, int x, int y);

/* The symbol in half-block characters (UTF-8). */
extern void qr_append_blocks(StringInfo buf, const QrSymbol *qr, bool inverse);

/*
 * The symbol as an <svg> element, quiet zone included, without a size of its
 * own: it fills the viewport that it is put in.
 */
extern void qr_append_svg(StringInfo buf, const QrSymbol *qr);

#endif							/* ANSHIM_QR_H */
