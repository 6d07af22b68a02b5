#!/usr/bin/env bash
#
# QR codes are read by a real reader (zbarimg), from the SVG and from what a
# terminal shows, on dark and on light ground, and are the very same tokens
# again.  Symbols of many sizes, up to the largest that a camera would see.

set -euo pipefail

for program in zbarimg rsvg-convert; do
	command -v "$program" >/dev/null || {
		echo "$program is not here"
		exit 77
	}
done

out=${TEST_TMP:-$(mktemp -d)}
sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

sql <<'EOF'
CREATE EXTENSION IF NOT EXISTS anshim;
CREATE FUNCTION head(major int, n int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN n < 24 THEN set_byte('\x00', 0, major + n)
				WHEN n < 256 THEN set_byte(set_byte('\x0000', 0, major + 24), 1, n)
				ELSE set_byte('\x00', 0, major + 25) || substr(int4send(n), 3) END $$;
-- Tokens with ids of many lengths, and random ones.
CREATE TABLE pass AS
SELECT n, ('\xd28446a20127044131a0' || head(64, length(payload)) || payload || '\x5840'
		   || decode(left(repeat(md5(n::text), 4), 128), 'hex'))::anshim.token AS token
FROM (VALUES (1), (10), (16), (47), (61), (100), (151), (230), (333), (500), (701), (1024)) v (n),
	LATERAL (SELECT string_agg(sha256((n || ' ' || k)::text::bytea), '') FROM generate_series(0, n / 32) k) s (random),
	CAST('\xa107' || head(64, n) || substr(random, 1, n) AS bytea) payload;
EOF

# paint FOREGROUND BACKGROUND: what a terminal with these colours shows of block
# characters on standard input, as an image of 6 x 12 points a character
paint() {
	perl -CS -e '
		my ($fore, $back) = @ARGV[0, 1];
		my @rows;
		while (my $line = <STDIN>) {
			chomp $line;
			my (@upper, @lower);
			for my $c (split //, $line) {
				push @upper, $c eq "\x{2588}" || $c eq "\x{2580}" ? $fore : $back;
				push @lower, $c eq "\x{2588}" || $c eq "\x{2584}" ? $fore : $back;
			}
			push @rows, \@upper, \@lower;
		}
		# the terminal goes on around it
		my $width = 4 + @{$rows[0]};
		my @edge = ([($back) x ($width - 4)]) x 2;
		print "P2\n", $width * 6, " ", (@rows + 4) * 6, "\n255\n";
		for my $row (@edge, @rows, @edge) {
			my $points = join " ", map { join " ", ($_) x 6 } ($back) x 2, @$row, ($back) x 2;
			print "$points\n" x 6;
		}' "$1" "$2"
}

# read_back FILE TOKEN WAY
failed=0
read_back() {
	local found

	# zbarimg complains of a bus that it does not need
	found=$(zbarimg --raw -q --nodbus -Sdisable -Sqrcode.enable "$1" 2>"$out/zbar.log") || found=
	if [ "$found" != "$2" ]; then
		failed=$((failed + 1))
		echo "${#2} characters, $3: read as ${found:-nothing}"
		cat "$out/zbar.log"
	fi
}

count=0
while read -r n; do
	token=$(sql -c "SELECT token FROM pass WHERE n = $n")

	sql -c "SELECT anshim.qr_svg(token) FROM pass WHERE n = $n" >"$out/$n.svg"
	rsvg-convert -w 800 "$out/$n.svg" -o "$out/$n.png"
	read_back "$out/$n.png" "$token" "SVG"

	# a part of a larger drawing, as the reference says
	sql -c "SELECT '<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 210 297\">'
		'<rect width=\"210\" height=\"297\" fill=\"#cde\"/><svg x=\"20\" y=\"60\" width=\"170\" height=\"170\">'
		|| anshim.qr_svg(token) || '</svg></svg>' FROM pass WHERE n = $n" >"$out/$n.poster.svg"
	rsvg-convert -w 1200 "$out/$n.poster.svg" -o "$out/$n.poster.png"
	read_back "$out/$n.poster.png" "$token" "poster"

	sql -c "SELECT anshim.qr(token) FROM pass WHERE n = $n" >"$out/$n.txt"
	paint 229 16 <"$out/$n.txt" >"$out/$n.pgm"
	read_back "$out/$n.pgm" "$token" "light on dark"

	sql -c "SELECT anshim.qr(token, inverse => true) FROM pass WHERE n = $n" >"$out/$n.inverse.txt"
	paint 16 229 <"$out/$n.inverse.txt" >"$out/$n.inverse.pgm"
	read_back "$out/$n.inverse.pgm" "$token" "dark on light"
	count=$((count + 4))
done < <(sql -c "SELECT n FROM pass ORDER BY n")

# What the reader read is input for the type, and the same value.
zbarimg --raw -q --nodbus -Sdisable -Sqrcode.enable "$out/16.png" 2>/dev/null >"$out/16.read"
same=$(sql -v read="$(cat "$out/16.read")" \
	<<<"SELECT :'read'::anshim.token OPERATOR(anshim.=) token FROM pass WHERE n = 16")
[ "$same" = t ] || {
	failed=$((failed + 1))
	echo "what was read is another token"
}

# Whether a symbol is made or not, the library's memory comes back: a backend
# that has failed ten thousand times is no larger than one that failed once.
grown=$(sql <<'EOF'
CREATE FUNCTION resident() RETURNS bigint LANGUAGE sql AS
	$$ SELECT split_part(pg_read_file('/proc/self/statm'), ' ', 2)::bigint * 4 $$;
CREATE FUNCTION fail(times int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	long anshim.token := ('\xd28446a20127044131a0590effa107590efa'::bytea || decode(repeat('00', 3834), 'hex') || '\x40')::anshim.token;
BEGIN
	FOR i IN 1 .. times LOOP
		BEGIN
			PERFORM anshim.qr_svg(long);
			RAISE 'was made';
		EXCEPTION WHEN program_limit_exceeded THEN
		END;
	END LOOP;
	PERFORM anshim.qr_svg(token) FROM pass, generate_series(1, times / 100) WHERE n = 1;
END $$;
SELECT fail(300);
SELECT resident() AS before \gset
SELECT fail(10000);
SELECT resident() - :before;
EOF
)
grown=$(tail -n 1 <<<"$grown")
[ "$grown" -lt 2000 ] || {
	failed=$((failed + 1))
	echo "the backend grew by $grown kB"
}

echo "$count codes read, $failed failures"
[ "$failed" = 0 ]
