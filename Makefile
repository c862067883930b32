# Makefile
#    builds, installs, tests and shows userstream
#
# "make" and "make install" are PGXS's own and need only PostgreSQL's server
# headers, librdkafka and libcurl.  pg_config in PATH (or PG_CONFIG=...)
# decides for which PostgreSQL.  "make help" tells the rest.

.DEFAULT_GOAL := all

EXTENSION = extension/userstream
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" extension/userstream.control)
MODULE_big = userstream

OBJS = \
	extension/userstream.o \
	extension/guc.o \
	extension/shmem.o \
	extension/shmem_hold.o \
	extension/shmem_partition.o \
	extension/shmem_wake.o \
	extension/catalog.o \
	extension/options.o \
	extension/target.o \
	extension/server.o \
	extension/kafka_conf.o \
	extension/kafka_inquiry.o \
	extension/kafka_topic.o \
	extension/kafka_topics.o \
	extension/args.o \
	extension/stream_args.o \
	extension/broker.o \
	extension/stream_topic.o \
	extension/stream_start.o \
	extension/stream_check.o \
	extension/stream_access.o \
	extension/stream_store.o \
	extension/stream_api.o \
	extension/stream_alter.o \
	extension/stream_adopt.o \
	extension/stream_change.o \
	extension/server_http.o \
	extension/server_cassandra.o \
	extension/mirror_catalog.o \
	extension/mirror_check.o \
	extension/mirror_api.o \
	extension/mirror_status.o \
	extension/feed_options.o \
	extension/feed_args.o \
	extension/feed_catalog.o \
	extension/feed_api.o \
	extension/feed_topic.o \
	extension/subtransaction.o \
	extension/feed_run.o \
	extension/feed_attempt.o \
	extension/feed_history.o \
	extension/feed_fetch.o \
	extension/feed_page.o \
	extension/feed_split.o \
	extension/feed_json.o \
	extension/feed_records.o \
	extension/feed_produce.o \
	extension/feed_cpu.o \
	extension/feed_status.o \
	extension/cron_schedule.o \
	extension/http_url.o \
	extension/http_secret.o \
	extension/http_address.o \
	extension/http_client.o \
	extension/registry.o \
	extension/kafka_produce.o \
	extension/kafka_admin.o \
	extension/retry.o \
	extension/wait.o \
	extension/status.o \
	extension/peek.o \
	extension/topics.o \
	extension/try.o \
	extension/hook.o \
	worker/launcher.o \
	worker/spawn.o \
	worker/supervisor.o \
	worker/stream_worker.o \
	worker/stream_source.o \
	worker/stream_state.o \
	worker/topic_watch.o \
	worker/session.o \
	worker/window.o \
	worker/stage.o \
	worker/batch.o \
	worker/replay.o \
	worker/trial.o \
	worker/trim.o \
	worker/position.o \
	worker/dead_letter.o \
	worker/incident.o \
	worker/history.o \
	worker/rename.o \
	worker/retention.o \
	worker/statement.o \
	worker/fault.o \
	worker/kafka_source.o \
	worker/kafka_queue.o \
	worker/limit.o \
	worker/balance.o \
	worker/balance_plan.o \
	worker/kafka_watermarks.o \
	worker/kafka_group.o \
	worker/path.o \
	worker/decode.o \
	worker/decode_json.o \
	worker/csv.o \
	worker/debezium_schema.o \
	worker/debezium_value.o \
	worker/debezium_bytes.o \
	worker/decode_debezium.o \
	worker/decode_csv.o \
	worker/map_csv.o \
	worker/json_marks.o \
	worker/decode_avro.o \
	worker/avro_read.o \
	worker/avro_plan.o \
	worker/avro_schema.o \
	worker/scalar_text.o \
	worker/decimal_text.o \
	worker/json_tree.o \
	worker/jsonb_build.o \
	worker/schemas.o \
	worker/json_number.o \
	worker/map.o \
	worker/map_slow.o \
	worker/map_type.o \
	worker/map_value.o \
	worker/map_plan.o \
	worker/map_nested.o \
	worker/map_part.o \
	worker/map_key.o \
	worker/key.o \
	worker/map_rest.o \
	worker/map_default.o \
	worker/map_document.o \
	worker/convert.o \
	worker/sink_table.o \
	worker/sink_direct.o \
	worker/sink_query.o \
	worker/sink_statement.o worker/sink_upsert.o \
	worker/sink_expand.o \
	worker/expand.o \
	worker/expand_function.o \
	worker/expand_split.o \
	worker/changes.o \
	worker/mirror_value.o \
	worker/mirror_plan.o \
	worker/mirror_position.o \
	worker/mirror_shape.o \
	worker/mirror_parked.o \
	worker/key_set.o \
	worker/mirror_write.o \
	worker/mirror_send.o \
	worker/mirror_table.o \
	worker/mirror_copy.o \
	worker/mirror_slot.o \
	worker/mirror_end.o \
	worker/mirror_apply.o \
	worker/mirror_begin.o \
	worker/mirror_worker.o \
	worker/cassandra.o \
	worker/host_lookup.o \
	worker/tls_socket.o

# the CQL client: the tests and tools link it without the server
CQL_OBJS = \
	worker/cql/buf.o \
	worker/cql/frame.o \
	worker/cql/type.o \
	worker/cql/value.o \
	worker/cql/number.o \
	worker/cql/text.o \
	worker/cql/error.o \
	worker/cql/response.o \
	worker/cql/request.o \
	worker/cql/conn.o \
	worker/cql/conn_startup.o \
	worker/cql/conn_stream.o \
	worker/cql/conn_statement.o \
	worker/cql/window.o \
	worker/cql/hosts.o

OBJS += $(CQL_OBJS)

# in the order in which CREATE EXTENSION runs them
SQL_PARTS = \
	sql/00_guard.sql \
	sql/10_tables.sql \
	sql/15_comments.sql \
	sql/20_connections.sql \
	sql/30_functions.sql \
	sql/35_feeds.sql \
	sql/37_mirrors.sql \
	sql/40_views.sql \
	sql/90_privileges.sql

# those of releases, and the ways from one to the next
DATA = $(filter-out $(DATA_built),$(wildcard sql/userstream--*.sql))
DATA_built = sql/userstream--$(EXTVERSION).sql

SHLIB_LINK = -lrdkafka -lcurl -lssl -lcrypto -lpthread

# -isystem wins over PGXS's own -I of the same folder: our warnings are
# errors, and PostgreSQL's headers would not pass.  The two -Wno let clang
# skip the gcc-only options that a PostgreSQL built by gcc hands on.
PG_CPPFLAGS = -I$(srcdir) -isystem $(shell $(PG_CONFIG) --includedir-server) -DUS_VERSION=\"$(EXTVERSION)\"
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Werror -MMD -MP \
	$(if $(findstring clang,$(CC)),-Wno-ignored-optimization-argument -Wno-unknown-warning-option)
EXTRA_CLEAN = $(OBJS:.o=.d)

# a library for test/sanitized: only a server that loaded libasan before can load it
ifneq ($(SANITIZE),)
SANITIZERS = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
PG_CFLAGS += $(SANITIZERS)
SHLIB_LINK += $(SANITIZERS)
endif

# a way that worker/forced.h names is always taken: for test/forced
ifneq ($(FORCE),)
PG_CPPFLAGS += -DUS_FORCE=US_FORCE_$(shell echo $(FORCE) | tr a-z A-Z)
endif

PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifneq ($(PGXS),)
include $(PGXS)
else
all install:
	@echo "make: no PostgreSQL server headers found by '$(PG_CONFIG) --pgxs': run 'make deps', or set PG_CONFIG" >&2
	@exit 1
clean:
endif

sql/userstream--$(EXTVERSION).sql: $(SQL_PARTS)
	cat $^ > $@.tmp && mv $@.tmp $@

# a server from 18 on shows a module's version
extension/userstream.o: extension/userstream.control

# Debian's PGXS tracks no headers; bitcode follows the object of its source
-include $(OBJS:.o=.d)
$(OBJS:.o=.bc): %.bc: %.o

# ---------------------------------------------------------------------------
# tests, demo, measurements: all of it in one state folder, nothing installed
# in the system.  A server must not run as root, so test/servers/user hands
# the run-* targets to an unprivileged user, with a copy of these sources.
# ---------------------------------------------------------------------------

STATE ?= $(shell test/servers/user --state)
DEMO_PG_PORT ?= 15432
DEMO_KAFKA_PORT ?= 19092
DEMO_HTTP_PORT ?= 5000
DEMO_CASSANDRA_PORT ?= 19042
API_URL ?=
CASSANDRA ?= 1
TEST_KAFKA_PORT ?= 20092
TEST_PARTS ?= lint unit sql tap
TESTS ?=
GROUP ?=
MATRIX ?= 15 16 17 18 15-17 docker
WAYS ?= sse2 plain parser input executor rows
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
# live tests at a time: they wait more than they work, but each has servers
TEST_JOBS ?= $(shell n=$$(nproc); echo $$((n < 3 ? n : 3)))

# bitcode is for the planner's JIT only, and doubles the time of a build
AS_USER = test/servers/user $(STATE) $(MAKE) --no-print-directory with_llvm=no $(MAKEOVERRIDES)

.PHONY: dist compile_commands.json help run-checked-dashboard dashboard plotly prometheus pictures deps test test-sanitized test-forced test-matrix analyze fuzz soak reference demo demo-stop bench lint tree run-build run-dashboard run-tools run-test run-test-sanitized run-test-forced run-fuzz run-demo run-bench run-tree

help:
	@echo "make              build for the PostgreSQL of pg_config (PG_CONFIG=$(PG_CONFIG))"
	@echo "make install      install into that PostgreSQL"
	@echo "make dashboard    build the dashboard into DASHBOARD=$(DASHBOARD) (dashboard/README.md)"
	@echo "make deps         install the packages that are missing (apt, by sudo when not root), fetch Kafka"
	@echo "                  and Cassandra; CASSANDRA=0 leaves that out, here and below"
	@echo "make plotly       fetch Plotly (by npm): charts of the demo's page Users that one can zoom; demo does it too"
	@echo "make prometheus   fetch Prometheus' promtool: a test of /metrics asks it once it is there"
	@echo "make demo         private PostgreSQL, Kafka, Cassandra, sample API; users go the whole road each minute,"
	@echo "                  until demo-stop.  API_URL='https://randomuser.me/api/?results=100' calls that one"
	@echo "                  DEMO_PG_PORT=$(DEMO_PG_PORT) DEMO_KAFKA_PORT=$(DEMO_KAFKA_PORT) (and the next one)"
	@echo "                  DEMO_CASSANDRA_PORT=$(DEMO_CASSANDRA_PORT) (and the next one) DEMO_HTTP_PORT=$(DEMO_HTTP_PORT): the dashboard"
	@echo "make demo-stop    end what demo started"
	@echo "make test         all tests, or some: TEST_PARTS='$(TEST_PARTS)' TESTS='test/t/x.pl ...'"
	@echo "                  or those of a group: GROUP='SQL stream API Cassandra dashboard' (test/groups)"
	@echo "                  TEST_KAFKA_PORT=$(TEST_KAFKA_PORT) is the first port that is tried,"
	@echo "                  TEST_JOBS=$(TEST_JOBS) so many live tests run at a time"
	@echo "make test-matrix  PostgreSQL 15 to 18, from one to another, the packages and the Docker files, in folders with"
	@echo "                  other Debians in them; root.  MATRIX='$(MATRIX)'; test/README.md"
	@echo "make fuzz         random input for the decoders, the CQL client and the dashboard, FUZZ_SECONDS=$(FUZZ_SECONDS) each"
	@echo "make pictures     the dashboard's pages as pictures, into dashboard/screenshots"
	@echo "make reference    sql/README.md, from the comments of the extension's objects"
	@echo "make soak         an hour of random faults on all of the way; SOAK_* variables: test/README.md"
	@echo "make bench        the measurements; BENCH_* variables: test/bench/README.md"
	@echo "make analyze      clang-tidy, cppcheck and gcc's analyzer over all C files, or ANALYZE='x.c ...'; minutes"
	@echo "make test-sanitized   tests with an extension that ASan and UBSan watch: TESTS, TEST_PARTS as for test"
	@echo "make test-forced  tests with each of several ways to one result always taken: WAYS='$(WAYS)'"
	@echo "make lint         formatting, directions of includes, links and spelling of the documents"
	@echo "make compile_commands.json   for editors and clang's tools: how each source is compiled"
	@echo "make dist         userstream-$(DISTVERSION).zip for PGXN, of the last commit, once META.json is in order"
	@echo "make tree         a private PostgreSQL tree with this build, for work by hand (test/README.md)"
	@echo "make clean        remove what make built"
	@echo "STATE=$(STATE)"
	@echo "                  holds all that deps, demo, test and bench make; may be removed"

# by itself: it needs none of PostgreSQL's server headers, and the extension none of its libraries
DASHBOARD ?= $(CURDIR)/dashboard/build

dashboard:
	@$(MAKE) --no-print-directory -C dashboard BUILD=$(DASHBOARD)

# never a must: without it the charts are the dashboard's own pictures
plotly:
	@exec test/servers/user $(STATE) test/servers/deps plotly $(STATE)

# for test/t/520_monitoring.pl: it runs without, and asks them too where they are
prometheus:
	@exec test/servers/user $(STATE) test/servers/deps prometheus $(STATE)

deps:
	@test/servers/deps packages
	@exec test/servers/user $(STATE) test/servers/deps jars $(STATE) kafka $(if $(filter 0,$(CASSANDRA)),,cassandra)

# three numbers are what PGXN wants
DISTVERSION = $(EXTVERSION)$(if $(word 3,$(subst ., ,$(EXTVERSION))),,.0)

# with the script that CREATE EXTENSION runs, which META.json names
dist: sql/userstream--$(EXTVERSION).sql
	@test/meta $(EXTVERSION)
	git archive --format=zip --prefix=userstream-$(DISTVERSION)/sql/ --add-file=$< \
		--prefix=userstream-$(DISTVERSION)/ -o userstream-$(DISTVERSION).zip HEAD

# in a command the quotes of a definition are the shell's, and in JSON escaped again
compile_commands.json:
	@{ for file in $(OBJS:.o=.c); do echo "$$file $(subst \",\\\",$(CC) $(filter-out -MMD -MP,$(CFLAGS)) $(CPPFLAGS))"; done; \
		for file in dashboard/*.c; do echo "$$file $(CC) -std=gnu11 -Wall -Wextra -I. -I$(shell $(PG_CONFIG) --includedir) -DUS_STYLE= -DUS_SCRIPT="; done; } | \
		perl -MJSON::PP -ne 'chomp; my ($$file, $$how) = split / /, $$_, 2;' \
			-e 'push @all, { directory => "$(CURDIR)", file => $$file, command => "$$how -c -o /dev/null $$file" };' \
			-e 'END { print JSON::PP->new->pretty->canonical->encode(\@all) }' > $@.tmp && mv $@.tmp $@

# the second compiler; the first one's warnings are errors of the build
lint: sql/userstream--$(EXTVERSION).sql
	@test/lint
	@test/lint_documents
	@test/meta $(EXTVERSION)
ifneq ($(and $(PGXS),$(wildcard $(CLANG))),)
	@printf '%s\n' $(OBJS:.o=.c) $(wildcard test/servers/*.c) | xargs -n 4 -P $(JOBS) \
		$(CLANG) $(CPPFLAGS) -std=gnu11 -Wall -Wextra -Werror -Wdeclaration-after-statement -fsyntax-only
	@if [ -e /usr/include/fcgiapp.h ]; then $(CLANG) -std=gnu11 -Wall -Wextra -Werror -Wdeclaration-after-statement \
		-fsyntax-only -I. -isystem $(shell $(PG_CONFIG) --includedir) -DUS_STYLE='""' -DUS_SCRIPT='""' -DUS_PLOTS='""' dashboard/*.c; fi
	@echo "lint: clang has no warning"
endif
# on Linux nothing is hidden: a plain name could meet another library's
	@if [ -e userstream.so ] && nm -D --defined-only userstream.so | awk '{ print $$3 }' | \
		grep -vE '^(us_|MyUs|pg_finfo_us_|_PG_init$$|Pg_magic_func$$)'; then \
		echo "lint: names above have no prefix of ours"; exit 1; fi

# minutes of each core: clang-tidy, cppcheck and gcc's analyzer; ANALYZE names files
ANALYZE ?=

analyze:
	@test/servers/deps analyzers
	@exec test/analyze $(JOBS) $(ANALYZE)

test: deps
	@exec $(AS_USER) run-test STATE=$(STATE)

# gcc's sanitizers watch the extension inside the server; TESTS as for make test
test-sanitized: deps
	@exec $(AS_USER) run-test-sanitized STATE=$(STATE)

# each of several ways to one result (worker/forced.h) is always taken, in turn; TESTS as for make test
test-forced: deps
	@exec $(AS_USER) run-test-forced STATE=$(STATE)

# root: it makes folders with other Debians in them
test-matrix: deps
	@exec test/matrix/run $(STATE) "$(MATRIX)"

fuzz: deps
	@exec $(AS_USER) run-fuzz STATE=$(STATE)

# those of the README, taken anew from the pages of the browser's test
PICTURES = users_desktop users_dark stream_desktop feeds_dark dead_letters_desktop streams_phone

pictures:
	@USERSTREAM_PICTURES=$(STATE)/pictures $(MAKE) --no-print-directory test TEST_PARTS=tap TESTS=test/t/510_browser.pl
	@mkdir -p dashboard/screenshots
	@cp $(PICTURES:%=$(STATE)/pictures/%.png) dashboard/screenshots/
	@if command -v pngquant >/dev/null; then cd dashboard/screenshots && \
		pngquant --force --skip-if-larger --strip --ext .png 128 $(PICTURES:%=%.png) || [ $$? = 98 ]; fi

# from a server's own comments; the test of that name fails where it is out of step
reference:
	@rm -rf $(STATE)/reference && test/servers/user $(STATE) mkdir -p $(STATE)/reference
	@USERSTREAM_REFERENCE=$(STATE)/reference $(MAKE) --no-print-directory test TEST_PARTS=tap TESTS=test/t/601_reference.pl
	@cp $(STATE)/reference/README.md sql/README.md

soak: deps
	@exec $(AS_USER) run-test TEST_PARTS=soak STATE=$(STATE)

demo: deps
	@-if command -v npm >/dev/null; then test/servers/user $(STATE) test/servers/deps plotly $(STATE); fi
	@exec $(AS_USER) run-demo STATE=$(STATE)

demo-stop:
	@exec test/servers/user $(STATE) test/servers/demo stop $(STATE)

bench: deps
	@exec $(AS_USER) run-bench STATE=$(STATE)

tree: deps
	@exec $(AS_USER) run-tree STATE=$(STATE)

ifneq ($(filter run-%,$(MAKECMDGOALS)),)
TOOLS = $(addprefix $(STATE)/bin/,users topic produce rights mock_kafka)

$(STATE)/bin/%: test/servers/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -o $@ $< -lrdkafka

run-build:
	@$(MAKE) -s -j$(JOBS) all run-tools

CQL_TOOLS = $(addprefix $(STATE)/bin/,cql cql_types)

$(CQL_TOOLS): $(STATE)/bin/%: test/servers/%.c test/servers/cql_client.c test/servers/cql_client.h \
		test/unit/tap.c worker/tls_socket.o $(CQL_OBJS)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -I. $(SANITIZERS) -o $@ $(filter %.c %.o,$^) -lssl -lcrypto

run-tools: $(TOOLS) $(CQL_TOOLS)

run-test: run-build run-dashboard run-checked-dashboard
	@exec test/run $(STATE) "$(TEST_KAFKA_PORT)" "$(TEST_JOBS)" "$(TEST_PARTS)" "$(GROUP)" $(TESTS)

run-test-sanitized:
	@exec test/sanitized $(STATE) "$(TEST_KAFKA_PORT)" "$(TEST_JOBS)" "$(filter-out lint unit,$(TEST_PARTS))" $(TESTS)

run-test-forced:
	@exec test/forced $(STATE) "$(TEST_KAFKA_PORT)" "$(TEST_JOBS)" "$(filter-out lint unit,$(TEST_PARTS))" "$(WAYS)" $(TESTS)

run-fuzz:
	@$(MAKE) -s -j$(JOBS) -C test/unit BUILD=$(STATE)/fuzz SECONDS=$(FUZZ_SECONDS) fuzz

# Plotly is served once make plotly has fetched it
run-dashboard:
	@$(MAKE) -s -j$(JOBS) -C dashboard BUILD=$(STATE)/dashboard
	@if [ -d $(STATE)/plotly ]; then cp $(STATE)/plotly/plotly-* $(STATE)/dashboard/www/static/; fi

# as CGI the tests run one that the sanitizers watch
run-checked-dashboard:
	@$(MAKE) -s -j$(JOBS) -C dashboard BUILD=$(STATE)/dashboard-checked $(STATE)/dashboard-checked/dashboard \
		CFLAGS="-DUS_WORDS_STRICT -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"

run-demo: run-build run-dashboard
	@exec test/servers/demo start $(STATE) $(DEMO_PG_PORT) $(DEMO_KAFKA_PORT) $(DEMO_HTTP_PORT) \
		$(if $(filter 0,$(CASSANDRA)),0,$(DEMO_CASSANDRA_PORT)) '$(API_URL)'

run-bench: run-build run-dashboard
	@test/servers/tree $(STATE) bench
	@. test/servers/env.sh && userstream_env $(STATE) bench && exec test/bench/run

run-tree: run-build
	@test/servers/tree $(STATE) tree
	@echo "tree ready: . test/servers/env.sh && userstream_env $(STATE) tree"
endif
