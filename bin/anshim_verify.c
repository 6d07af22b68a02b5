/*-------------------------------------------------------------------------
 *
 * anshim_verify.c
 *	  Verify chained tables from outside of the server
 *
 * Reads the rows and the log over a connection, or from files that were
 * exported, recomputes everything, and compares checkpoints that were kept
 * elsewhere.  Nothing that the server computes is believed.
 *
 * Exit status: 0 all is intact, 1 there are findings, 2 not all could be
 * checked.  A library that ends the program on its own makes that a 2 as well.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/logging.h"
#include "getopt_long.h"

#include "check.h"

#define EXIT_INTACT 0
#define EXIT_FINDINGS 1
#define EXIT_UNCHECKED 2

#define SOURCES_MAX 1000

typedef struct Target
{
	const char *text;			/* as it was given */
	char	   *schema;			/* NULL: any */
	char	   *table;
	int			found;
} Target;

typedef struct Options
{
	const char *databases[SOURCES_MAX];
	int			ndatabases;
	const char *folders[SOURCES_MAX];
	int			nfolders;
	ConnectOptions connect;
	const char *export;
	int64		known_events;
	int			quorum;			/* -1: not given */
	int			ntargets;
	Target	   *targets;
} Options;

static const char *progname;
static bool ended;				/* by ourselves */

static void usage_error(const char *format,...) pg_attribute_printf(1, 2);

static void
finish(int status)
{
	/* what was to be said has to have arrived */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status != EXIT_UNCHECKED)
	{
		pg_log_error("could not write the findings: %m");
		status = EXIT_UNCHECKED;
	}
	ended = true;
	exit(status);
}

/* libpgcommon ends a program with 1 if there is no memory left: that is no finding. */
static void
at_exit(void)
{
	fflush(stdout);
	if (!ended)
		_exit(EXIT_UNCHECKED);
}

static void
help(void)
{
	printf("%s verifies chained tables of PostgreSQL databases from outside of the server.\n\n", progname);
	printf("Usage:\n");
	printf("  %s [OPTION]... [TABLE]...\n\n", progname);
	printf("It verifies these tables, or all that are chained.\n");
	printf("\nCheckpoints and keys:\n");
	printf("  -c, --checkpoint=FILE     compare this checkpoint, which was kept elsewhere (repeatable)\n");
	printf("  -k, --key=VKEY            believe checkpoints that this key has signed (repeatable)\n");
	printf("      --witness=VKEY        believe cosignatures of this key (repeatable)\n");
	printf("      --quorum=NUMBER       demand so many cosignatures; default: of all witnesses\n");
	printf("      --known-events=SEQ    events up to this one were looked into\n");
	printf("\nFiles:\n");
	printf("      --export=DIRECTORY    write everything into files there, and verify nothing\n");
	printf("      --files=DIRECTORY     verify such files, without a server (repeatable)\n");
	printf("\nOutput:\n");
	printf("      --json                print an object a line, the summary too\n");
	printf("  -q, --quiet               print findings alone\n");
	printf("  -V, --version             output version information, then exit\n");
	printf("  -?, --help                show this help, then exit\n");
	printf("\nConnection options:\n");
	printf("  -d, --dbname=CONNSTR      database, or connection string (repeatable)\n");
	printf("  -h, --host=HOSTNAME       database server host or socket directory\n");
	printf("  -p, --port=PORT           database server port number\n");
	printf("  -U, --username=NAME       connect as specified database user\n");
	printf("  -w, --no-password         never prompt for password\n");
	printf("  -W, --password            force password prompt\n");
	printf("\nExit status: 0 intact, 1 findings, 2 not all could be checked.\n");
}

static void
usage_error(const char *format,...)
{
	char		message[1024];
	va_list		args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	pg_log_error("%s", message);
	pg_log_error_hint("Try \"%s --help\" for more information.", progname);
	finish(EXIT_UNCHECKED);
}

static int64
read_number(const char *option, const char *str, int64 minimum, int64 maximum)
{
	char	   *end;
	long long	number;

	errno = 0;
	number = strtoll(str, &end, 10);
	if (errno != 0 || end == str || *end != '\0' || number < minimum || number > maximum)
		usage_error("invalid value \"%s\" for option %s", str, option);
	return number;
}

/*
 * Tables
 */

/* One part of a name: as it stands between quotes, in lower case without. */
static bool
read_part(const char **str, char *part)
{
	const char *s = *str;

	if (*s == '"')
	{
		for (s++; *s != '\0'; s++)
		{
			if (*s == '"' && *++s != '"')
				break;
			*part++ = *s;
		}
		if (s[-1] != '"')
			return false;
	}
	else
	{
		for (; *s != '\0' && *s != '.'; s++)
			*part++ = pg_tolower((unsigned char) *s);
	}
	*part = '\0';
	*str = s;
	return true;
}

static void
add_target(Options *options, const char *str)
{
	const char *s = str;
	char	   *first = pg_malloc(strlen(str) + 1);
	char	   *second = pg_malloc(strlen(str) + 1);
	bool		good = read_part(&s, first);
	bool		two = good && *s == '.';
	Target	   *target;

	if (two)
	{
		s++;
		good = read_part(&s, second) && second[0] != '\0';
	}
	if (!good || *s != '\0' || first[0] == '\0')
		usage_error("invalid name of a table: %s", str);
	options->targets = pg_realloc(options->targets, (options->ntargets + 1) * sizeof(Target));
	target = &options->targets[options->ntargets++];
	memset(target, 0, sizeof(*target));
	target->text = str;
	target->schema = two ? first : NULL;
	target->table = two ? second : first;
	if (!two)
		pg_free(second);
}

static bool
is_wanted(Options *options, const Catalog *catalog)
{
	bool		wanted = options->ntargets == 0;

	for (int i = 0; i < options->ntargets; i++)
	{
		Target	   *target = &options->targets[i];

		if (strcmp(target->table, catalog->table) != 0 ||
			(target->schema != NULL && strcmp(target->schema, catalog->schema) != 0))
			continue;
		target->found++;
		wanted = true;
	}
	return wanted;
}

/*
 * Sources
 */

/* Do what was asked for with one chain, if it is wanted at all. */
static bool
do_chain(Source *source, const char *chain, Options *options, Notes *notes, Report *report, int *nchains)
{
	Catalog		catalog;
	bool		good = catalog_read_chain(source, chain, &catalog);
	bool		wanted = good && is_wanted(options, &catalog);
	char	   *name = good ? quoted_name(catalog.schema, catalog.table) : NULL;
	int64		bytes = 0;

	catalog_free(&catalog);
	*nchains += wanted;
	if (wanted && options->export == NULL)
		good = check_chain(source, chain, notes, options->known_events, report);
	else if (wanted)
	{
		good = export_chain(source, chain, options->export, &bytes);
		if (good && !report->quiet)
			pg_log_info("exported %s, " INT64_FORMAT " bytes, to %s/%s", name, bytes, options->export, chain);
	}
	pg_free(name);
	return good;
}

/* All chains of a source.  False if not all could be done. */
static bool
do_source(Source *source, Options *options, Notes *notes, Report *report, int *nchains)
{
	char	  **chains = NULL;
	int			n = 0;
	bool		good = source->error == NULL && source->list(source, &chains, &n);

	/* what has gone wrong with a connection once goes wrong again */
	for (int i = 0; i < n && good; i++)
		good = do_chain(source, chains[i], options, notes, report, nchains);
	if (!good)
	{
		report_clear_progress(report);
		pg_log_error("%s: %s", source->name, source->error);
	}
	for (int i = 0; i < n; i++)
		pg_free(chains[i]);
	pg_free(chains);
	return good;
}

/* Everything, source by source.  False if not all could be done. */
static bool
do_all(Options *options, Notes *notes, Report *report)
{
	bool		good = true;
	int			nchains = 0;

	report->show_source = options->ndatabases + options->nfolders > 1;
	for (int i = 0; i < options->ndatabases + options->nfolders; i++)
	{
		Source	   *source = i < options->ndatabases ?
			source_database(options->databases[i], &options->connect) :
			source_folder(options->folders[i - options->ndatabases]);

		good &= do_source(source, options, notes, report, &nchains);
		source->close(source);
	}
	for (int i = 0; i < options->ntargets && good; i++)
	{
		if (options->targets[i].found > 0)
			continue;
		pg_log_error("there is no chained table %s", options->targets[i].text);
		good = false;
	}
	if (nchains == 0 && good)
	{
		pg_log_error("there are no chained tables");
		good = false;
	}
	return good;
}

/*
 * Options
 */

static void
read_options(int argc, char **argv, Options *options, Notes *notes, Report *report)
{
	static struct option long_options[] = {
		{"checkpoint", required_argument, NULL, 'c'},
		{"dbname", required_argument, NULL, 'd'},
		{"export", required_argument, NULL, 1},
		{"files", required_argument, NULL, 2},
		{"help", no_argument, NULL, '?'},
		{"host", required_argument, NULL, 'h'},
		{"json", no_argument, NULL, 3},
		{"key", required_argument, NULL, 'k'},
		{"known-events", required_argument, NULL, 4},
		{"no-password", no_argument, NULL, 'w'},
		{"password", no_argument, NULL, 'W'},
		{"port", required_argument, NULL, 'p'},
		{"quiet", no_argument, NULL, 'q'},
		{"quorum", required_argument, NULL, 5},
		{"username", required_argument, NULL, 'U'},
		{"version", no_argument, NULL, 'V'},
		{"witness", required_argument, NULL, 6},
		{NULL, 0, NULL, 0}
	};
	const char *reason;
	char	   *error;
	int			c;

	while ((c = getopt_long(argc, argv, "c:d:h:k:p:qU:wW", long_options, NULL)) != -1)
	{
		switch (c)
		{
			case 'c':
				if (!notes_add_checkpoint(notes, optarg, &error))
				{
					pg_log_error("%s", error);
					finish(EXIT_UNCHECKED);
				}
				break;
			case 'd':
				if (options->ndatabases == SOURCES_MAX)
					usage_error("too many databases");
				options->databases[options->ndatabases++] = optarg;
				break;
			case 'h':
				options->connect.host = optarg;
				break;
			case 'k':
				if (!notes_add_key(notes, optarg, &reason))
					usage_error("invalid key \"%s\": %s", optarg, reason);
				break;
			case 'p':
				options->connect.port = optarg;
				break;
			case 'q':
				report->quiet = true;
				break;
			case 'U':
				options->connect.user = optarg;
				break;
			case 'w':
				options->connect.never_prompt = true;
				break;
			case 'W':
				options->connect.always_prompt = true;
				break;
			case 1:
				options->export = optarg;
				break;
			case 2:
				if (options->nfolders == SOURCES_MAX)
					usage_error("too many directories");
				options->folders[options->nfolders++] = optarg;
				break;
			case 3:
				report->json = true;
				break;
			case 4:
				options->known_events = read_number("--known-events", optarg, 0, PG_INT64_MAX);
				break;
			case 5:
				options->quorum = (int) read_number("--quorum", optarg, 1, PG_INT32_MAX);
				break;
			case 6:
				if (!notes_add_witness(notes, optarg, &reason))
					usage_error("invalid key \"%s\": %s", optarg, reason);
				break;
			default:
				/* getopt_long() has said what is wrong */
				pg_log_error_hint("Try \"%s --help\" for more information.", progname);
				finish(EXIT_UNCHECKED);
		}
	}
	for (; optind < argc; optind++)
		add_target(options, argv[optind]);
}

static void
check_options(Options *options, Notes *notes)
{
	if (notes->ncheckpoints > 0 && notes->nkeys == 0)
		usage_error("a checkpoint needs the key that has signed it: --key");
	if (notes->ncheckpoints == 0 && (notes->nkeys > 0 || notes->nwitnesses > 0))
		usage_error("there is no checkpoint that these keys could have signed: --checkpoint");
	if (options->quorum > notes->nwitnesses)
		usage_error("a quorum of %d needs as many witnesses: --witness", options->quorum);
	notes->quorum = options->quorum > 0 ? options->quorum : notes->nwitnesses;
	if (options->export != NULL && (notes->ncheckpoints > 0 || options->nfolders > 0))
		usage_error("--export verifies nothing, and reads from databases alone");

	if (options->ndatabases + options->nfolders == 0)
		options->databases[options->ndatabases++] = NULL;
}

int
main(int argc, char **argv)
{
	static Options options;
	Notes		notes = {0};
	Report		report = {0};
	bool		good;

	pg_logging_init(argv[0]);
	progname = get_progname(argv[0]);
	atexit(at_exit);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0))
	{
		help();
		finish(EXIT_INTACT);
	}
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
	{
		printf("anshim_verify (anshim) %s\n", ANSHIM_VERSION);
		finish(EXIT_INTACT);
	}
	read_options(argc, argv, &options, &notes, &report);
	check_options(&options, &notes);
	report.show_progress = !report.quiet && isatty(fileno(stderr));

	if (options.export != NULL && mkdir(options.export, 0700) != 0 && errno != EEXIST)
	{
		pg_log_error("could not create directory \"%s\": %m", options.export);
		finish(EXIT_UNCHECKED);
	}
	notes_judge(&notes, &report);
	good = do_all(&options, &notes, &report);
	if (good)
		notes_report_unused(&notes, &report);

	/* what was found is certain, whatever else could not be looked at */
	if (report.findings > 0)
		finish(EXIT_FINDINGS);
	finish(good ? EXIT_INTACT : EXIT_UNCHECKED);
}
