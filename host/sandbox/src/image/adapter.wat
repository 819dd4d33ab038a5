;; Answers the preview1 imports that std and wasi-libc leave in the guest from vm:session/control, so that no WASI is
;; left in the world. Nine functions, of which only the clock, randomness and the guest's stderr do anything.
(module
  (import "env" "memory" (memory 0))
  (import "vm:session/control@0.1.0" "clock" (func $clock (result i64)))
  (import "vm:session/control@0.1.0" "random" (func $random (result i64)))
  (import "vm:session/control@0.1.0" "log" (func $log (param i32 i32 i32) (result i32)))

  (func (export "clock_time_get") (param $id i32) (param $precision i64) (param $out i32) (result i32)
    (i64.store (local.get $out) (call $clock))
    (i32.const 0))

  (func (export "random_get") (param $at i32) (param $len i32) (result i32)
    (local $bits i64)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $len)))
        (local.set $bits (call $random))
        (if (i32.ge_u (local.get $len) (i32.const 8))
          (then
            (i64.store align=1 (local.get $at) (local.get $bits))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (local.set $len (i32.sub (local.get $len) (i32.const 8))))
          (else
            (i32.store8 (local.get $at) (i32.wrap_i64 (local.get $bits)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $len (i32.sub (local.get $len) (i32.const 1)))))
        (br $next)))
    (i32.const 0))

  ;; stdout and stderr are panic text only: to the host's log, so that it is seen.
  (func (export "fd_write") (param $fd i32) (param $parts i32) (param $count i32) (param $out i32) (result i32)
    (local $total i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (drop (call $log (i32.const 255) (i32.load (local.get $parts)) (i32.load offset=4 (local.get $parts))))
        (local.set $total (i32.add (local.get $total) (i32.load offset=4 (local.get $parts))))
        (local.set $parts (i32.add (local.get $parts) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $out) (local.get $total))
    (i32.const 0))

  (func (export "environ_sizes_get") (param i32 i32) (result i32)
    (i32.store (local.get 0) (i32.const 0))
    (i32.store (local.get 1) (i32.const 0))
    (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "proc_exit") (param i32) unreachable)
  ;; 8 is EBADF: there is no file descriptor.
  (func (export "fd_close") (param i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
)
