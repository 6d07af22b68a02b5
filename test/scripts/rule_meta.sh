#!/usr/bin/env bash
#
# META.json is what PGXN takes: the rules of https://pgxn.org/meta/spec.txt,
# version 1.0.0, as far as they concern what we have in it.
. test/scripts/rules.bash

# shellcheck disable=SC2016
perl -MJSON::PP -0777 -ne '
	my $m = decode_json($_);
	my $version = qr/^(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:-?[A-Za-z][A-Za-z0-9-]*)?$/;
	my $term = qr{^[^\s/\\\p{Cntrl}]{2,}$};
	my %known = map { $_ => 1 } qw(name abstract version maintainer license provides meta-spec
		description generated_by tags no_index prereqs release_status resources);
	my %license = map { $_ => 1 } qw(agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3
		gpl_1 gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib
		open_source restricted unrestricted unknown);

	sub say_wrong { print "$_[0]\n" }
	for (qw(name abstract version maintainer license provides meta-spec)) { say_wrong("$_ is missing") unless defined $m->{$_} }
	for (keys %$m) { say_wrong("$_ is no key, without x_") unless $known{$_} || /^[xX]_/ }
	say_wrong("name") unless $m->{name} =~ $term;
	say_wrong("abstract") unless !ref $m->{abstract} && length $m->{abstract};
	say_wrong("version") unless $m->{version} =~ $version;
	my @people = ref $m->{maintainer} ? @{ $m->{maintainer} } : ($m->{maintainer});
	say_wrong("maintainer") unless @people && !grep { !length } @people;
	my @licenses = ref $m->{license} eq "ARRAY" ? @{ $m->{license} } : ref $m->{license} ? () : ($m->{license});
	say_wrong("license $_") for grep { !$license{$_} } @licenses;
	say_wrong("license") if ref $m->{license} eq "HASH" && grep { !m{^https?://} } values %{ $m->{license} };
	say_wrong("provides") unless ref $m->{provides} eq "HASH" && %{ $m->{provides} };
	for my $name (keys %{ $m->{provides} }) {
		my $p = $m->{provides}{$name};
		say_wrong("provides $name") unless $name =~ $term && length($p->{file} // "") && ($p->{version} // "") =~ $version;
		say_wrong("provides $name: $_") for grep { !/^(?:file|version|abstract|docfile|[xX]_.*)$/ } keys %$p;
	}
	say_wrong("meta-spec") unless ($m->{"meta-spec"}{version} // "") =~ /^1\.0\.\d+$/;
	say_wrong("meta-spec url") if defined $m->{"meta-spec"}{url} && $m->{"meta-spec"}{url} !~ m{^https?://pgxn\.org/meta/spec\.txt$};
	say_wrong("release_status") unless ($m->{release_status} // "stable") =~ /^(?:stable|testing|unstable)$/;
	say_wrong("tags") if grep { !length || length > 256 || m{[/\\[:cntrl:]]} } @{ $m->{tags} // [] };
	for my $phase (keys %{ $m->{prereqs} // {} }) {
		say_wrong("prereqs $phase") unless $phase =~ /^(?:configure|build|test|runtime|develop|[xX]_.*)$/;
		for my $relation (keys %{ $m->{prereqs}{$phase} }) {
			say_wrong("prereqs $phase $relation") unless $relation =~ /^(?:requires|recommends|suggests|conflicts|[xX]_.*)$/;
			for my $name (keys %{ $m->{prereqs}{$phase}{$relation} }) {
				my $range = $m->{prereqs}{$phase}{$relation}{$name};
				say_wrong("prereqs $name $range") if grep { !/^\s*(?:[<>]=?|[!=]=)?\s*(\S+)\s*$/ || ($1 ne "0" && $1 !~ $version) } split /,/, $range;
			}
		}
	}
	for my $r (keys %{ $m->{resources} // {} }) { say_wrong("resources $r") unless $r =~ /^(?:homepage|bugtracker|repository|[xX]_.*)$/ }
' META.json | rule "Not as PGXN wants META.json"
