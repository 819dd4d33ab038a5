#!/bin/sh
# What `make check` and the tests need beyond Rust, fetched once into target/ through the registries' own clients.
set -eu
SCHEMATHESIS=4.32.5
cd "$(dirname "$0")/.."

# A bare machine has Debian's registry and little else.
install() { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$1"; }
need() { command -v "$1" >/dev/null || install "$1"; }
need curl
need npm
need patch
need python3

command -v cargo-deny >/dev/null || cargo install --locked --debug --root target/tools cargo-deny@0.20.2

# Schemathesis puts the server to its own OpenAPI document.
if ! target/venv/bin/schemathesis --version 2>/dev/null | grep -q "$SCHEMATHESIS"; then
  python3 -m venv target/venv 2>/dev/null || { install python3-venv; python3 -m venv target/venv; }
  target/venv/bin/pip install --quiet "schemathesis==$SCHEMATHESIS"
fi

# lodash stands for "a library from npm" in the tests; nothing of it is committed.
if [ ! -s target/npm/package/lodash.js ]; then
  mkdir -p target/npm
  npm pack --silent --pack-destination target/npm lodash@4.17.21 >/dev/null
  tar -xzf target/npm/lodash-4.17.21.tgz -C target/npm
fi

# The guest's workspace resolves only beside the engine's patched sources, and cargo-deny reads it.
guest/build.sh sources
