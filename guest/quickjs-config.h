/* Force-included before QuickJS's C sources: how the engine is configured for WebAssembly.
 *
 * quickjs.c switches its stack check off when __wasi__ is defined, so that deep recursion ends in a trap instead of a
 * RangeError and JS_SetMaxStackSize() does nothing. Whatever else tests __wasi__ there is also covered by EMSCRIPTEN,
 * which rquickjs-sys defines. So the libc headers, which need __wasi__, are read first, and then it is hidden. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#undef __wasi__

/* js__malloc_usable_size() answers 0 unless one of these is defined: the memory limit and the collector would count
 * 8 bytes a block and never the block itself. wasi-libc's dlmalloc has malloc_usable_size(). */
#include <malloc.h>
#define __GLIBC__ 2
