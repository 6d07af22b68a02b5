#!/usr/bin/env bash
#
# Every C file is built: it has its line in pgxs.mk.
. test/scripts/rules.bash

for file in $(files 'src/*.c' 'bin/*.c'); do
	grep -qF "${file%.c}.o" pgxs.mk || printf '%s\n' "$file"
done | rule "Not in the OBJS or BIN_OBJS of pgxs.mk"
