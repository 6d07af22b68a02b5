#!/usr/bin/env bash
#
# A log on two servers that PL/Proxy puts visits into, by hash of venue.  What is
# about one venue is answered by the server that has it, so that contacts, hotspots
# and degree 1 are asked of all at once, and hold for the whole.

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

on() { psql -X -At -q -v ON_ERROR_STOP=1 -d "$@"; }
[ "$(on "$PGDATABASE" -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'plproxy'")" = 1 ] ||
	{ echo "PL/Proxy is not installed"; exit 77; }
nodes=("${PGDATABASE}_0" "${PGDATABASE}_1")
trap 'for node in "${nodes[@]}"; do dropdb --if-exists --force "$node"; done' EXIT

for node in "${nodes[@]}"; do
	dropdb --if-exists "$node"
	createdb "$node"
	on "$node" <<-'SQL'
		CREATE EXTENSION anshim;
		SELECT anshim.create_visit_log('visit');
		CREATE FUNCTION check_in(subject uuid, venue uuid, entered_at timestamptz, left_at timestamptz) RETURNS void
		LANGUAGE sql
		AS $$ INSERT INTO visit (subject, venue, entered_at, left_at) VALUES ($1, $2, $3, $4) $$;
		CREATE FUNCTION exposed(cases uuid[], during tstzrange, linger interval)
		RETURNS TABLE (subject uuid, exposed_at timestamptz)
		LANGUAGE sql STABLE
		AS $$ SELECT subject, exposed_at FROM anshim.exposures('visit', cases, during, linger => linger) $$;
		CREATE FUNCTION met(case_subject uuid, during tstzrange)
		RETURNS TABLE (subject uuid, venue uuid, started_at timestamptz, ended_at timestamptz)
		LANGUAGE sql STABLE
		AS $$ SELECT subject, venue, started_at, ended_at FROM anshim.contacts('visit', case_subject, during) $$;
		CREATE FUNCTION hotspots(cases uuid[], during tstzrange)
		RETURNS TABLE (venue uuid, started_at timestamptz, case_count integer, visitor_count integer)
		LANGUAGE sql STABLE
		AS $$ SELECT venue, started_at, case_count, visitor_count FROM anshim.hotspots('visit', cases, during) $$;
	SQL
done

# The proxy, and all of it in one place, to compare with
on "$PGDATABASE" <<SQL
CREATE EXTENSION anshim;
CREATE EXTENSION plproxy;
CREATE SERVER visits FOREIGN DATA WRAPPER plproxy
	OPTIONS (p0 'host=$PGHOST port=$PGPORT dbname=${nodes[0]}', p1 'host=$PGHOST port=$PGPORT dbname=${nodes[1]}');
CREATE USER MAPPING FOR CURRENT_USER SERVER visits OPTIONS (user '$PGUSER');
CREATE FUNCTION check_in(subject uuid, venue uuid, entered_at timestamptz, left_at timestamptz) RETURNS void
LANGUAGE plproxy
AS \$\$ CLUSTER 'visits'; RUN ON hashtext(venue::text); \$\$;
CREATE FUNCTION exposed(cases uuid[], during tstzrange, linger interval)
RETURNS TABLE (subject uuid, exposed_at timestamptz)
LANGUAGE plproxy
AS \$\$ CLUSTER 'visits'; RUN ON ALL; \$\$;
CREATE FUNCTION met(case_subject uuid, during tstzrange)
RETURNS TABLE (subject uuid, venue uuid, started_at timestamptz, ended_at timestamptz)
LANGUAGE plproxy
AS \$\$ CLUSTER 'visits'; RUN ON ALL; \$\$;
CREATE FUNCTION hotspots(cases uuid[], during tstzrange)
RETURNS TABLE (venue uuid, started_at timestamptz, case_count integer, visitor_count integer)
LANGUAGE plproxy
AS \$\$ CLUSTER 'visits'; RUN ON ALL; \$\$;

SELECT setseed(0.5);
CREATE TABLE whole AS
SELECT md5('subject' || (random() * 300)::integer)::uuid AS subject, md5('venue' || (random() * 40)::integer)::uuid AS venue,
	entered_at, entered_at + random() * interval '2 hours' + interval '1 minute' AS left_at
FROM (SELECT timestamptz '2021-03-01' + random() * interval '5 days' AS entered_at FROM generate_series(1, 4000)) AS t;
ALTER TABLE whole ALTER entered_at SET NOT NULL;
SELECT anshim.track_visits('whole');
SELECT count(check_in(subject, venue, entered_at, left_at)) FROM whole;
SQL

wrong=0
is() {
	[ "$1" = "$2" ] && return
	echo "$3: $1, and not $2"
	wrong=1
}
for node in "${nodes[@]}"; do
	is "$(on "$node" -c "SELECT count(*) BETWEEN 1000 AND 3000 FROM visit")" t "$node has its share"
done

cases="ARRAY[md5('subject1')::uuid, md5('subject2')::uuid, md5('subject3')::uuid]"
during="'[2021-03-01, 2021-03-06)'"
# same QUERY QUERY WHAT: by PL/Proxy, and over the whole
same() {
	local text="SELECT count(*) || ' ' || md5(string_agg(a::text, '|' ORDER BY a::text)) FROM (%s) AS a" by over

	# shellcheck disable=SC2059 # it is a format
	by=$(on "$PGDATABASE" -c "$(printf "$text" "$1")") over=$(on "$PGDATABASE" -c "$(printf "$text" "$2")")
	is "$by" "$over" "$3"
	[ "${over%% *}" -gt 10 ] || is "${over%% *}" 'more than 10 rows' "$3"
}
same "SELECT subject, min(exposed_at) FROM exposed($cases, $during, '20 min') GROUP BY subject" \
	"SELECT subject, exposed_at FROM anshim.exposures('whole', $cases, $during, linger => '20 min')" "degree 1"
same "SELECT * FROM met(md5('subject1')::uuid, $during)" \
	"SELECT subject, venue, started_at, ended_at FROM anshim.contacts('whole', md5('subject1')::uuid, $during)" "contacts"
same "SELECT * FROM hotspots((SELECT array_agg(DISTINCT subject) FROM whole WHERE subject < '40000000-0000-0000-0000-000000000000'), $during)" \
	"SELECT venue, started_at, case_count, visitor_count FROM anshim.hotspots('whole',
		(SELECT array_agg(DISTINCT subject) FROM whole WHERE subject < '40000000-0000-0000-0000-000000000000'), $during)" "hotspots"
[ "$wrong" = 0 ]
