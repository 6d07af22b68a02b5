/*-------------------------------------------------------------------------
 *
 * risk.c
 *	  anshim.infection_dose(), anshim.infection_risk(): shared room air
 *
 * The well-mixed room of Wells and Riley, in Gammaitoni and Nucci's form, in
 * which the air needs its time to fill and to clear:
 *
 *		dC/dt = q / V - k C		while the infectious person is there
 *		dC/dt = - k C			when she has left
 *		dose = p * integral of C over the other's stay
 *
 * with q quanta an hour, V the volume, k all that clears the air an hour, and
 * p the breathing rate.  The integrals are written with
 *
 *		phi(x) = (1 - exp(-x)) / x		psi(x) = (1 - phi(x)) / x
 *
 * which are 1 and 1/2 at x = 0, so that nothing divides by k: air that nobody
 * changes is no special case.
 *
 * Copyright (c) 2026, anshim contributors
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/float.h"

#include "exposure/times.h"

/* The arguments, in the order of both functions */
enum
{
	TOGETHER,
	QUANTA_PER_HOUR,
	BREATHING_RATE,
	VOLUME,
	AIR_CHANGES,
	DECAY,
	BEFORE,
	AFTER
};

/* A room, and two people in it; in hours and metres. */
typedef struct Room
{
	float8		together;
	float8		quanta;
	float8		breathing;
	float8		volume;
	float8		clearing;		/* k */
	bool		in_balance;		/* she had always been there; else: */
	float8		before;
	float8		after;
} Room;

PG_FUNCTION_INFO_V1(anshim_infection_dose);
PG_FUNCTION_INFO_V1(anshim_infection_risk);

static float8
phi(float8 x)
{
	return x == 0 ? 1 : -expm1(-x) / x;
}

static float8
psi(float8 x)
{
	/* where the difference below would lose digits, three terms are exact */
	if (x < 1e-4)
		return 1.0 / 2 - x / 6 + x * x / 24;
	return (1 - phi(x)) / x;
}

static float8
get_hours(FunctionCallInfo fcinfo, int argument, const char *name)
{
	return length_from_interval(PG_GETARG_INTERVAL_P(argument), name) / (float8) USECS_PER_HOUR;
}

static float8
get_number(FunctionCallInfo fcinfo, int argument, const char *name)
{
	float8		number = PG_GETARG_FLOAT8(argument);

	if (!(number >= 0) || isinf(number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be a finite number, and not negative", name)));
	return number;
}

/*
 * False if an argument is null that must be known.
 */
static bool
read_room(FunctionCallInfo fcinfo, Room *room)
{
	for (int i = TOGETHER; i <= AFTER; i++)
	{
		if (i != BEFORE && PG_ARGISNULL(i))
			return false;
	}
	room->together = get_hours(fcinfo, TOGETHER, "together");
	room->quanta = get_number(fcinfo, QUANTA_PER_HOUR, "quanta_per_hour");
	room->breathing = get_number(fcinfo, BREATHING_RATE, "breathing_rate");
	room->volume = get_number(fcinfo, VOLUME, "volume");
	room->clearing = get_number(fcinfo, AIR_CHANGES, "air_changes") +
		get_number(fcinfo, DECAY, "decay");
	room->in_balance = PG_ARGISNULL(BEFORE);
	room->before = room->in_balance ? 0 : get_hours(fcinfo, BEFORE, "before");
	room->after = get_hours(fcinfo, AFTER, "after");

	if (room->volume == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"volume\" must be greater than zero")));
	if (room->in_balance && room->clearing == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("air that nothing clears never comes into balance"),
				 errhint("Say in argument \"before\" how long the infectious person had been there, or give \"air_changes\" or \"decay\".")));
	return true;
}

/*
 * Quanta inhaled.  Concentrations are counted in those that one quantum an
 * hour makes in one cubic metre.
 */
static float8
dose(const Room *room)
{
	float8		k = room->clearing;
	float8		t = room->together;
	float8		b = room->before;
	float8		during;
	float8		at_end;
	float8		result;

	if (room->in_balance)
	{
		during = t / k;
		at_end = 1 / k;
	}
	else
	{
		during = exp(-k * b) * t * t * psi(k * t) + t * b * phi(k * b);
		at_end = (b + t) * phi(k * (b + t));
	}
	result = room->breathing * room->quanta / room->volume *
		(during + at_end * room->after * phi(k * room->after));
	if (unlikely(isinf(result)))
		float_overflow_error();
	return result;
}

Datum
anshim_infection_dose(PG_FUNCTION_ARGS)
{
	Room		room;

	if (!read_room(fcinfo, &room))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(dose(&room));
}

Datum
anshim_infection_risk(PG_FUNCTION_ARGS)
{
	Room		room;

	if (!read_room(fcinfo, &room))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(-expm1(-dose(&room)));
}
