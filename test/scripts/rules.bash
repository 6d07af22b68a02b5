# shellcheck shell=bash
#
# For the scripts here that check a rule of the house: they run in the top
# folder, print what breaks the rule, and fail if there is any.

set -eu

# The project's own files whose paths match one of these patterns, sorted.
files() {
	local pattern args=()

	for pattern; do
		args+=(-o -path "./$pattern")
	done
	find . \( -path ./.git -o -path ./build -o -path ./demo-output \) -prune -o \
		-type f \( "${args[@]:1}" \) -print | sed 's|^\./||' | sort
}

# Standard input is what breaks the rule: a line each.
rule() {
	local broken

	broken=$(cat)
	if [ -n "$broken" ]; then
		printf '%s:\n%s\n' "$1" "$broken"
		exit 1
	fi
}
