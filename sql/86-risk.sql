--| # Infection risk
--|
--| A trace says who shared air with whom. How likely that was to infect somebody is another question, and no database can answer it; but there is a
--| model that is often asked for, and often got wrong. It is that of [Riley, Murphy and Riley (1978)](https://doi.org/10.1093/oxfordjournals.aje.a112560), after
--| Wells, for room air that is well mixed: a *quantum* is the dose that infects 63 % of those who inhale it, so a dose `d` infects `1 - exp(-d)`. In the form of
--| [Gammaitoni and Nucci (1997)](https://wwwnc.cdc.gov/eid/article/3/3/97-0310_article) the air takes its time to fill, and to clear.
--|
--| **What it is worth.** Published numbers of quanta an hour for one and the same disease lie two orders of magnitude apart, and people differ as much among each other.
--| So there are no defaults here: every number is yours, and so is the answer. Use it to compare rooms, or stays in one room; do not tell
--| anybody her risk by it. It knows nothing of what happens within a metre, where air is not mixed.
--|
--| | value | published | by |
--| | --- | --- | --- |
--| | `quanta_per_hour`, median, standing and speaking | measles 15; tuberculosis, untreated, 3.1; SARS-CoV-2 2.7; seasonal influenza 0.17 | [Mikszewski et al. 2021](https://www.ncbi.nlm.nih.gov/pmc/articles/PMC8378671/) |
--| | the same, one outbreak of measles | 93 a *minute*: the index case; those whom she infected, a tenth | [Riley et al. 1978](https://doi.org/10.1093/oxfordjournals.aje.a112560) |
--| | the same, SARS-CoV-2 | breathing 0.13, speaking 3.8 (first strain) | [Aganovic et al. 2022](https://www.ncbi.nlm.nih.gov/pmc/articles/PMC9747236/) |
--| | the same, SARS-CoV-2 | less than 1 at rest to more than 100, loud and active | [Buonanno et al. 2020](https://doi.org/10.1016/j.envint.2020.105794) |
--| | `breathing_rate`, m³/h | at rest 0.49, standing 0.54, light activity 1.38, moderate 2.35, heavy 3.30 | Adams 1993, as used by Buonanno et al. 2020 |
--| | `decay`, an hour | 0.24 that settle, and for SARS-CoV-2 0.63 that lose their infectivity | as used by Buonanno et al. 2020 |
--| | clean air | low 2.3, middle 6.6, high 14 litres a second and person; `air_changes` = 3.6 × litres × persons / volume | Mikszewski et al. 2021 |
--|
--| ## anshim.infection_dose
--|
--| `anshim.infection_dose(together, quanta_per_hour, breathing_rate, volume, air_changes, decay, before, after)` → `double precision`: the quanta that somebody
--| inhales.
--|
--| - `together`: how long she was in the room with the infectious person
--| - `quanta_per_hour`: what that person emits. Of several, the sum; behind a mask that holds half, half
--| - `breathing_rate`: how much air she breathes, in m³ an hour; behind a mask, less
--| - `volume`: of the room, in m³
--| - `air_changes`: how often an hour the room's volume is replaced by air without virus, from outside or through a filter
--| - `decay`: what else the air loses an hour, as it settles or dies
--| - `before`: how long the infectious person had been there alone when she came; NULL: so long that the air was in balance, which is the most that it can be.
--|   Whoever was there first inhales nothing until the other comes: `'0'`
--| - `after`: how long she stayed on when the infectious person had left
--|
--| Lengths have no months. NULL for anything but `before` gives NULL.
--|
--| With `k = air_changes + decay`, `t = together`, `b = before`, `a = after`, in hours, it is
--| `quanta_per_hour × breathing_rate / (k × volume) × (t - exp(-k b) × (1 - exp(-k t)) / k + (1 - exp(-k (b + t))) × (1 - exp(-k a)) / k)`, and its limit where k is 0.
--|
--| Doses add up, risks do not. Over the contacts of a case, in a room of 200 m³ with two air changes an hour:
--|
--| ```sql
--| SELECT subject, 1 - exp(-sum(anshim.infection_dose(together, quanta_per_hour => 15, breathing_rate => 0.54, volume => 200,
--|     air_changes => 2, decay => 0.24, before => NULL, after => ended_at - started_at - together))) AS risk
--| FROM anshim.contacts('visit', 'Ann'::text, '[2021-03-01, 2021-03-08)', linger => '2 hours')
--| GROUP BY subject ORDER BY risk DESC;
--| ```
--|
--| `linger` only has to be long enough for what is left in the air then not to matter. Of somebody who came when the case had left already, `contacts` does not say
--| how long ago: her dose is too high.
CREATE FUNCTION anshim.infection_dose(together interval, quanta_per_hour double precision, breathing_rate double precision,
	volume double precision, air_changes double precision, decay double precision, before interval, after interval)
RETURNS double precision
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'anshim_infection_dose';
COMMENT ON FUNCTION anshim.infection_dose(interval, double precision, double precision, double precision, double precision, double precision, interval, interval)
IS 'quanta inhaled in a room with an infectious person, by the model of Wells and Riley';

--| ## anshim.infection_risk
--|
--| `anshim.infection_risk(together, quanta_per_hour, breathing_rate, volume, air_changes, decay, before, after)` → `double precision`: the same as the
--| probability, from 0 to 1, of being infected by that one meeting: `1 - exp(-dose)`.
--|
--| ```sql
--| SELECT anshim.infection_risk('1 hour', quanta_per_hour => 2.7, breathing_rate => 0.54, volume => 100,
--|     air_changes => 1, decay => 0.87, before => NULL, after => '0');     -- 0.0078
--| ```
CREATE FUNCTION anshim.infection_risk(together interval, quanta_per_hour double precision, breathing_rate double precision,
	volume double precision, air_changes double precision, decay double precision, before interval, after interval)
RETURNS double precision
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'anshim_infection_risk';
COMMENT ON FUNCTION anshim.infection_risk(interval, double precision, double precision, double precision, double precision, double precision, interval, interval)
IS 'probability of being infected in a room with an infectious person, by the model of Wells and Riley';
