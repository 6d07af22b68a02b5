/*-------------------------------------------------------------------------
 *
 * trace_oracle.c
 *	  A second opinion on who was exposed
 *
 * The definitions of test/oracle/definitions.sql once more, as literally: all
 * pieces are held against all visits, each level starts anew from all that is
 * known, and a trace backwards is not mirrored.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <math.h>

#include "fuzz.h"
#include "trace_oracle.h"

#define SPELLS_MAX (PERIODS_MAX + SUBJECTS * DEGREES_MAX)
#define PIECES_MAX (VISITS_MAX * (PERIODS_MAX + DEGREES_MAX) * 2)
#define MEETINGS_MAX (PIECES_MAX * VISITS_MAX)

/* A visit's part that lies in one infectious interval of its subject. */
typedef struct OraclePiece
{
	int			subject;
	int			venue;
	Stretch		part;
	int			level;			/* the lowest with such a piece */
} OraclePiece;

/* Of a piece and a visit. */
typedef struct Meeting
{
	int			infected;
	int			infector;
	int			venue;			/* the visit's */
	int			level;			/* the piece's */
	Stretch		overlap;
	Moment		time;			/* that counts: it begins, or backwards ends,
								 * then */
	Moment		together;		/* without the air behind the piece */
} Meeting;

typedef struct Spell
{
	int			subject;
	Stretch		spell;
} Spell;

typedef struct Oracle
{
	const OracleQuestion *question;
	OracleAnswer *answers;
	int			nspells;
	Spell		spells[SPELLS_MAX];
	int			npieces;
	OraclePiece pieces[PIECES_MAX];
	int			nmeetings;
	Meeting		meetings[MEETINGS_MAX];
} Oracle;

static bool
is_empty(Stretch stretch)
{
	return stretch.from >= stretch.to;
}

static Stretch
both(Stretch a, Stretch b)
{
	Stretch		stretch = {Max(a.from, b.from), Min(a.to, b.to)};

	return stretch;
}

/* A stay with the time in which its air is infectious still. */
static Stretch
air(const OracleQuestion *question, Stretch stay)
{
	Moment		linger = question->linger;

	if (question->linger_ratio >= 0)
	{
		double		share = rint(question->linger_ratio * (double) (stay.to - stay.from));

		if (share < (double) linger)
			linger = (Moment) share;
	}
	stay.to += linger;
	return stay;
}

bool
oracle_is_case(const OracleQuestion *question, int subject)
{
	for (int i = 0; i < question->ncases; i++)
		if (question->cases[i] == subject)
			return true;
	return false;
}

static void
add_spell(Oracle *oracle, int subject, Stretch spell)
{
	MUST(oracle->nspells < SPELLS_MAX);
	oracle->spells[oracle->nspells].subject = subject;
	oracle->spells[oracle->nspells++].spell = spell;
}

/* The maximal intervals of the cases' periods. */
static void
add_case_spells(Oracle *oracle)
{
	const OracleQuestion *question = oracle->question;

	for (int i = 0; i < question->ncases; i++)
	{
		Spell		new = {question->cases[i], question->periods[i]};
		bool		again = !is_empty(new.spell);

		/* join it with all that it touches, as long as there is any */
		while (again)
		{
			again = false;
			for (int j = 0; j < oracle->nspells; j++)
			{
				Spell	   *old = &oracle->spells[j];

				if (old->subject != new.subject || old->spell.from > new.spell.to ||
					old->spell.to < new.spell.from)
					continue;
				new.spell.from = Min(new.spell.from, old->spell.from);
				new.spell.to = Max(new.spell.to, old->spell.to);
				*old = oracle->spells[--oracle->nspells];
				again = true;
				break;
			}
		}
		if (!is_empty(new.spell))
			add_spell(oracle, new.subject, new.spell);
	}
}

/* When she infects, or backwards could have been infected, who was reached then. */
static Stretch
spell_since(const OracleQuestion *question, Moment reached)
{
	Stretch		spell;

	if (!question->backward)
	{
		spell.from = reached + question->latent;
		spell.to = spell.from + question->infectious_for;
	}
	else
	{
		spell.to = reached - question->latent;
		spell.from = spell.to - question->infectious_for;
	}
	return spell;
}

/* A visit's piece in one spell, which may be empty. */
static Stretch
cut(const OracleQuestion *question, Stretch stay, Stretch spell)
{
	Stretch		piece = both(stay, spell);

	if (!question->backward)
		piece.to = Min(piece.to, question->limit);
	else
		piece.from = Max(piece.from, question->limit);
	return piece;
}

/*
 * The pieces of this level; where minutes add up, those of a lower one are kept
 * as they are.
 */
static void
add_pieces(Oracle *oracle, int level)
{
	const OracleQuestion *question = oracle->question;

	for (int i = 0; i < oracle->nspells; i++)
		for (int j = 0; j < question->nvisits; j++)
		{
			const OracleVisit *visit = &question->visits[j];
			OraclePiece new = {visit->subject, visit->venue,
			cut(question, visit->stay, oracle->spells[i].spell), level};
			bool		known = false;	/* from a lower level */

			if (visit->subject != oracle->spells[i].subject || is_empty(new.part))
				continue;
			for (int k = 0; k < oracle->npieces && question->accumulate > 0 && !known; k++)
			{
				const OraclePiece *old = &oracle->pieces[k];

				known = old->subject == new.subject && old->venue == new.venue &&
					old->part.from == new.part.from && old->part.to == new.part.to;
			}
			if (known)
				continue;
			MUST(oracle->npieces < PIECES_MAX);
			oracle->pieces[oracle->npieces++] = new;
		}
}

/* Does the visit meet the piece in time, if only for a moment? */
static bool
meet(const OracleQuestion *question, const OraclePiece *piece, const OracleVisit *visit,
	 Meeting *meeting)
{
	if (!question->near[piece->venue][visit->venue] || visit->subject == piece->subject ||
		oracle_is_case(question, visit->subject))
		return false;
	meeting->infected = visit->subject;
	meeting->infector = piece->subject;
	meeting->venue = visit->venue;
	meeting->level = piece->level;
	meeting->together = Max(Min(visit->stay.to, piece->part.to) -
							Max(visit->stay.from, piece->part.from), 0);
	if (!question->backward)
	{
		meeting->overlap = both(visit->stay, air(question, piece->part));
		meeting->time = question->accumulate > 0 ? meeting->overlap.from :
			Max(visit->stay.from, piece->part.from);
	}
	else
	{
		meeting->overlap = both(piece->part, air(question, visit->stay));
		meeting->time = question->accumulate > 0 ? Min(visit->stay.to, meeting->overlap.to) :
			Min(visit->stay.to, piece->part.to);
	}
	return !is_empty(meeting->overlap);
}

/* Is this meeting long enough by itself? */
static bool
suffices(const OracleQuestion *question, const Meeting *meeting)
{
	return meeting->overlap.to - meeting->overlap.from >= question->min_overlap;
}

/* Are all of the subject's meetings within the window that this one begins? */
static bool
adds_up(const Oracle *oracle, const Meeting *meeting)
{
	const OracleQuestion *question = oracle->question;
	Stretch		window;
	Moment		total = 0;
	Moment		at;

	window.from = meeting->overlap.from;
	window.to = window.from + question->accumulate;
	if (question->backward)
	{
		window.to = meeting->overlap.to;
		window.from = window.to - question->accumulate;
	}

	/* step from one end of an overlap to the next one that lies further on */
	for (at = window.from; at < window.to;)
	{
		Moment		next = window.to;
		bool		breathes = false;

		for (int i = 0; i < oracle->nmeetings; i++)
		{
			const Meeting *other = &oracle->meetings[i];
			Stretch		part = both(other->overlap, window);

			if (other->infected != meeting->infected || part.to <= at)
				continue;
			if (part.from <= at)
				breathes = true;
			next = Min(next, part.from > at ? part.from : part.to);
		}
		if (breathes)
			total += next - at;
		at = next;
	}
	return total >= question->min_overlap;
}

static bool
in_time(const OracleQuestion *question, Moment time)
{
	return question->backward ? time > question->limit : time < question->limit;
}

/* Does the one count earlier, or backwards later?  0: at the same time. */
static int
compare_times(const OracleQuestion *question, Moment a, Moment b)
{
	int			order = a < b ? -1 : a > b;

	return question->backward ? -order : order;
}

static bool
is_better(const OracleQuestion *question, const Meeting *a, const Meeting *b)
{
	int			order = compare_times(question, a->time, b->time);

	if (order != 0)
		return order < 0;
	if (question->accumulate > 0 && a->level != b->level)
		return a->level < b->level;
	if (a->infector != b->infector)
		return a->infector < b->infector;
	return a->venue < b->venue;
}

/* Count the encounters of one who is reached for the first time. */
static void
count_encounters(const Oracle *oracle, int subject)
{
	OracleAnswer *answer = &oracle->answers[subject];

	for (int i = 0; i < oracle->nmeetings; i++)
	{
		const Meeting *meeting = &oracle->meetings[i];

		if (meeting->infected != subject || !in_time(oracle->question, meeting->time) ||
			!suffices(oracle->question, meeting))
			continue;
		answer->encounters++;
		answer->together += meeting->together;
	}
}

/* One level; false if nobody was reached, or reached earlier. */
static bool
take_level(Oracle *oracle, int level)
{
	const OracleQuestion *question = oracle->question;
	const Meeting *best[SUBJECTS] = {NULL};
	bool		improved = false;

	if (question->accumulate == 0)
		oracle->npieces = 0;
	add_pieces(oracle, level - 1);
	oracle->nmeetings = 0;
	for (int i = 0; i < oracle->npieces; i++)
		for (int j = 0; j < question->nvisits; j++)
		{
			MUST(oracle->nmeetings < MEETINGS_MAX);
			if (meet(question, &oracle->pieces[i], &question->visits[j],
					 &oracle->meetings[oracle->nmeetings]))
				oracle->nmeetings++;
		}
	for (int i = 0; i < oracle->nmeetings; i++)
	{
		const Meeting *meeting = &oracle->meetings[i];
		const Meeting *other = best[meeting->infected];

		if (in_time(question, meeting->time) && (other == NULL || is_better(question, meeting, other)) &&
			(question->accumulate > 0 ? adds_up(oracle, meeting) : suffices(question, meeting)))
			best[meeting->infected] = meeting;
	}

	for (int i = 0; i < SUBJECTS; i++)
	{
		OracleAnswer *answer = &oracle->answers[i];

		if (best[i] == NULL ||
			(answer->reached && compare_times(question, answer->time, best[i]->time) <= 0))
			continue;
		improved = true;
		if (!answer->reached)
		{
			answer->degree = level;
			count_encounters(oracle, i);
		}
		answer->reached = true;
		answer->time = best[i]->time;
		answer->via = best[i]->infector;
		answer->venue = best[i]->venue;
		add_spell(oracle, i, spell_since(question, answer->time));
	}
	return improved;
}

void
oracle_trace(const OracleQuestion *question, OracleAnswer answers[SUBJECTS])
{
	static Oracle oracle;

	oracle.question = question;
	oracle.answers = answers;
	oracle.nspells = oracle.npieces = 0;
	memset(answers, 0, SUBJECTS * sizeof(OracleAnswer));
	add_case_spells(&oracle);
	for (int level = 1; level <= question->degrees; level++)
		if (!take_level(&oracle, level))
			break;
}

bool
oracle_hop(const OracleQuestion *question, int infector, const Moment *since,
		   int infected, int venue, Moment time)
{
	static Oracle oracle;

	oracle.question = question;
	oracle.nspells = oracle.npieces = 0;
	if (since == NULL)
		add_case_spells(&oracle);
	else
		add_spell(&oracle, infector, spell_since(question, *since));
	add_pieces(&oracle, 0);
	for (int i = 0; i < oracle.npieces; i++)
		for (int j = 0; j < question->nvisits; j++)
		{
			Meeting		meeting;

			if (oracle.pieces[i].subject != infector ||
				!meet(question, &oracle.pieces[i], &question->visits[j], &meeting) ||
				meeting.infected != infected || meeting.venue != venue)
				continue;
			if (question->accumulate > 0 || suffices(question, &meeting))
			{
				/* a sum begins with any minute that others share */
				if (meeting.time == time)
					return true;
				if (question->accumulate > 0 && !question->backward &&
					meeting.overlap.from <= time && time < meeting.overlap.to)
					return true;
				if (question->accumulate > 0 && question->backward &&
					time <= question->visits[j].stay.to &&
					meeting.overlap.from < time && time <= meeting.overlap.to)
					return true;
			}
		}
	return false;
}
