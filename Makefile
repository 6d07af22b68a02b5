# anshim: contact tracing in PostgreSQL
#
#   make demo       trace a real outbreak in a throw-away database
#   make check      build anshim and run all of its tests
#   make check-oracle   compare the engine with the definitions on many random logs
#   make check-matrix   the same on newer releases of Debian and PostgreSQL
#   make valgrind   some of the tests under valgrind
#   make fuzz       feed its readers with what no well-meaning sender sends
#   make deb        build Debian packages
#   make docs       bring the reference manual up to date
#   make            build it for the PostgreSQL of pg_config (or PG_CONFIG=…)
#   make install    install it there
#
# This file runs on a machine that has nothing but make: what needs
# PostgreSQL's own makefiles is in pgxs.mk.  PG_CONFIG, if given, says which
# PostgreSQL; demo, check and bench else take the newest that is installed,
# and install one, saying so, where there is none.

here := $(dir $(lastword $(MAKEFILE_LIST)))
PG_CONFIG ?= pg_config

build_targets = all install uninstall clean distclean maintainer-clean \
	installdirs install-strip

.PHONY: $(build_targets) demo check check-oracle check-matrix bench bench-country bench-rules bench-scale valgrind deb docs fuzz indent indent-check typedefs

all:

$(build_targets):
	@command -v $(PG_CONFIG) >/dev/null || { \
		echo "$(PG_CONFIG) is not here. Install PostgreSQL's server development package" \
			"(Debian: apt-get install postgresql-server-dev-all)," \
			"give PG_CONFIG=/path/to/pg_config, or try: make demo" >&2; \
		exit 1; }
	@$(MAKE) --no-print-directory -f $(here)pgxs.mk PG_CONFIG=$(PG_CONFIG) $@

# The command line's variables (KEEP, TESTS, JOBS, SCALE, …) reach the scripts
# through the environment.
demo check check-matrix bench valgrind deb indent:
	@$(here)scripts/$@.sh

bench-country bench-rules bench-scale:
	@WHAT=$(@:bench-%=%) $(here)scripts/bench.sh

check-oracle:
	@$(here)test/oracle/long.sh

indent-check:
	@$(here)scripts/indent.sh --check

docs:
	@$(here)scripts/reference.pl

typedefs:
	@$(here)scripts/typedefs.sh

fuzz:
	@$(here)test/fuzz/fuzz.sh --install
