/*-------------------------------------------------------------------------
 *
 * trace_fuzz.c
 *	  Fuzz target: traces over logs that are made up
 *
 * The engine of src/exposure knows visits only through visits/source.h.  Here
 * a source stands behind that which has a handful of visits in an array, and
 * gives what a source may give: in batches of any size, in two parts, together
 * with visits that nobody asked for.  What must hold, besides that no sanitizer
 * complains and nothing is left allocated:
 *
 *	- who is reached, when, at which degree, by whom and where is what the
 *	  oracle says, and if details are wanted how often and how long she met them;
 *	- the records of each who is reached are a path from a case, each hop of
 *	  which holds by itself;
 *	- questions are what a source may count on;
 *	- with too little memory, a trace raises the error for that, or none.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"

#include "exposure/encounters.h"
#include "exposure/minutes.h"
#include "exposure/stats.h"
#include "fuzz.h"
#include "server.h"
#include "trace_oracle.h"

/* The far ends of what a timestamptz can be, and room there for a log. */
#define FAR_ROOM 1024

typedef struct Input
{
	OracleQuestion question;
	TraceRules	rules;
	int64		base;			/* all times are near this one */
	bool		unasked;		/* give visits that nobody asked for */
	bool		parts;			/* the log is in two parts */
	int			batch;			/* visits given at once */
	VisitLog	log;
	Trace	   *trace;
} Input;

static Input input;

int			anshim_max_memory;

/*
 * A source of visits
 */

static Ident
ident_of(int number)
{
	Ident		ident = {number, 0};

	return ident;
}

/* Gives visits to a sink. */
typedef struct Batch
{
	VisitSink	sink;
	void	   *arg;
	int			n;
	Visit		visits[VISITS_MAX];
} Batch;

static void
flush_batch(Batch *batch)
{
	if (batch->n > 0)
	{
		/* exactly as much memory, and no longer than the sink may use it */
		Visit	   *visits = palloc(batch->n * sizeof(Visit));

		memcpy(visits, batch->visits, batch->n * sizeof(Visit));
		batch->sink(batch->arg, visits, batch->n);
		pfree(visits);
	}
	batch->n = 0;
}

static void
give_visit(Batch *batch, int other, Stretch stay, int32 tag)
{
	Visit	   *visit = &batch->visits[batch->n++];

	visit->other = ident_of(other);
	visit->start = (int64) stay.from;
	visit->end = (int64) stay.to;
	visit->tag = tag;
	if (batch->n >= input.batch)
		flush_batch(batch);
}

static Moment
bound(int64 time)
{
	return time == PG_INT64_MIN || time == TIME_MIN ? -FOREVER :
		time == PG_INT64_MAX ? FOREVER : time;
}

static void
visits_of_subjects(VisitSource *source, const SubjectQuestion *questions, int n,
				   VisitSink sink, void *arg)
{
	Batch		batch = {sink, arg, 0};

	for (int part = 0; part <= input.parts; part++)
		for (int i = 0; i < n; i++)
		{
			const SubjectQuestion *question = &questions[i];

			MUST(question->subject.hi < SUBJECTS);
			MUST(question->from < question->to);
			MUST(i == 0 || questions[i - 1].subject.hi < question->subject.hi);
			for (int j = 0; j < input.question.nvisits; j++)
			{
				const OracleVisit *visit = &input.question.visits[j];

				if (visit->subject == question->subject.hi && (!input.parts || j % 2 == part) &&
					(input.unasked || (visit->stay.from < bound(question->to) &&
									   visit->stay.to > bound(question->from))))
					give_visit(&batch, visit->venue, visit->stay, i);
			}
		}
	flush_batch(&batch);
}

/* Is the visit among the answers to one of the n questions with this tag? */
static bool
is_asked_for(const VenueQuestion *questions, int n, const OracleVisit *visit)
{
	for (int i = 0; i < n; i++)
	{
		const VenueQuestion *question = &questions[i];

		if (visit->venue == question->venue.hi && visit->stay.from < bound(question->to) &&
			(visit->stay.from >= bound(question->from) ||
			 (question->under_way && visit->stay.to > bound(question->from))))
			return true;
	}
	return false;
}

static void
visits_at_venues(VisitSource *source, const VenueQuestion *questions, int n,
				 VisitSink sink, void *arg)
{
	Batch		batch = {sink, arg, 0};

	for (int i = 0; i < n; i++)
	{
		const VenueQuestion *before = &questions[i - 1];

		MUST(questions[i].venue.hi < VENUES);
		MUST(questions[i].from <= questions[i].to);
		MUST(i == 0 || before->venue.hi <= questions[i].venue.hi);
		MUST(i == 0 || before->venue.hi < questions[i].venue.hi || before->to <= questions[i].from);
	}
	for (int part = 0; part <= input.parts; part++)
	{
		int			same;

		for (int i = 0; i < n; i += same)
		{
			for (same = 1; i + same < n && questions[i + same].tag == questions[i].tag;)
				same++;
			for (int j = 0; j < input.question.nvisits; j++)
			{
				const OracleVisit *visit = &input.question.visits[j];

				if (visit->venue == questions[i].venue.hi && (!input.parts || j % 2 == part) &&
					(input.unasked || is_asked_for(questions + i, same, visit)))
					give_visit(&batch, visit->subject, visit->stay, questions[i].tag);
			}
		}
	}
	flush_batch(&batch);
}

static void
close_source(VisitSource *source)
{
}

VisitSource *
visit_source_create(Memory *memory, const VisitLog *log)
{
	VisitSource *source = memory_alloc_zero(memory, 1, sizeof(VisitSource));

	source->log = log;
	source->visits_of_subjects = visits_of_subjects;
	source->visits_at_venues = visits_at_venues;
	source->close = close_source;
	return source;
}

void
visit_log_close(VisitLog *log)
{
}

/*
 * What a trace needs besides
 */

struct Proximity
{
	Memory	   *memory;
};

Proximity *
proximity_open(Memory *memory, const VisitLog *log, double within)
{
	Proximity  *proximity = memory_alloc(memory, 1, sizeof(Proximity));

	proximity->memory = memory;
	return proximity;
}

int
proximity_neighbours(Proximity *proximity, const Ident *venues, int n, Neighbour **neighbours)
{
	Neighbour  *found = memory_alloc(proximity->memory, n * VENUES, sizeof(Neighbour));
	int			nfound = 0;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < VENUES; j++)
			if (venues[i].hi != j && input.question.near[venues[i].hi][j])
			{
				found[nfound].venue = i;
				found[nfound].other = ident_of(j);
				found[nfound++].metres = 1;
			}
	*neighbours = found;
	return nfound;
}

void
proximity_close(Proximity *proximity)
{
}

void
stats_begin(void)
{
}

void
stats_level(const LevelStats *level)
{
	MUST(level->reached >= 0 && level->stretches >= 0 && level->pieces >= 0);
}

/*
 * Reading the input
 */

/* Lengths are short, or so long that sums of them exceed all time. */
static int64
read_length(FuzzBytes *bytes)
{
	int			byte = fuzz_byte(bytes);

	return byte == 255 ? PG_INT64_MAX : byte == 254 ? PG_INT64_MAX / 2 + 1 : byte / 2;
}

/* A time of a trace, perhaps an infinite one. */
static int64
read_time(FuzzBytes *bytes)
{
	int			byte = fuzz_byte(bytes);

	return byte == 255 ? TIME_MAX : byte == 254 ? TIME_MIN : input.base + byte;
}

static Span
read_span(FuzzBytes *bytes)
{
	Span		span;

	span.from = read_time(bytes);
	span.to = read_time(bytes);
	return span;
}

static Stretch
stretch_of(Span span)
{
	Stretch		stretch = {bound(span.from), bound(span.to)};

	return stretch;
}

static int
compare_visits(const void *a, const void *b)
{
	const OracleVisit *one = a;
	const OracleVisit *other = b;

	if (one->stay.from != other->stay.from)
		return one->stay.from < other->stay.from ? -1 : 1;
	if (one->venue != other->venue)
		return one->venue - other->venue;
	return one->subject - other->subject;
}

/* Visits, by time of entry: no two with the same subject, venue and beginning. */
static void
read_visits(FuzzBytes *bytes, OracleQuestion *question)
{
	int			n = 0;

	while (bytes->left > 0 && question->nvisits < VISITS_MAX)
	{
		OracleVisit *visit = &question->visits[question->nvisits++];
		int			who = fuzz_byte(bytes);

		visit->subject = who % SUBJECTS;
		visit->venue = who / SUBJECTS % VENUES;
		visit->stay.from = input.base + fuzz_byte(bytes);
		visit->stay.to = visit->stay.from + 1 + fuzz_byte(bytes) / 2;
	}
	qsort(question->visits, question->nvisits, sizeof(OracleVisit), compare_visits);
	for (int i = 0; i < question->nvisits; i++)
		if (n == 0 || compare_visits(&question->visits[n - 1], &question->visits[i]) != 0)
			question->visits[n++] = question->visits[i];
	question->nvisits = n;
}

static void
read_rules(FuzzBytes *bytes, int flags, OracleQuestion *question, TraceRules *rules)
{
	int			ratio;

	question->backward = rules->backward = flags & 1;
	question->degrees = rules->degrees = 1 + fuzz_byte(bytes) % DEGREES_MAX;
	question->linger = rules->linger = read_length(bytes);
	question->min_overlap = read_length(bytes);
	question->latent = rules->latent = read_length(bytes);
	rules->infectious_for = flags & 2 ? read_length(bytes) : TIME_MAX;
	question->infectious_for = bound(rules->infectious_for);
	ratio = fuzz_byte(bytes);
	question->linger_ratio = rules->linger_ratio = flags & 4 ? ratio / 32.0 : -1;

	rules->need = Max((int64) question->min_overlap, 1);
	if (flags & 8)
	{
		rules->window = read_length(bytes);
		rules->window = Max(rules->window, rules->need);
		rules->least_sum = rules->need;
		rules->need = 1;
		question->accumulate = rules->window;
	}
	rules->details = !rules->backward && rules->window == 0;
	question->min_overlap = Max(question->min_overlap, 1);
}

static void
read_input(FuzzBytes *bytes)
{
	static const int64 bases[] = {0, 669600000000000, MIN_TIMESTAMP, END_TIMESTAMP - FAR_ROOM};
	OracleQuestion *question = &input.question;
	TraceRules *rules = &input.rules;
	int			flags = fuzz_byte(bytes);
	int			more = fuzz_byte(bytes);
	int			near;
	int			pair = 0;
	Span		during;
	int64		limit;

	memset(&input, 0, sizeof(input));
	input.base = bases[more % 4];
	input.unasked = (more & 4) != 0;
	input.parts = (more & 8) != 0;
	input.batch = 1 + (more >> 5) * 3;
	anshim_max_memory = flags & 0x80 ? 64 + more : 1024 * 1024;
	read_rules(bytes, flags, question, rules);

	near = flags & 16 ? fuzz_byte(bytes) : 0;
	rules->within = near != 0 ? 1 : 0;
	for (int i = 0; i < VENUES; i++)
	{
		question->near[i][i] = true;
		for (int j = 0; j < i; j++, pair++)
			question->near[i][j] = question->near[j][i] = (near & (1 << pair)) != 0;
	}

	during = read_span(bytes);
	if (span_is_empty(during))
	{
		during.from = input.base;
		during.to = input.base + 254;
	}
	limit = read_time(bytes);
	if ((flags & 32) == 0)
		limit = rules->backward ? during.from : during.to;
	question->limit = bound(limit);
	rules->horizon = rules->backward ? -limit : limit;

	question->ncases = 1 + (more >> 4) % 2 + fuzz_byte(bytes) % 4;
	for (int i = 0; i < question->ncases; i++)
	{
		question->cases[i] = fuzz_byte(bytes) % SUBJECTS;
		question->periods[i] = stretch_of(flags & 64 ? span_intersect(read_span(bytes), during) : during);
	}
	read_visits(bytes, question);
}

/*
 * The trace and what it must have found
 */

static int64
time_of(Moment moment)
{
	return moment == FOREVER ? TIME_MAX : moment == -FOREVER ? TIME_MIN : (int64) moment;
}

static void
run_trace(void *arg)
{
	const OracleQuestion *question = &input.question;
	Trace	   *trace = input.trace = trace_begin(&input.log, &input.rules);

	for (int i = 0; i < question->ncases; i++)
	{
		Span		period = {time_of(question->periods[i].from), time_of(question->periods[i].to)};

		trace_add_case(trace, ident_of(question->cases[i]),
					   question->backward ? span_mirror(period) : period);
	}
	trace_run(trace);
}

static Moment
record_time(const Record *record)
{
	return input.question.backward ? -(Moment) record->time : record->time;
}

/* Follow the subject's records to a case. */
static void
check_path(const Trace *trace, int32 number)
{
	int			steps = 0;

	while (number >= 0)
	{
		const Record *record = trace_record(trace, number);
		Moment		since = 0;

		MUST(++steps <= input.question.degrees);
		MUST(record->via_record < number);
		if (record->via_record >= 0)
		{
			const Record *infector = trace_record(trace, record->via_record);

			MUST(infector->subject == record->via);
			since = record_time(infector);
		}
		else
			MUST(trace_subject(trace, record->via)->time == TIME_MIN);
		MUST(oracle_hop(&input.question, trace_subject(trace, record->via)->ident.hi,
						record->via_record >= 0 ? &since : NULL,
						trace_subject(trace, record->subject)->ident.hi,
						trace_venue(trace, record->venue)->ident.hi, record_time(record)));
		number = record->via_record;
	}
}

/* Say what was asked and found: FUZZ_SHOW=1 trace_fuzz INPUT */
static void
show(const Trace *trace, const OracleAnswer *answers)
{
	const OracleQuestion *question = &input.question;
	const TraceRules *rules = &input.rules;

	printf("%s, %d degrees, limit " INT64_FORMAT ", linger " INT64_FORMAT ", ratio %g, min_overlap " INT64_FORMAT
		   ", latent " INT64_FORMAT ", infectious_for " INT64_FORMAT ", accumulate " INT64_FORMAT "\n",
		   rules->backward ? "backwards" : "forwards", rules->degrees,
		   rules->backward ? -rules->horizon - input.base : rules->horizon - input.base,
		   rules->linger, rules->linger_ratio, (int64) question->min_overlap,
		   rules->latent, rules->infectious_for, rules->window);
	for (int i = 0; i < question->ncases; i++)
		printf("case %d [" INT64_FORMAT ", " INT64_FORMAT ")\n", question->cases[i],
			   time_of(question->periods[i].from - input.base), time_of(question->periods[i].to - input.base));
	for (int i = 0; i < question->nvisits; i++)
		printf("visit of %d at %d [" INT64_FORMAT ", " INT64_FORMAT ")\n", question->visits[i].subject,
			   question->visits[i].venue, (int64) (question->visits[i].stay.from - input.base),
			   (int64) (question->visits[i].stay.to - input.base));
	for (int i = 0; i < SUBJECTS; i++)
		if (answers[i].reached)
			printf("oracle: %d at " INT64_FORMAT " degree %d via %d venue %d\n", i,
				   (int64) (answers[i].time - input.base), answers[i].degree, answers[i].via, answers[i].venue);
	for (int64 i = 0; i < trace->records.n; i++)
	{
		const Record *record = trace_record(trace, i);

		printf("record " INT64_FORMAT ": %d at " INT64_FORMAT " via %d (record %d) venue %d\n", i,
			   (int) trace_subject(trace, record->subject)->ident.hi,
			   (int64) (record_time(record) - input.base),
			   (int) trace_subject(trace, record->via)->ident.hi, record->via_record,
			   (int) trace_venue(trace, record->venue)->ident.hi);
	}
	fflush(stdout);
}

static void
check_trace(const Trace *trace)
{
	OracleAnswer answers[SUBJECTS];
	int			nanswers = 0;

	oracle_trace(&input.question, answers);
	if (getenv("FUZZ_SHOW"))
		show(trace, answers);
	for (int i = 0; i < SUBJECTS; i++)
		nanswers += answers[i].reached;
	for (int32 i = 0; i < ident_table_size(trace->subjects); i++)
	{
		const Subject *subject = trace_subject(trace, i);
		const OracleAnswer *answer = &answers[subject->ident.hi];
		const Record *record;

		if (subject->record < 0)
			continue;
		record = trace_record(trace, subject->record);
		MUST(answer->reached);
		nanswers--;
		MUST(record_time(record) == answer->time);
		MUST(subject->degree == answer->degree);
		MUST(trace_subject(trace, record->via)->ident.hi == answer->via);
		MUST(trace_venue(trace, record->venue)->ident.hi == answer->venue);
		if (input.rules.details)
		{
			Tally		tally = encounters_of(trace, i);

			MUST(tally.encounters == answer->encounters);
			MUST(tally.together == answer->together);
		}
		check_path(trace, subject->record);
	}
	MUST(nanswers == 0);
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	FuzzBytes	bytes = {data, size};
	Memory	   *outer = NULL;

	read_input(&bytes);
	input.log.subject.typid = input.log.venue.typid = INT8OID;
	input.log.subject.class = input.log.venue.class = IDENT_FIXED;
	server_begin();

	/* A trace within another does without the room that a backend keeps. */
	if (size % 16 == 0)
		outer = memory_create("outer");
	if (server_try(run_trace, NULL))
	{
		check_trace(input.trace);
		trace_end(input.trace);
		if (outer)
			memory_delete(outer);
	}
	else
	{
		MUST(server_errcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED);
		MUST(anshim_max_memory < 1024);
	}
	server_end();
	return 0;
}
