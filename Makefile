#   make demo             install missing packages, build, and process sample pictures
#   make check            install missing packages, build, and run every test; with SANITIZE=1 the unit tests,
#                         the presses and the gateway have AddressSanitizer and UndefinedBehaviorSanitizer
#   make check-quick      what needs neither root nor an installation: the includes and the unit tests
#   make run              like demo, but keep running for you to try
#   make deps             install missing Debian packages
#   make                  build the extension, the press and the gateway
#   make install          install them (as root)
#   make check-sanitized  run the unit tests with AddressSanitizer (minutes)
#   make fuzz             look for inputs that break something, for a minute each target (SECONDS=60);
#                         TARGETS="csv wire" chooses
#   make matrix           run every test in clean chroots of Debian 12, 13 and testing (half an hour);
#                         SUITES="trixie ..." chooses
#   make faults           break a busy imgpress in many ways and check that nothing is lost;
#                         SECONDS=60 how long, SEED=n repeats the order of a run
#   make bench            run all benchmarks (minutes); make bench-codec: one of them;
#                         make bench-quality: compare files at equal visual quality, apart from the others;
#                         make bench-publish: copy the results into docs/performance.md
#   make format           format the C++ sources
#   make lint             look for mistakes in the sources of all languages (minutes)

PG_CONFIG ?= pg_config
PREFIX ?= /usr/local
BUILD ?= build
JOBS ?= $(shell nproc)
PYTHON ?= /usr/bin/python3
# For installing into system folders; empty for root.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all deps extension archives programs install uninstall demo run check check-quick check-unit \
        check-boundaries check-sql check-end-to-end check-sanitized sanitized-programs matrix faults fuzz \
        bench bench-programs bench-publish format lint clean

all: extension programs

deps:
	@SUDO="$(SUDO)" scripts/install-dependencies

EXTENSION_MAKE = $(MAKE) --silent -C extension PG_CONFIG=$(PG_CONFIG) \
                 BUILD=$(abspath $(BUILD))

extension: archives
	@$(EXTENSION_MAKE) -j$(JOBS) all

archives: $(BUILD)/CMakeCache.txt
	@cmake --build $(BUILD) --parallel $(JOBS) --target imgpress-archives

# After the archives, because two builds must not run in one folder at the same time.
programs: archives
	@cmake --build $(BUILD) --parallel $(JOBS) --target imgpress-press imgpress-gateway

# Errors and warnings are shown, and what else CMake found only with them.
$(BUILD)/CMakeCache.txt:
	@mkdir -p $(BUILD)
	@cmake -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(CMAKE_FLAGS) >$(BUILD)/configure.log || \
	    { cat $(BUILD)/configure.log; exit 1; }

UNIT := lib/systemd/system/imgpress-gateway.service

install: all
	@$(SUDO) $(EXTENSION_MAKE) install
	@$(SUDO) install -D -m 755 $(BUILD)/imgpress-press $(DESTDIR)$(shell $(PG_CONFIG) --bindir)/imgpress-press
	@$(SUDO) install -D -m 755 $(BUILD)/imgpress-gateway $(DESTDIR)$(PREFIX)/bin/imgpress-gateway
	@sed 's,@PREFIX@,$(PREFIX),' gateway/imgpress-gateway.service | \
	    $(SUDO) install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/$(UNIT)
	@echo "Installed imgpress for $$($(PG_CONFIG) --version), and the gateway in $(DESTDIR)$(PREFIX)/bin"

uninstall:
	@$(SUDO) $(EXTENSION_MAKE) uninstall
	@$(SUDO) rm -f $(DESTDIR)$(shell $(PG_CONFIG) --bindir)/imgpress-press \
	    $(DESTDIR)$(PREFIX)/bin/imgpress-gateway $(DESTDIR)$(PREFIX)/$(UNIT)

# A second make, because pg_config may have been installed only just now.
demo run: deps
	@$(MAKE) install
	@$(PYTHON) demo/demo.py $(if $(filter run,$@),--stay)

check: deps
	@$(MAKE) install
	@$(MAKE) check-boundaries $(if $(SANITIZE),check-sanitized,check-unit) check-sql check-end-to-end

# Needs no PostgreSQL and no root: packages that are missing are named, not installed.
check-quick:
	@scripts/install-dependencies quick
	@$(MAKE) check-boundaries check-unit

# Optional pictures; without them some tests are skipped.
CORPUS := $(wildcard $(CURDIR)/../shared/corpus)
export IMGPRESS_CORPUS ?= $(CORPUS)

check-boundaries:
	@scripts/check-boundaries

CTEST = cd $(BUILD) && ctest --output-on-failure --parallel $(JOBS)

# Where a line cannot be overwritten by the next one, only tests that did not pass are listed.
check-unit: $(BUILD)/CMakeCache.txt
	@cmake --build $(BUILD) --parallel $(JOBS) --target imgpress_unit_tests
	@if [ -t 1 ]; then $(CTEST) --progress; else $(CTEST) --quiet --output-log unit-tests.log; status=$$?; \
	    grep -vE '^ *(Start|[0-9]+/[0-9]+ .* Passed) |HANDLER_OUTPUT' unit-tests.log; exit $$status; fi

# With AddressSanitizer and UndefinedBehaviorSanitizer, in a separate folder: such archives cannot be
# linked into the extension.
SANITIZED := $(BUILD)-sanitized

SANITIZED_FLAGS = BUILD=$(SANITIZED) CMAKE_FLAGS="-DIMGPRESS_SANITIZE=ON $(CMAKE_FLAGS)"

check-sanitized: deps
	@$(MAKE) check-unit $(SANITIZED_FLAGS)

sanitized-programs:
	@$(MAKE) $(SANITIZED)/CMakeCache.txt $(SANITIZED_FLAGS)
	@cmake --build $(SANITIZED) --parallel $(JOBS) --target imgpress-press imgpress-gateway

# With libFuzzer and the same sanitizers; needs clang. Without TARGETS: all of tests/fuzz.
FUZZED := $(BUILD)-fuzz
SECONDS ?= 60

fuzz:
	@SUDO="$(SUDO)" scripts/install-dependencies fuzz
	@$(MAKE) $(FUZZED)/CMakeCache.txt BUILD=$(FUZZED) \
	    CMAKE_FLAGS="-DCMAKE_CXX_COMPILER=clang++ -DIMGPRESS_FUZZ=ON $(CMAKE_FLAGS)"
	@cmake --build $(FUZZED) --parallel $(JOBS) --target imgpress-fuzz
	@scripts/fuzz $(FUZZED)/imgpress-fuzz $(SECONDS) $(TARGETS)

matrix:
	@mkdir -p build/matrix  # as the user, who can then remove what root leaves there
	@$(SUDO) env IMGPRESS_CORPUS="$(IMGPRESS_CORPUS)" scripts/matrix $(SUITES)

SQL_TESTS := tests/sql/*.sql tests/sql/*/*.sql

check-sql:
	@$(PYTHON) tests/harness/with_cluster.py --setting client_min_messages=warning \
	    --create-extension --create-extension pgtap -- \
	    pg_prove $(SQL_TESTS)

# With SANITIZE=1 the press and the gateway have the sanitizers, and a report of theirs is a failure. The extension
# has not: PostgreSQL would have to have them, too.
ifdef SANITIZE
check-end-to-end: sanitized-programs
check-end-to-end: export IMGPRESS_PRESS = $(abspath $(SANITIZED))/imgpress-press
check-end-to-end: export IMGPRESS_GATEWAY = $(abspath $(SANITIZED))/imgpress-gateway
check-end-to-end: export IMGPRESS_PATIENCE = 3
endif

END_TO_END_TESTS := tests/end_to_end

check-end-to-end:
	@$(PYTHON) -m pytest -q --numprocesses 3 --dist loadfile $(END_TO_END_TESTS)

faults: deps
	@$(MAKE) install
	@$(PYTHON) tests/faults/run.py --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

# Programs in bench/, without .py; each prints its tables and writes them to results/.
BENCHES := codec pipeline nightly codecs overhead backlog submission gateway attach
# `make bench` leaves this one out: it takes long, and needs programs that not every release of Debian has.
BENCHES_APART := quality
BENCH_TARGETS := $(addprefix bench-,$(BENCHES) $(BENCHES_APART))
.PHONY: $(BENCH_TARGETS)

bench: bench-programs
	@echo "This takes about 7 minutes on two idle cores."
	@for name in $(BENCHES); do echo && $(PYTHON) bench/$$name.py || exit 1; done
	@$(PYTHON) bench/plot.py

$(BENCH_TARGETS): bench-programs
	@$(PYTHON) bench/$(@:bench-%=%).py
	@$(PYTHON) bench/plot.py

bench-programs:
	@SUDO="$(SUDO)" scripts/install-dependencies bench
	@$(MAKE) install
	@cmake --build $(BUILD) --parallel $(JOBS) --target imgpress-bench

# Uses the results of the last runs.
bench-publish:
	@$(PYTHON) bench/plot.py
	@$(PYTHON) bench/publish.py

SOURCES = $(shell git ls-files '*.cpp' '*.hpp')

format:
	@clang-format -i $(SOURCES)

# A folder that is configured only: clang-tidy can't read headers that another compiler has precompiled.
LINTED := $(BUILD)-lint

lint:
	@SUDO="$(SUDO)" scripts/install-dependencies lint
	@$(MAKE) --silent $(LINTED)/CMakeCache.txt BUILD=$(LINTED) CMAKE_FLAGS=-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON
	@$(MAKE) --silent check-boundaries
	@scripts/lint $(LINTED) $(PG_CONFIG)

clean:
	@$(EXTENSION_MAKE) clean
	@rm -rf $(BUILD) $(SANITIZED) $(FUZZED) $(LINTED) .run
