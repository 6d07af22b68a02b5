#!/usr/bin/env bash
#
# release.sh VERSION: make the tree into this release, such as 1.1, and commit
# and tag it.  Nothing is published.
#
# The version in anshim.control is the one released last; while the first is in
# the making, it is that, and nothing has been released.  A release
#   - writes the version into anshim.control, META.json and debian/changelog,
#     and the date into CHANGELOG.md, whose [Unreleased] must say something;
#   - has an update script from the version before it, in sql/updates;
#   - freezes the install script in sql/released: from then on the tests update
#     from it (test/scripts/upgrade.sh), and it is never changed again.
# It refuses to begin with a tree that is not clean, and to end with one that
# does not pass make check.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-}
[[ $version =~ ^[0-9]+\.[0-9]+(\.[0-9]+)?$ ]] || die "give a version, such as 1.1"
cd "$TOP"
[ -z "$(git status --porcelain)" ] || die "the tree is not clean"
[ ! -e "sql/released/anshim--$version.sql" ] || die "$version has been released"
before=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" anshim.control)
today=$(date -u +%F)
full=$version
[[ $full == *.*.* ]] || full=$full.0

if [ -d sql/released ]; then
	[ -f "sql/updates/anshim--$before--$version.sql" ] || die "there is no sql/updates/anshim--$before--$version.sql"
elif [ "$version" != "$before" ]; then
	die "the first release is $before"
fi
sed -n '/^## \[Unreleased\]/,/^## \[[0-9]/p' CHANGELOG.md | grep -q '^- ' || die "CHANGELOG.md says nothing of it"

sed -i "s/^default_version *=.*/default_version = '$version'/" anshim.control
sed -i -E "s/\"version\": \"[0-9.]+\"/\"version\": \"$full\"/; s/anshim--[0-9.]+\.sql/anshim--$version.sql/
	s/\"release_status\": \"[a-z]+\"/\"release_status\": \"stable\"/" META.json
# the version of the specification is another matter
perl -0777 -i -pe 's/("meta-spec": \{\s*"version": )"[^"]*"/$1"1.0.0"/' META.json
sed -i "s/^## \[Unreleased\]/## [Unreleased]\n\n## [$full] - $today/" CHANGELOG.md
{
	printf 'anshim (%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n' "$version"
	printf ' -- anshim contributors <anshim@anshim.invalid>  %s\n\n' "$(date -uR)"
	[ "$version" = "$before" ] || cat debian/changelog
} >debian/changelog.new
mv debian/changelog.new debian/changelog
mkdir -p sql/released
sed '/^--|/d' sql/[0-9][0-9]-*.sql >"sql/released/anshim--$version.sql"
"$TOP/scripts/reference.pl"

make check
git add -A
git commit -q -m "Release $version"
git tag -a "v$version" -m "anshim $version"
say "$version is committed and tagged. Look at it (git show), then publish:" \
	"  git push --follow-tags" \
	"  git archive --format zip --prefix=anshim-$full/ -o anshim-$full.zip v$version    # for PGXN"
