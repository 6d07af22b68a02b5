/*-------------------------------------------------------------------------
 *
 * report.c
 *	  What anshim_verify tells: findings, a summary, how far it is
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <time.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "portability/instr_time.h"
#include "pqexpbuffer.h"

#include "report.h"

#define PROGRESS_INTERVAL 200000	/* microseconds */
#define PROGRESS_WIDTH 30

/* Microseconds since 2000 of 1970, where time_t begins */
#define UNIX_EPOCH (INT64CONST(-946684800) * 1000000)

/*
 * Text of strangers
 */

/* Control characters, those of Unicode among them, are written as \u and four digits. */
static void
append_shown(PQExpBuffer line, const char *str, bool in_json)
{
	while (*str != '\0')
	{
		int			len = pg_encoding_mblen(PG_UTF8, str);
		uint32		c;

		if (pg_encoding_verifymbchar(PG_UTF8, str, strlen(str)) != len)
		{
			appendPQExpBufferStr(line, "\xef\xbf\xbd"); /* the replacement
														 * character */
			str++;
			continue;
		}
		c = utf8_to_unicode((const unsigned char *) str);
		if (in_json && (c == '"' || c == '\\'))
			appendPQExpBufferChar(line, '\\');
		if (c < ' ' || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) ||
			(c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
			appendPQExpBuffer(line, "\\u%04x", c);
		else
			appendBinaryPQExpBuffer(line, str, len);
		str += len;
	}
}

static void
append_member(PQExpBuffer line, const char *name, const char *value)
{
	appendPQExpBuffer(line, ", \"%s\": \"", name);
	append_shown(line, value, true);
	appendPQExpBufferChar(line, '"');
}

static void
append_number(PQExpBuffer line, const char *name, int64 value)
{
	appendPQExpBuffer(line, ", \"%s\": " INT64_FORMAT, name, value);
}

/* Does SQL need quotes around this name?  Rather too often than too seldom. */
static bool
is_plain(const char *name)
{
	size_t		len = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789");

	return len > 0 && name[len] == '\0' && strchr("0123456789", name[0]) == NULL;
}

static void
append_quoted(PQExpBuffer str, const char *name)
{
	bool		plain = is_plain(name);

	if (!plain)
		appendPQExpBufferChar(str, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendPQExpBufferChar(str, '"');
		appendPQExpBufferChar(str, *name);
	}
	if (!plain)
		appendPQExpBufferChar(str, '"');
}

char *
quoted_name(const char *schema, const char *table)
{
	PQExpBufferData str;

	initPQExpBuffer(&str);
	append_quoted(&str, schema);
	appendPQExpBufferChar(&str, '.');
	append_quoted(&str, table);
	return str.data;
}

/*
 * Times
 */

char *
time_text(int64 time)
{
	time_t		seconds = (time - UNIX_EPOCH) / 1000000;
	struct tm	parts;
	char		str[64];

	if (gmtime_r(&seconds, &parts) == NULL ||
		strftime(str, sizeof(str), "%Y-%m-%d %H:%M:%S+00", &parts) == 0)
		return pg_strdup("at no time that there is");
	return pg_strdup(str);
}

char *
span_text(int64 microseconds)
{
	static const struct
	{
		const char *name;
		int64		seconds;
	}			units[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
	int64		seconds = Max(microseconds, 0) / 1000000;
	int			i = 0;
	int64		n;
	int64		rest;
	char	   *str;

	while (i < lengthof(units) - 1 && seconds < units[i].seconds)
		i++;
	n = seconds / units[i].seconds;
	str = psprintf(INT64_FORMAT " %s%s", n, units[i].name, n == 1 ? "" : "s");
	if (i == lengthof(units) - 1)
		return str;
	rest = seconds % units[i].seconds / units[i + 1].seconds;
	if (rest > 0)
	{
		char	   *longer = psprintf("%s " INT64_FORMAT " %s%s", str, rest, units[i + 1].name, rest == 1 ? "" : "s");

		pg_free(str);
		str = longer;
	}
	return str;
}

/*
 * Chains and findings
 */

void
report_begin_chain(Report *report, const char *source, const char *chain,
				   const char *schema, const char *table, int64 total)
{
	report->source = source;
	report->chain = pg_strdup(chain);
	report->table = quoted_name(schema, table);
	report->chain_findings = 0;
	report->total = total;
}

void
report_end_chain(Report *report)
{
	report_clear_progress(report);
	pg_free(report->chain);
	pg_free(report->table);
	report->chain = NULL;
	report->table = NULL;
}

/* Print a line, and be done with it.  The caller sees by ferror() if that failed. */
static void
print_line(Report *report, FILE * stream, PQExpBuffer line)
{
	report_clear_progress(report);
	fprintf(stream, "%s\n", line->data);
	termPQExpBuffer(line);
}

static void
begin_json(Report *report, PQExpBuffer line, const char *kind)
{
	appendPQExpBuffer(line, "{\"kind\": \"%s\"", kind);
	if (report->chain == NULL)
		return;
	append_member(line, "source", report->source);
	append_member(line, "table", report->table);
	append_member(line, "chain", report->chain);
}

/* Which chain a line is about; with its source, where another may have one of the same name */
static void
append_chain(Report *report, PQExpBuffer line)
{
	if (report->show_source)
	{
		append_shown(line, report->source, false);
		appendPQExpBufferStr(line, ": ");
	}
	append_shown(line, report->table, false);
	appendPQExpBufferStr(line, ": ");
}

void
report_finding(Report *report, FindingKind kind, int32 strand, int64 seq, const char *format,...)
{
	char		detail[4096];
	PQExpBufferData line;
	va_list		args;

	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);

	report->findings++;
	report->chain_findings++;
	initPQExpBuffer(&line);
	if (report->json)
	{
		begin_json(report, &line, "finding");
		append_member(&line, "finding", finding_kind_name(kind));
		if (strand != NO_STRAND)
			append_number(&line, "strand", strand);
		if (seq != NO_SEQ)
			append_number(&line, "seq", seq);
		append_member(&line, "detail", detail);
		appendPQExpBufferChar(&line, '}');
	}
	else
	{
		if (report->chain != NULL)
			append_chain(report, &line);
		appendPQExpBufferStr(&line, finding_kind_name(kind));
		if (strand != NO_STRAND)
			appendPQExpBuffer(&line, ": strand %d", strand);
		if (seq != NO_SEQ)
			appendPQExpBuffer(&line, ", seq " INT64_FORMAT, seq);
		appendPQExpBufferStr(&line, ": ");
		append_shown(&line, detail, false);
	}
	print_line(report, stdout, &line);
}

/*
 * The summary
 */

/* "3 rows", "1 row" */
static const char *
plural(int64 n)
{
	return n == 1 ? "" : "s";
}

static void
begin_summary(Report *report, PQExpBuffer line)
{
	initPQExpBuffer(line);
	append_chain(report, line);
}

void
report_checkpoint(Report *report, const char *file, int64 size, int cosignatures, int64 unproven)
{
	PQExpBufferData line;

	if (report->json)
	{
		initPQExpBuffer(&line);
		begin_json(report, &line, "checkpoint");
		append_member(&line, "file", file);
		append_number(&line, "size", size);
		append_number(&line, "cosignatures", cosignatures);
		append_number(&line, "unproven", unproven);
		appendPQExpBufferChar(&line, '}');
		print_line(report, stdout, &line);
		return;
	}
	if (report->quiet)
		return;
	begin_summary(report, &line);
	append_shown(&line, file, false);
	appendPQExpBuffer(&line, " agrees: a log of " INT64_FORMAT " leaves", size);
	if (cosignatures > 0)
		appendPQExpBuffer(&line, ", with %d cosignature%s", cosignatures, plural(cosignatures));
	if (unproven > 0)
		appendPQExpBuffer(&line, ", if " INT64_FORMAT " leaves near missing rows are left out", unproven);
	print_line(report, stderr, &line);
}

static void
summary_json(Report *report, const Summary *summary)
{
	PQExpBufferData line;

	initPQExpBuffer(&line);
	begin_json(report, &line, "summary");
	append_number(&line, "findings", report->chain_findings);
	append_number(&line, "tables", summary->leaves);
	append_number(&line, "strands", summary->strands);
	append_number(&line, "rows", summary->rows);
	append_number(&line, "events", summary->events);
	append_number(&line, "blocks", summary->blocks);
	append_number(&line, "unsealed", summary->unsealed);
	append_number(&line, "expired", summary->expired);
	if (summary->has_checkpoint)
	{
		char	   *time = time_text(summary->checkpoint_at);

		append_number(&line, "size", summary->size);
		append_member(&line, summary->witnessed ? "cosigned_at" : "sealed_at", time);
		pg_free(time);
	}
	append_number(&line, "unprotected", summary->unprotected);
	appendPQExpBufferChar(&line, '}');
	print_line(report, stdout, &line);
}

static void
summary_rows(Report *report, const Summary *summary)
{
	PQExpBufferData line;

	begin_summary(report, &line);
	appendPQExpBuffer(&line, INT64_FORMAT " row%s in %d table%s or partition%s, " INT64_FORMAT " strand%s, " INT64_FORMAT " block%s",
					  summary->rows, plural(summary->rows), summary->leaves, plural(summary->leaves), plural(summary->leaves),
					  summary->strands, plural(summary->strands), summary->blocks, plural(summary->blocks));
	if (summary->unsealed > 0)
		appendPQExpBuffer(&line, "; " INT64_FORMAT " of the rows not sealed yet", summary->unsealed);
	print_line(report, stderr, &line);

	if (summary->expired > 0)
	{
		char	   *time = time_text(summary->expired_at);

		begin_summary(report, &line);
		appendPQExpBuffer(&line, INT64_FORMAT " row%s expired, the last of them %s", summary->expired, plural(summary->expired), time);
		print_line(report, stderr, &line);
		pg_free(time);
	}
}

/* How much could still be rewritten without anybody noticing? */
static void
summary_window(Report *report, const Summary *summary)
{
	PQExpBufferData line;

	begin_summary(report, &line);
	if (!summary->has_checkpoint)
		appendPQExpBufferStr(&line, "no checkpoint from outside was compared: whoever owns the server could have written all of this just now");
	else if (summary->unprotected > 0)
	{
		char	   *time = time_text(summary->checkpoint_at);
		char	   *span = span_text(summary->now - summary->checkpoint_at);

		appendPQExpBuffer(&line, INT64_FORMAT " row%s came after the newest checkpoint, which was %s %s, %s before: these could still be rewritten unseen",
						  summary->unprotected, plural(summary->unprotected),
						  summary->witnessed ? "cosigned" : "sealed", time, span);
		pg_free(time);
		pg_free(span);
	}
	else
		appendPQExpBufferStr(&line, "all rows are under the newest checkpoint");
	print_line(report, stderr, &line);
}

void
report_summary(Report *report, const Summary *summary)
{
	PQExpBufferData line;

	if (report->json)
	{
		summary_json(report, summary);
		return;
	}
	if (report->quiet)
		return;
	summary_rows(report, summary);
	summary_window(report, summary);
	begin_summary(report, &line);
	if (report->chain_findings == 0)
		appendPQExpBufferStr(&line, "intact");
	else
		appendPQExpBuffer(&line, INT64_FORMAT " finding%s", report->chain_findings, plural(report->chain_findings));
	print_line(report, stderr, &line);
}

/*
 * Progress
 */

static int64
now_microseconds(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

void
report_progress(Report *report, int64 rows)
{
	int64		now;
	int			done;
	char		bar[PROGRESS_WIDTH + 1];

	if (!report->show_progress)
		return;
	now = now_microseconds();
	if (report->printed_at != 0 && now - report->printed_at < PROGRESS_INTERVAL)
		return;
	report->printed_at = now;

	/* what is not sealed yet is not in the total */
	done = report->total > 0 ? (int) (PROGRESS_WIDTH * ((double) Min(rows, report->total) / report->total)) : 0;
	memset(bar, '.', PROGRESS_WIDTH);
	memset(bar, '#', done);
	bar[PROGRESS_WIDTH] = '\0';
	fprintf(stderr, "\r%s %s " INT64_FORMAT " rows\033[K", report->table, bar, rows);
	fflush(stderr);
}

void
report_clear_progress(Report *report)
{
	if (report->printed_at == 0)
		return;
	report->printed_at = 0;
	fprintf(stderr, "\r\033[K");
	fflush(stderr);
}
