#!/usr/bin/env bash
#
# The install script takes over nothing that somebody else has put in its way,
# and cannot be run by itself.
. test/scripts/rules.bash

files 'sql/[0-9]*.sql' | xargs grep -niE '^[^-]*(CREATE +OR +REPLACE|IF +NOT +EXISTS +[^(])' |
	rule "A part of the install script uses what is there already"
files 'sql/[0-9]*.sql' | grep -vE '^sql/[0-9][0-9]-[a-z_]+\.sql$' |
	rule "Parts are called sql/NN-topic.sql"
head -qn 1 sql/00-schema.sql sql/updates/*.sql 2>/dev/null |
	grep -vE '^\\echo Use "(CREATE|ALTER) EXTENSION anshim.*\\quit$' |
	rule "A script of an extension begins with the psql guard"
