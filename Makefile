# The few verbs a person types. Each calls tools and decides nothing.
MAKEFLAGS += --no-print-directory --no-builtin-rules
# Tools that `make setup` fetches go under target/, never into a person's home.
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

.PHONY: help setup guest guest-check js js-check run check modules-check fmt deny clippy docs build test api-check bench audit ci

help:          ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## /\1\t/p' Makefile | expand -t 14

setup:         ## fetch what `check` and every test need: crates, cargo-deny, schemathesis, lodash
	cargo fetch --locked
	.ci/setup.sh

guest:         ## rebuild guest/prebuilt from package registries (minutes, 0.9 GB)
	guest/build.sh

guest-check:   ## prove that guest/prebuilt is what guest/ builds
	guest/check.sh target/guest-check/guest.wasm

js:            ## rebuild host/sandbox/js/dist: the web's globals and Node's modules
	npm ci --silent --prefix host/sandbox/js
	npm run --silent --prefix host/sandbox/js build

js-check: js   ## prove that host/sandbox/js/dist is what its sources build, and that TypeScript takes all declarations
	@git status --short -- host/sandbox/js/dist | { ! grep . ; } || { echo "commit host/sandbox/js/dist"; exit 1; }
	cargo test --locked --quiet --package tests --test it typescript::declarations_for_the_compiler
	npm run --silent --prefix host/sandbox/js types-check

run:           ## a first look: a script from a file, then the server and a session over HTTP
	docs/examples/tour.sh

check: fmt deny clippy docs modules-check  ## everything that needs no run

modules-check: ## what a native module still lacks
	cargo test --locked --quiet --package tests --test it tidy::every_module_is_complete

fmt:
	cargo fmt --all --check

deny:
	cargo deny --locked check licenses bans sources
	cargo deny --locked --manifest-path guest/Cargo.toml --config deny.toml check licenses bans sources
	cargo deny --locked --manifest-path guest/typescript/Cargo.toml --config deny.toml check licenses bans sources

clippy:
	cargo clippy --locked --workspace --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

build:
	cargo build --locked --workspace

test:          ## every test
	cargo test --locked --workspace

api-check:     ## the server against its own OpenAPI document (Schemathesis; a minute)
	.ci/api-check.sh

bench:         ## the figures of SPECIFICATION.md, with their baselines in the same run
	cargo run --locked --release --package bench --features native

audit:         ## known vulnerabilities of dependencies (needs a network)
	cargo deny --locked check advisories

ci:            ## what .ci/run does, cheap first
	.ci/steps.sh
