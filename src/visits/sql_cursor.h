/*-------------------------------------------------------------------------
 *
 * sql_cursor.h
 *	  Cursors on statements that ask about many keys (inside src/visits only)
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#ifndef ANSHIM_SQL_CURSOR_H
#define ANSHIM_SQL_CURSOR_H

#include "utils/portal.h"

#include "sql_statement.h"

/*
 * Plan the statement, and open a cursor on it, by SPI; NULL if it has branches
 * that postgres_fdw cannot ask about lists.  Raises what planning and opening
 * raise.
 */
extern Portal sql_cursor_open(const SqlStatement *statement);

#endif							/* ANSHIM_SQL_CURSOR_H */
