#!/usr/bin/env bash
#
# One version: anshim.control's, which the build reads; META.json and the
# changelogs repeat it.
. test/scripts/rules.bash

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" anshim.control)
# PGXN wants three numbers.
export version full=$version
[[ $full == *.*.* ]] || full=$full.0

{
	perl -MJSON::PP -0777 -ne '
		my $m = decode_json($_);
		print "META.json: version $m->{version}\n" if $m->{version} ne $ENV{full};
		my $p = $m->{provides}{anshim};
		print "META.json: provides.anshim.version $p->{version}\n" if $p->{version} ne $ENV{full};
		for my $file ($p->{file}, $p->{docfile}) {
			# scripts/release.sh makes the install script that is kept
			print "META.json: no file $file\n" if defined $file && !-e $file && $file ne "sql/released/anshim--$ENV{version}.sql";
		}
		print "META.json: no file for $_\n" for grep { !defined $m->{$_} } qw(name abstract maintainer license meta-spec);
	' META.json
	grep -qE "^## \[($full|$version|Unreleased)\]" CHANGELOG.md || printf 'CHANGELOG.md: nothing of %s\n' "$version"
	head -n 1 debian/changelog | grep -qF "anshim ($version-" || printf 'debian/changelog: begins with %s\n' "$(head -n 1 debian/changelog)"
} | rule "These do not say $version"
