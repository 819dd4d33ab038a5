#!/usr/bin/env bash
# Builds the JavaScript guest for wasm32-wasip1 from package registries alone: Debian (compiler, LLVM, the sources of std
# and of wasi-libc) unpacked into a private prefix, crates.io and npm. Nothing is installed into the system, no root.
#
#   build.sh                 toolchain, build, and everything in prebuilt/
#   build.sh toolchain       only the toolchain (minutes, 0.9 GB, once)
#   build.sh sources         only the engine's sources, patched: what cargo needs to resolve this workspace
#   build.sh build OUT.wasm  the guest
#   build.sh typescript OUT.wasm   the converter from TypeScript
#   build.sh versions        versions of the compilers, as in prebuilt/toolchain.txt
#
#   GUEST_TC            prefix of the toolchain (default ~/.cache/guest-tc)
#   GUEST_TARGET_DIR    cargo's target directory (default target/ beside this script)
#   GUEST_NO_COUNTDOWN  set: leave the loop countdown out, to measure its cost
set -euo pipefail

guest=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=${GUEST_TC:-$HOME/.cache/guest-tc}
target_dir=${GUEST_TARGET_DIR:-$guest/target}
cargo=${CARGO:-cargo}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
triple=wasm32-wasip1
usr=$prefix/root/usr

say() { printf '== %s (%ss)\n' "$*" "$SECONDS" >&2; }

# Which Debian packages: the newest rustc for the web, and the LLVM that it is built with.
pick_packages() {
  if ! compgen -G "$prefix/.unpacked-*" >/dev/null; then
    # stale lists would give a compiler that is years older
    apt-get update -qq || say "apt-get update failed: going on with the lists that are there"
    rust_version=$(apt-cache policy rustc-web | awk '/Candidate:/{print $2}')
    llvm_major=$(apt-cache depends "libstd-rust-web-$(release_of "$rust_version")" |
      sed -n 's/.*Depends: libllvm\([0-9]*\)$/\1/p')
  else
    rust_version=$(cd "$prefix" && compgen -G '.unpacked-*' | sed 's/^\.unpacked-//')
    llvm_major=$(cd "$usr/lib" && compgen -G 'llvm-*' | sed 's/^llvm-//')
  fi
  rust_release=$(release_of "$rust_version")
  llvm=$usr/lib/llvm-$llvm_major
  libs=$usr/lib/x86_64-linux-gnu
}

release_of() { echo "$1" | cut -d. -f1,2; }

unpack() {
  [ -e "$prefix/.unpacked-$rust_version" ] && return
  say "download rustc-web $rust_version, LLVM $llvm_major"
  rm -rf "$prefix/root" "$prefix/debs" "$prefix/sysroot" "$prefix/libc" "$prefix/wasi-libc-src"
  mkdir -p "$prefix/debs" "$prefix/root"
  (cd "$prefix/debs" && apt-get download -qq \
    rustc-web "libstd-rust-web-$rust_release" libstd-rust-web-dev rust-web-src \
    "libllvm$llvm_major" "clang-$llvm_major" "libclang-cpp$llvm_major" "libclang-common-$llvm_major-dev" \
    "libclang1-$llvm_major" "lld-$llvm_major" "llvm-$llvm_major" 2> >(grep -v '^W:' >&2))
  fetch_libc_source
  say "unpack"
  local deb
  for deb in "$prefix"/debs/*.deb; do
    case "$deb" in
      */rust-web-src_*)
        dpkg-deb --fsys-tarfile "$deb" |
          tar -C "$prefix/root" -x --wildcards './usr/src/rustc-*/library*' './usr/lib/rustlib/src*' ;;
      */llvm-"$llvm_major"_*)
        dpkg-deb --fsys-tarfile "$deb" | tar -C "$prefix/root" -x \
          "./usr/lib/llvm-$llvm_major/bin/llvm-ar" "./usr/lib/llvm-$llvm_major/bin/llvm-nm" ;;
      *) dpkg-deb -x "$deb" "$prefix/root" ;;
    esac
  done
  mkdir -p "$prefix/wasi-libc-src"
  tar -C "$prefix/wasi-libc-src" --strip-components=1 -xf "$prefix"/debs/wasi-libc_*.orig.tar.*
  touch "$prefix/.unpacked-$rust_version"
}

# The source package: the binary one is not position independent. Asked for through a private copy of the machine's own
# list, because deb-src is rarely enabled.
fetch_libc_source() {
  local apt=$prefix/apt list
  mkdir -p "$apt/lists/partial"
  if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    list=$apt/src.sources
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$list"
  else
    list=$apt/src.list
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$list"
  fi
  local options=(-qq -o "Dir::Etc::sourcelist=$list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$apt/lists")
  apt-get "${options[@]}" update
  (cd "$prefix/debs" && apt-get "${options[@]}" source --download-only wasi-libc 2> >(grep -v '^W:' >&2))
  rm -rf "$apt"
}

# wrapper NAME COMMAND...: a script that finds the unpacked shared libraries.
wrapper() {
  local name=$1
  shift
  # shellcheck disable=SC2016 # expanded when the wrapper runs
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec %s "$@"\n' "$libs" "$*" \
    >"$prefix/bin/$name"
  chmod +x "$prefix/bin/$name"
}

make_wrappers() {
  mkdir -p "$prefix/bin" "$prefix/wasi-sdk/bin" "$prefix/wasi-sdk/share"
  wrapper rustc "$usr/bin/rustc"
  # Paths of this machine are given here and not in cargo's flags, which go into the names of symbols.
  wrapper rustc-guest "$usr/bin/rustc" "--sysroot=$prefix/sysroot" "\"--remap-path-prefix=$cargo_home=/cargo\"" \
    "\"--remap-path-prefix=$usr=/tc\"" '"--remap-path-prefix=$GUEST_SOURCES=/src"' '"--remap-path-prefix=$GUEST_OUT=/target"'
  wrapper clang "$llvm/bin/clang" "--sysroot=$prefix/wasi-sdk/share/wasi-sysroot"
  wrapper llvm-ar "$llvm/bin/llvm-ar"
  wrapper llvm-nm "$llvm/bin/llvm-nm"
  wrapper wasm-ld "$llvm/bin/wasm-ld"
  wrapper rust-lld "$llvm/bin/lld"
  # rquickjs-sys looks for $WASI_SDK/bin/{clang,ar} and share/wasi-sysroot
  ln -sfn "$prefix/bin/clang" "$prefix/wasi-sdk/bin/clang"
  ln -sfn "$prefix/bin/llvm-ar" "$prefix/wasi-sdk/bin/ar"
  ln -sfn "$prefix/bin/wasm-ld" "$prefix/wasi-sdk/bin/wasm-ld"
  ln -sfn "$prefix/libc" "$prefix/wasi-sdk/share/wasi-sysroot"
}

build_libc() {
  [ -e "$prefix/libc/.done" ] && return
  say "wasi-libc, position independent"
  # dlmalloc of 2022 takes everything up to memory.size as its first heap, and so pages that a component adapter grew
  # before the first malloc. Upstream switched to the linker's __heap_end later; the same here.
  local malloc_c=$prefix/wasi-libc-src/dlmalloc/src/malloc.c
  if ! grep -q __heap_end "$malloc_c"; then
    sed -i -e 's/^extern unsigned char __heap_base;/&\nextern unsigned char __heap_end;/' \
      -e 's/char \*init = (char \*)CALL_MORECORE(0);/char *init = (char *)\&__heap_end;/' "$malloc_c"
    [ "$(grep -c __heap_end "$malloc_c")" = 2 ]
  fi
  LD_LIBRARY_PATH=$libs make -s -C "$prefix/wasi-libc-src" -j"$(nproc)" startup_files libc \
    CC="$llvm/bin/clang" AR="$prefix/bin/llvm-ar" NM="$prefix/bin/llvm-nm" \
    EXTRA_CFLAGS="-O2 -DNDEBUG -fPIC -w -ffile-prefix-map=$prefix=/tc" \
    SYSROOT="$prefix/libc" OBJDIR="$prefix/libc-obj" >"$prefix/libc.log" 2>&1
  ln -sfn wasm32-wasi "$prefix/libc/lib/$triple"
  # the headers of this release are not in a directory per target
  if [ -d "$prefix/libc/include/wasm32-wasi" ]; then
    ln -sfn wasm32-wasi "$prefix/libc/include/$triple"
  else
    ln -sfn . "$prefix/libc/include/$triple"
    ln -sfn . "$prefix/libc/include/wasm32-wasi"
  fi
  rm -rf "$prefix/libc-obj"
  touch "$prefix/libc/.done"
}

build_std() {
  local sysroot=$prefix/sysroot lib=$prefix/sysroot/lib/rustlib/$triple/lib
  [ -e "$sysroot/.done-$rust_version" ] && return
  say "std for $triple"
  mkdir -p "$prefix/std/src"
  : >"$prefix/std/src/lib.rs"
  printf '[package]\nname = "stdprobe"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n' >"$prefix/std/Cargo.toml"
  local flags=(-Cembed-bitcode=yes -Crelocation-model=pic "--remap-path-prefix=$usr/src=/rustc/src"
    "--remap-path-prefix=$usr/lib/rustlib/src/rust=/rustc/src" "--remap-path-prefix=$cargo_home=/cargo" --cfg=guest_std)
  local IFS=$'\x1f'
  env -u RUSTFLAGS RUSTC="$prefix/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$prefix/std/target" \
    CARGO_INCREMENTAL=0 CARGO_ENCODED_RUSTFLAGS="${flags[*]}" \
    "$cargo" build -q --manifest-path "$prefix/std/Cargo.toml" --release -Zbuild-std=std,panic_abort --target "$triple"
  rm -rf "$sysroot"
  mkdir -p "$lib/self-contained"
  cp "$prefix/std/target/$triple/release/deps/"*.rlib "$lib/"
  rm "$lib"/libstdprobe*
  ln -sfn "$usr/lib/rustlib/x86_64-unknown-linux-gnu" "$sysroot/lib/rustlib/x86_64-unknown-linux-gnu"
  cp "$prefix/libc/lib/wasm32-wasi/"{crt1-command.o,crt1-reactor.o,libc.a} "$lib/self-contained/"
  rm -rf "$prefix/std/target"
  touch "$sysroot/.done-$rust_version"
}

toolchain() {
  mkdir -p "$prefix"
  pick_packages
  unpack
  make_wrappers
  local missing
  missing=$(LD_LIBRARY_PATH=$libs ldd "$libs"/libLLVM.so* "$libs"/libclang*.so.* 2>/dev/null |
    awk '/not found/{print $1}' | sort -u | tr '\n' ' ')
  if [ -n "$missing" ]; then
    echo "shared libraries are missing: $missing(apt-get install libedit2 libffi8 libxml2 libz3-4 libzstd1)" >&2
    exit 1
  fi
  build_libc
  build_std
}

# The engine's sources, patched, and wasm-opt.
prepare() {
  local build=$guest/.build source stamp
  stamp=$(cat "$guest/engine-source/Cargo.lock" "$guest"/patches/*.patch | sha256sum | cut -c1-16)
  if [ ! -e "$build/rquickjs-sys/.patched-$stamp" ]; then
    say "engine sources"
    "$cargo" fetch -q --locked --manifest-path "$guest/engine-source/Cargo.toml"
    source=$("$cargo" metadata --format-version 1 --locked --offline --manifest-path "$guest/engine-source/Cargo.toml" |
      grep -o '"manifest_path":"[^"]*/rquickjs-sys-[^"]*/Cargo.toml"' | sed 's/^"manifest_path":"//; s/\/Cargo.toml"$//')
    rm -rf "$build/rquickjs-sys"
    mkdir -p "$build/rquickjs-sys"
    cp -r "$source"/{Cargo.toml,build.rs,quickjs.bind.h,quickjs,src} "$build/rquickjs-sys/"
    chmod -R u+w "$build/rquickjs-sys"
    local patch
    for patch in "$guest"/patches/*.patch; do
      patch -s -p1 -d "$build/rquickjs-sys" <"$patch"
    done
    touch "$build/rquickjs-sys/.patched-$stamp"
  fi
  if ! cmp -s "$guest/package-lock.json" "$build/node_modules/.lock"; then
    say "wasm-opt"
    cp "$guest"/{package.json,package-lock.json,.npmrc} "$build/"
    npm ci --silent --prefix "$build" >/dev/null
    cp "$guest/package-lock.json" "$build/node_modules/.lock"
  fi
}

compile() {
  say "guest"
  local link=(-Crelocation-model=pic -Clink-arg=-shared -Clink-arg=--no-entry -Clink-arg=--allow-undefined)
  local c_flags=(-O3 -fPIC -include "$guest/quickjs-config.h" "-ffile-prefix-map=$target_dir=/target"
    "-ffile-prefix-map=$guest=/src")
  env -u CARGO_ENCODED_RUSTFLAGS -u RUSTFLAGS \
    RUSTC="$prefix/bin/rustc-guest" GUEST_SOURCES="$guest" GUEST_OUT="$target_dir" WASI_SDK="$prefix/wasi-sdk" \
    LIBCLANG_PATH="$llvm/lib" CLANG_PATH="$prefix/bin/clang" LD_LIBRARY_PATH="$libs" \
    CFLAGS_wasm32_wasip1="${c_flags[*]}" CARGO_TARGET_DIR="$target_dir" CARGO_INCREMENTAL=0 \
    CARGO_TARGET_WASM32_WASIP1_LINKER="$prefix/bin/rust-lld" CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="${link[*]}" \
    "$cargo" build -q --locked --manifest-path "$guest/Cargo.toml" --release --target "$triple"
}

build() {
  local out raw=$target_dir/$triple/release/guest.wasm
  out=$(realpath -m "$1")
  toolchain
  prepare
  compile
  mkdir -p "$(dirname "$out")"
  if [ -n "${GUEST_NO_COUNTDOWN:-}" ]; then
    cp "$raw" "$out"
  else
    say "loop countdown"
    CARGO_TARGET_DIR="$target_dir/instrument" \
      "$cargo" run -q --locked --release --manifest-path "$guest/instrument/Cargo.toml" -- "$raw" "$out"
  fi
  say "wasm-opt"
  # never --all-features: it writes compact imports, which wasmtime refuses; the module names its own features
  node "$guest/.build/node_modules/binaryen/bin/wasm-opt" -O3 --strip-debug --strip-producers "$out" -o "$out"
  say "$(basename "$out"): $(stat -c %s "$out") bytes, sha256 $(sha256sum "$out" | cut -c1-16)"
}

# No loop countdown and not position independent: it runs alone, on fuel.
typescript() {
  local out raw=$target_dir/$triple/release/typescript.wasm
  out=$(realpath -m "$1")
  toolchain
  prepare
  say "typescript"
  # A deep source meets the end of this stack or the host's: a trap, as the stack is laid out first.
  env -u CARGO_ENCODED_RUSTFLAGS -u RUSTFLAGS RUSTC="$prefix/bin/rustc-guest" GUEST_SOURCES="$guest" \
    GUEST_OUT="$target_dir" LD_LIBRARY_PATH="$libs" CARGO_TARGET_DIR="$target_dir" CARGO_INCREMENTAL=0 \
    CARGO_TARGET_WASM32_WASIP1_LINKER="$prefix/bin/rust-lld" \
    CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="-Clink-arg=--no-entry -Clink-arg=-zstack-size=8388608" \
    "$cargo" build -q --locked --manifest-path "$guest/typescript/Cargo.toml" --release --target "$triple"
  mkdir -p "$(dirname "$out")"
  node "$guest/.build/node_modules/binaryen/bin/wasm-opt" -O3 --strip-debug --strip-producers "$raw" -o "$out"
  say "$(basename "$out"): $(stat -c %s "$out") bytes, sha256 $(sha256sum "$out" | cut -c1-16)"
}

versions() {
  pick_packages
  echo "rustc-web $rust_version"
  dpkg-deb -f "$prefix"/debs/clang-"$llvm_major"_*.deb Package Version | paste -sd' ' | sed 's/Package: //; s/ Version://'
  dpkg-deb -f "$prefix"/debs/lld-"$llvm_major"_*.deb Package Version | paste -sd' ' | sed 's/Package: //; s/ Version://'
  sed -n 's/^Version: /wasi-libc /p' "$prefix"/debs/wasi-libc_*.dsc | head -1
  sed -n 's/.*"binaryen": "\(.*\)"/binaryen \1/p' "$guest/package.json"
}

prebuilt() {
  local dir=$guest/prebuilt
  build "$dir/guest.wasm"
  (cd "$dir" && sha256sum guest.wasm >guest.wasm.sha256)
  typescript "$dir/typescript.wasm"
  (cd "$dir" && sha256sum typescript.wasm >typescript.wasm.sha256)
  versions >"$dir/toolchain.txt"
  node "$guest/sbom.mjs" "$dir/toolchain.txt" >"$dir/sbom.cdx.json"
}

case "${1:-prebuilt}" in
  prebuilt) prebuilt ;;
  toolchain) toolchain ;;
  sources) prepare ;;
  build) build "${2:?build.sh build OUT.wasm}" ;;
  typescript) typescript "${2:?build.sh typescript OUT.wasm}" ;;
  versions) versions ;;
  *)
    sed -n '2,16p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
