--
-- Infection risk in shared room air, by the model of Wells and Riley
--
\set SHOW_CONTEXT never
-- dose and risk of (together, before, after) in a room of 100 m3, 2.7 quanta/h,
-- 0.54 m3/h breathed, k = 1 + 0.87 /h
CREATE FUNCTION dose(together interval, before interval, after interval, changes float8 DEFAULT 1, decay float8 DEFAULT 0.87) RETURNS float8
RETURN anshim.infection_dose(together, 2.7, 0.54, 100, changes, decay, before, after);

-- In balance: q p t / (k V) = 2.7 * 0.54 * 1 / 187 = 0.0077967914
SELECT round(dose('1 h', NULL, '0')::numeric, 10), round(dose('2 h', NULL, '0')::numeric, 10) AS twice;
-- 1 - exp(-0.0077967914) = 0.0077664753
SELECT round(anshim.infection_risk('1 h', 2.7, 0.54, 100, 1, 0.87, NULL, '0')::numeric, 10);
-- Both come at once: 1 - (1 - exp(-1.87)) / 1.87 = 1 - 0.845876... / 1.87 = 0.5476599 of that: 0.00426999
SELECT round(dose('1 h', '0', '0')::numeric, 8);
-- Half an hour later: 1 - exp(-0.935) * 0.845876 / 1.87 = 1 - 0.392586 * 0.4523401 = 0.822418 of that: 0.0064122
SELECT round(dose('1 h', '30 min', '0')::numeric, 7);
-- She stays on for an hour, in air that had been in balance: 0.4523401 more of that: 0.0113236
SELECT round(dose('1 h', NULL, '1 h')::numeric, 7);
-- only that
SELECT round(dose('0', NULL, '1 h')::numeric, 7), dose('0', '0', '1 h') AS nobody_was_there, dose('0', NULL, '0') AS no_time;
-- long enough before is as good as always; the more air, the less risk
SELECT abs(dose('1 h', '30 days', '0') / dose('1 h', NULL, '0') - 1) < 1e-12 AS always;
SELECT round((dose('1 h', NULL, '0', 1, 0) / dose('1 h', NULL, '0', 4, 0))::numeric, 9);
-- Air that nothing clears: q p / V * (b t + t^2 / 2) = 0.01458 * (2 * 1 + 0.5) = 0.03645, and 0.01458 * (2 + 1) * 1 = 0.04374 after that
SELECT round(dose('1 h', '2 h', '0', 0, 0)::numeric, 10), round((dose('1 h', '2 h', '1 h', 0, 0) - dose('1 h', '2 h', '0', 0, 0))::numeric, 10);
-- the limit is reached without a step
SELECT bool_and(abs(dose('1 h', '2 h', '1 h', k, 0) / dose('1 h', '2 h', '1 h', 0, 0) - 1) <= 3 * k + 1e-12) AS smooth
FROM unnest(ARRAY[1e-300, 1e-15, 1e-9, 9.9e-5, 1.01e-4, 1e-3]) k;
SELECT abs(dose('1 h', '0', '0', 0.99999e-4, 0) / dose('1 h', '0', '0', 1.00001e-4, 0) - 1) < 1e-8 AS no_step;

-- The same by brute force: the room's air in steps of a second
WITH RECURSIVE room (t, c, dose) AS (
	SELECT 0, 0::float8, 0::float8
	UNION ALL
	-- there from 0 to 2700 s; the other from 900 s to 4500 s
	SELECT t + 1, c_next, dose + CASE WHEN t >= 900 THEN 0.54 * (c + c_next) / 2 / 3600 ELSE 0 END
	FROM room, LATERAL (SELECT c + ((CASE WHEN t < 2700 THEN 2.7 / 100 ELSE 0 END) - 1.87 * c) / 3600) n (c_next)
	WHERE t < 4500
)
SELECT abs(max(dose) / dose('30 min', '15 min', '30 min') - 1) < 1e-3 AS as_the_formula FROM room;

-- All or nothing
SELECT anshim.infection_risk('1000 h', 5580, 0.54, 100, 0.1, 0, NULL, '0') AS certain, anshim.infection_risk('1 h', 0, 0.54, 100, 1, 0, NULL, '0') AS impossible;
SELECT anshim.infection_risk('1 us', 1e-9, 0.54, 100, 1, 0, NULL, '0') > 0 AS tiny_is_not_nothing;
SELECT anshim.infection_risk(NULL, 1, 1, 1, 1, 1, NULL, '0') IS NULL, anshim.infection_risk('1 h', NULL, 1, 1, 1, 1, NULL, '0') IS NULL,
	anshim.infection_risk('1 h', 1, 1, 1, 1, 1, NULL, NULL) IS NULL;

-- No defaults, and nothing that makes no sense
SELECT anshim.infection_risk('1 h', 1, 1, 1, 1, 1, NULL);
SELECT anshim.infection_risk('-1 h', 1, 1, 1, 1, 1, NULL, '0');
SELECT anshim.infection_risk('1 month', 1, 1, 1, 1, 1, NULL, '0');
SELECT anshim.infection_risk('1 h', -1, 1, 1, 1, 1, NULL, '0');
SELECT anshim.infection_risk('1 h', 1, 'NaN', 1, 1, 1, NULL, '0');
SELECT anshim.infection_risk('1 h', 1, 1, 0, 1, 1, NULL, '0');
SELECT anshim.infection_risk('1 h', 1, 1, 1, 'infinity', 1, NULL, '0');
SELECT anshim.infection_risk('1 h', 1, 1, 1, 1, -0.1, NULL, '0');
SELECT anshim.infection_risk('1 h', 1, 1, 1, 0, 0, NULL, '0');
SELECT anshim.infection_risk('1 h', 1e200, 1e200, 1, 1, 0, NULL, '0');
SELECT anshim.infection_risk('1 h', 1, 1, 1, 1e308, 1e308, '1 h', '1 h');

-- Over contacts, where doses add up
SET TimeZone = 'UTC';
CREATE TABLE visit (subject text, venue text, entered_at timestamptz NOT NULL, left_at timestamptz);
INSERT INTO visit VALUES ('Ann', 'gym', '2021-03-01 10:00', '2021-03-01 11:00'), ('Ann', 'gym', '2021-03-02 10:00', '2021-03-02 11:00'),
	('Ben', 'gym', '2021-03-01 10:30', '2021-03-01 11:30'), ('Ben', 'gym', '2021-03-02 10:00', '2021-03-02 11:00'),
	('Cem', 'gym', '2021-03-02 11:00', '2021-03-02 11:30');
SELECT anshim.track_visits('visit');
SELECT subject, round((1 - exp(-sum(anshim.infection_dose(together, 2.7, 0.54, 100, 1, 0.87, NULL, ended_at - started_at - together))))::numeric, 7) AS risk,
	round((1 - exp(-CASE subject WHEN 'Ben' THEN dose('30 min', NULL, '30 min') + dose('1 h', NULL, '0') ELSE dose('0', NULL, '30 min') END))::numeric, 7) AS expected
FROM anshim.contacts('visit', 'Ann'::text, '[2021-03-01, 2021-03-08)', linger => '2 hours')
GROUP BY subject ORDER BY subject;
