# The few verbs a person types. Each calls tools and decides nothing.
MAKEFLAGS += --no-print-directory --no-builtin-rules
# Tools that `make setup` fetches go under target/, never into a person's home.
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

.PHONY: help setup guest guest-check run check fmt deny clippy docs build test api-check bench audit ci

help:          ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## /\1\t/p' Makefile | expand -t 14

setup:         ## fetch what `check` and every test need: crates, cargo-deny, schemathesis, lodash
	cargo fetch --locked
	.ci/setup.sh

guest:         ## rebuild guest/prebuilt from package registries (minutes, 0.9 GB)
	guest/build.sh

guest-check:   ## prove that guest/prebuilt is what guest/ builds
	guest/check.sh target/guest-check/guest.wasm

run:           ## a first look: a script from a file, then the server and a session over HTTP
	docs/examples/tour.sh

check: fmt deny clippy docs  ## everything that needs no run

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
