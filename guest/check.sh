#!/usr/bin/env bash
# check.sh FRESH.wasm: proves that prebuilt/guest.wasm is what these sources build.
#
#   0  the bytes are the same
#   1  they differ, or the build failed
#   3  the machine's compiler isn't the one that built it, so bytes can't be compared: FRESH.wasm is today's guest, for
#      the tests to run on (VM_SYSTEM_GUEST)
set -euo pipefail

guest=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fresh=$(realpath -m "${1:?check.sh FRESH.wasm}")

(cd "$guest/prebuilt" && sha256sum --quiet -c guest.wasm.sha256 typescript.wasm.sha256)
mkdir -p "$(dirname "$fresh")"
"$guest/build.sh" build "$fresh"

if ! versions=$("$guest/build.sh" versions); then
  echo "guest: the toolchain's versions can't be read" >&2
  exit 1
fi
if ! diff "$guest/prebuilt/toolchain.txt" - <<<"$versions" >&2; then
  echo "guest: WARNING: another compiler than the one that built prebuilt/guest.wasm; $fresh is its build" >&2
  exit 3
fi
if ! cmp "$guest/prebuilt/guest.wasm" "$fresh" >&2; then
  echo "guest: prebuilt/guest.wasm isn't what the sources build: run guest/build.sh and commit prebuilt/" >&2
  exit 1
fi
rm -f "$fresh"
"$guest/build.sh" typescript "$fresh"
if ! cmp "$guest/prebuilt/typescript.wasm" "$fresh" >&2; then
  echo "guest: prebuilt/typescript.wasm isn't what the sources build: run guest/build.sh and commit prebuilt/" >&2
  exit 1
fi
rm -f "$fresh"
echo "guest: prebuilt/guest.wasm is what the sources build"
