# How anshim is built with PostgreSQL's own makefiles.  Called by the Makefile
# beside it, which also knows what to do where no PostgreSQL is installed.

EXTENSION = anshim
MODULE_big = anshim
PGFILEDESC = "anshim - contact tracing in PostgreSQL"

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)

# One object file a line, grouped by room.
OBJS = \
	src/anshim.o \
	src/audit/compare.o \
	src/audit/count.o \
	src/audit/drop.o \
	src/audit/expire.o \
	src/audit/finding.o \
	src/audit/finding_kind.o \
	src/audit/member.o \
	src/audit/parallel.o \
	src/audit/plan.o \
	src/audit/progress.o \
	src/audit/replay.o \
	src/audit/signed.o \
	src/audit/strands.o \
	src/audit/structure.o \
	src/audit/tree.o \
	src/audit/verify.o \
	src/audit/walk.o \
	src/chain/append.o \
	src/chain/catalog.o \
	src/chain/chain.o \
	src/chain/event.o \
	src/chain/fill.o \
	src/chain/follow.o \
	src/chain/guard.o \
	src/chain/image.o \
	src/chain/link.o \
	src/chain/link_hash.o \
	src/chain/make.o \
	src/chain/position.o \
	src/chain/position_page.o \
	src/chain/strand.o \
	src/chain/strand_number.o \
	src/chain/target.o \
	src/chain/trigger.o \
	src/chain/upkeep.o \
	src/chain/watch.o \
	src/checkin/checkin.o \
	src/compat.o \
	src/crypto/digest.o \
	src/crypto/handle.o \
	src/crypto/hpke.o \
	src/crypto/hpke_evp.o \
	src/crypto/hpke_openssl.o \
	src/crypto/key.o \
	src/crypto/point.o \
	src/crypto/probe.o \
	src/crypto/secret.o \
	src/ddl/command.o \
	src/ddl/owner.o \
	src/exposure/air.o \
	src/exposure/call.o \
	src/exposure/contacts.o \
	src/exposure/encounters.o \
	src/exposure/exposures.o \
	src/exposure/hotspots.o \
	src/exposure/minutes.o \
	src/exposure/minutes_air.o \
	src/exposure/minutes_spread.o \
	src/exposure/pieces.o \
	src/exposure/risk.o \
	src/exposure/spread.o \
	src/exposure/stats.o \
	src/exposure/times.o \
	src/exposure/trace.o \
	src/geo/geo.o \
	src/geo/locations.o \
	src/geo/track_venues.o \
	src/identity/identity.o \
	src/key/directory.o \
	src/key/key.o \
	src/key/manage.o \
	src/key/secret.o \
	src/key/secret_file.o \
	src/key/sign.o \
	src/key/spi.o \
	src/key/verdict.o \
	src/log/checkpoint.o \
	src/log/head.o \
	src/log/merkle.o \
	src/log/note.o \
	src/log/proof.o \
	src/log/read.o \
	src/log/seal.o \
	src/log/store.o \
	src/log/witness.o \
	src/log/worker.o \
	src/own/own.o \
	src/purpose/purpose.o \
	src/purpose/record.o \
	src/status/status.o \
	src/token/base45.o \
	src/token/base64url.o \
	src/token/cbor.o \
	src/token/claims.o \
	src/token/compare.o \
	src/token/cose.o \
	src/token/cwt.o \
	src/token/fault.o \
	src/token/qr.o \
	src/token/token.o \
	src/visits/btree.o \
	src/visits/btree_page.o \
	src/visits/btree_tree.o \
	src/visits/create.o \
	src/visits/follow.o \
	src/visits/ident.o \
	src/visits/log.o \
	src/visits/log_check.o \
	src/visits/log_index.o \
	src/visits/log_parts.o \
	src/visits/log_record.o \
	src/visits/log_source.o \
	src/visits/log_stay.o \
	src/visits/memory.o \
	src/visits/part_keys.o \
	src/visits/part_rights.o \
	src/visits/remote_list.o \
	src/visits/servers.o \
	src/visits/sql_cursor.o \
	src/visits/sql_packed.o \
	src/visits/sql_source.o \
	src/visits/sql_statement.o \
	src/visits/venue_stays.o \
	src/visits/venues.o \
	src/visits/visibility.o \
	src/visits/track.o

# The program in bin/, and what it shares with the extension.
BIN_OBJS = \
	bin/anshim_verify.o \
	bin/catalog.o \
	bin/check.o \
	bin/compare.o \
	bin/copy.o \
	bin/crypto.o \
	bin/events.o \
	bin/export.o \
	bin/json.o \
	bin/notes.o \
	bin/report.o \
	bin/rows.o \
	bin/source_db.o \
	bin/source_files.o \
	bin/strands.o \
	bin/streams.o \
	bin/tree.o \
	bin/shared/src/audit/finding_kind.o \
	bin/shared/src/chain/link_hash.o \
	bin/shared/src/crypto/point.o \
	bin/shared/src/log/merkle.o \
	bin/shared/src/log/note.o

# The version is written in anshim.control alone.
here := $(dir $(firstword $(MAKEFILE_LIST)))
ANSHIM_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(here)anshim.control)

# Warnings are errors; packagers with an untried compiler say `make WERROR=`.
WERROR = -Werror
PG_CPPFLAGS = -I$(srcdir)/src -DANSHIM_VERSION='"$(ANSHIM_VERSION)"'
PG_CFLAGS = -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
	$(WERROR) -MMD -MP

# Libraries that the rooms need: a line each, with the room that calls it.
SHLIB_LINK += -lcrypto	# src/crypto
SHLIB_LINK += -lqrencode	# src/token

DATA_built = anshim--$(ANSHIM_VERSION).sql
DATA = $(wildcard $(srcdir)/sql/updates/anshim--*--*.sql)
EXTRA_CLEAN = anshim--*.sql $(OBJS:.o=.d) $(BIN_OBJS) $(BIN_OBJS:.o=.d) bin/anshim_verify$(X) demo-output \
	build/check build/indent build/pg[0-9]*

# make check has its own runner, which needs no running server.
NO_INSTALLCHECK = 1

include $(PGXS)

# The numbered parts of sql/, in the order of their names, without the prose of
# the reference: an install script is read in the database's encoding.  The file
# changes only if its text does; a part that is gone must be noticed, hence FORCE.
sql_parts := $(sort $(wildcard $(srcdir)/sql/[0-9][0-9]-*.sql))

anshim--$(ANSHIM_VERSION).sql: $(sql_parts) FORCE
	@sed '/^--|/d' $(sql_parts) >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; echo "made $@"; fi

FORCE:
.PHONY: FORCE

# Built elsewhere than in the source tree, only sources are looked for there:
# PGXS's own VPATH would take the tree's objects for up to date as well.
# pg_buildext gives it on the command line, where PGXS takes srcdir from it.
srcdir := $(srcdir)
override VPATH =
vpath %.c $(srcdir)
vpath %.control $(srcdir)

# The rooms' folders have to be made first then.
rooms := $(filter-out ./,$(sort $(dir $(OBJS) $(BIN_OBJS))))

$(OBJS) $(BIN_OBJS): | $(rooms)
$(rooms):
	mkdir -p $@

# PostgreSQL is often configured without dependency tracking: do it here.
# The bitcode is stale when the object is.
-include $(OBJS:.o=.d) $(BIN_OBJS:.o=.d)
$(foreach obj,$(OBJS),$(eval $(obj:.o=.bc): $(obj)))

src/anshim.o: $(srcdir)/anshim.control

# PostgreSQL 15 declares tree walkers without their arguments.
src/visits/part_keys.o src/visits/servers.o: override CFLAGS += -Wno-strict-prototypes
$(shlib): $(srcdir)/pgxs.mk

# The program is a client: PGXS builds either a library or a program, so these
# are rules of our own.  The shared sources are compiled once more for it.
$(BIN_OBJS): override CPPFLAGS += -DFRONTEND -I$(libpq_srcdir)
$(BIN_OBJS): $(srcdir)/pgxs.mk

bin/shared/%.o: %.c
	$(COMPILE.c) -o $@ $<

# (PostgreSQL 18 has taken the first two libraries out of libpq_pgport.)
bin/anshim_verify$(X): $(BIN_OBJS)
	$(CC) $(CFLAGS) $(BIN_OBJS) $(LDFLAGS) $(LDFLAGS_EX) -L$(pkglibdir) -lpgcommon -lpgport $(libpq_pgport) -lcrypto -o $@

all: bin/anshim_verify$(X)

installdirs: installdirs-bin
install: install-bin
uninstall: uninstall-bin

installdirs-bin:
	$(MKDIR_P) '$(DESTDIR)$(bindir)' '$(DESTDIR)$(mandir)/man1'

install-bin: bin/anshim_verify$(X) installdirs-bin
	$(INSTALL_PROGRAM) $< '$(DESTDIR)$(bindir)/'
	$(INSTALL_DATA) $(srcdir)/bin/anshim_verify.1 '$(DESTDIR)$(mandir)/man1/'

uninstall-bin:
	rm -f '$(DESTDIR)$(bindir)/anshim_verify$(X)' '$(DESTDIR)$(mandir)/man1/anshim_verify.1'

.PHONY: install-bin installdirs-bin uninstall-bin
