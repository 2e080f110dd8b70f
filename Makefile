# imgpress: the front door.
#
#   make demo     install what is missing, build, and show the whole job on sample pictures
#   make check    install what is missing, build, and run every test
#   make run      the demo, but it stays up for you to try
#   make deps     install the Debian packages that are missing
#   make          build the extension, the press and the gateway
#   make install  put them in place (as root)
#   make check-sanitized  the unit tests under AddressSanitizer (minutes)
#   make bench    measure codec and pipeline against what they replace (minutes); make bench-codec
#                 or any other module alone; make bench-publish writes the tables into the docs
#   make format   rewrite the sources after .clang-format;  make lint  check them

PG_CONFIG ?= pg_config
PREFIX ?= /usr/local
BUILD ?= build
JOBS ?= $(shell nproc)
PYTHON ?= /usr/bin/python3
# Needed for system folders only; empty for root.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := all
.PHONY: all deps extension archives programs install uninstall demo run check check-unit check-boundaries \
        check-sql check-end-to-end check-sanitized bench bench-programs bench-publish format lint clean

all: extension programs

deps:
	@SUDO="$(SUDO)" scripts/install-dependencies

EXTENSION_MAKE = $(MAKE) --no-print-directory -C extension PG_CONFIG=$(PG_CONFIG) BUILD=$(abspath $(BUILD))

extension: archives
	@$(EXTENSION_MAKE) --silent -j$(JOBS) all

archives: $(BUILD)/CMakeCache.txt
	@cmake --build $(BUILD) --parallel $(JOBS) --target imgpress-archives

# Behind the archives: two builds in one folder at a time would be in each other's way.
programs: archives
	@cmake --build $(BUILD) --parallel $(JOBS) --target imgpress-press imgpress-gateway

$(BUILD)/CMakeCache.txt:
	@cmake -S . -B $(BUILD) -DCMAKE_INSTALL_PREFIX=$(PREFIX) $(CMAKE_FLAGS)

install: all
	$(SUDO) $(EXTENSION_MAKE) install
	$(SUDO) install -D -m 755 $(BUILD)/imgpress-press $(DESTDIR)$(shell $(PG_CONFIG) --bindir)/imgpress-press
	$(SUDO) install -D -m 755 $(BUILD)/imgpress-gateway $(DESTDIR)$(PREFIX)/bin/imgpress-gateway

uninstall:
	$(SUDO) $(EXTENSION_MAKE) uninstall
	$(SUDO) rm -f $(DESTDIR)$(shell $(PG_CONFIG) --bindir)/imgpress-press $(DESTDIR)$(PREFIX)/bin/imgpress-gateway

# What `make deps` installs is only there for the make that runs after it.
demo run: deps
	@$(MAKE) --no-print-directory install
	@$(PYTHON) demo/demo.py $(if $(filter run,$@),--stay)

check: deps
	@$(MAKE) --no-print-directory install
	@$(MAKE) --no-print-directory check-boundaries check-unit check-sql check-end-to-end

# Optional pictures: tests that want them are skipped where they are not.
CORPUS := $(wildcard $(CURDIR)/../shared/corpus)
export IMGPRESS_CORPUS ?= $(CORPUS)

check-boundaries:
	@scripts/check-boundaries

check-unit:
	@cmake --build $(BUILD) --parallel $(JOBS)
	@cd $(BUILD) && ctest --progress --output-on-failure --parallel $(JOBS)

# The unit tests with AddressSanitizer and UndefinedBehaviorSanitizer. In a folder of its own: what is
# built so can't be linked into PostgreSQL's library.
SANITIZED := $(BUILD)-sanitized

check-sanitized: deps
	@cmake -S . -B $(SANITIZED) -DIMGPRESS_SANITIZE=ON $(CMAKE_FLAGS)
	@$(MAKE) --no-print-directory check-unit BUILD=$(SANITIZED)

check-sql:
	@$(PYTHON) tests/harness/with_cluster.py --create-extension --create-extension pgtap -- \
	    pg_prove tests/sql/*.sql

check-end-to-end:
	@$(PYTHON) -m pytest -q tests/end_to_end

# Programs in bench/, without .py; each prints its tables and writes them to results/.
BENCHES := codec pipeline codecs overhead backlog submission gateway
BENCH_TARGETS := $(addprefix bench-,$(BENCHES))
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
	@$(MAKE) --no-print-directory install
	@cmake --build $(BUILD) --parallel $(JOBS) --target imgpress-bench

# From the results of the last runs.
bench-publish:
	@$(PYTHON) bench/plot.py
	@$(PYTHON) bench/publish.py

SOURCES = $(shell git ls-files '*.cpp' '*.hpp')

format:
	@clang-format -i $(SOURCES)

lint: $(BUILD)/CMakeCache.txt
	@clang-format --dry-run --Werror $(SOURCES)
	@scripts/check-boundaries
	@clang-tidy --quiet -p $(BUILD) $(shell git ls-files extension/core extension/channel extension/drain | grep cpp$$)

clean:
	@$(EXTENSION_MAKE) clean
	@rm -rf $(BUILD) $(SANITIZED) .run
