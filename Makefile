# Weir's thin Makefile: Meson does the building, tools/ holds what needs more than a line.
#   make run      set up, build, start Weir on http://127.0.0.1:8080 with documents to ask
#   make test     set up, build, run every test; ends with "N passed, N failed"
MAKEFLAGS += --no-print-directory
JOBS      ?= $(shell nproc)
DATA      ?= data
PREFIX    ?= /usr/local

.PHONY: all setup build run test check lint format fuzz bench eval sdk docs install release clean

all: build

setup:
	@tools/setup build

build: setup
	@tools/build release

run: build
	@exec build/weir serve --data-dir $(DATA) $(ARGS)

test:
	@tools/test

lint:
	@tools/setup lint
	@tools/lint

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

# make fuzz SECONDS=60 TARGETS="json http_request"
fuzz:
	@tools/setup fuzz
	@tools/fuzz $(or $(SECONDS_EACH),$(SECONDS),60) $(TARGETS)

bench: build
	@tools/setup bench
	@tools/build release bench/rig
	@tools/bench $(ARGS)

eval: build
	@tools/build release tests/quality/weir_eval
	@build/tests/quality/weir_eval $(ARGS)

docs: build
	@tools/docs

install: build
	@meson configure build -Dprefix=$(PREFIX) && tools/build release
	@meson install -C build --no-rebuild --quiet --skip-subprojects $(if $(DESTDIR),--destdir $(DESTDIR))

# make release KEY=release.pem: what is published, in dist/ (docs/releases.md)
release:
	@tools/setup release
	@tools/release $(if $(KEY),--key $(KEY))

clean:
	rm -rf build build-* dist
