;; The state-access library: a live heap is one linear memory, and these exports read and write it from the host without
;; a copy on the way. They stay on the host's side of the component: JavaScript has no name for them.
(module
  (@dylink.0 (mem-info (memory 0 0) (table 0 0)))
  (import "env" "memory" (memory 1))
  (import "env" "__stack_pointer" (global $sp (mut i32)))
  (global $target (mut i32) (i32.const 0))

  ;; The allocator for parameters of this library's own exports: answers the address chosen with `seek`, so that the
  ;; host's copy of a list lands right there.
  (func (export "cabi_export_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $target))

  (func (export "vm:session/state@0.1.0#pages") (result i32) (memory.size))
  (func (export "vm:session/state@0.1.0#stack-pointer") (result i32) (global.get $sp))
  (func (export "vm:session/state@0.1.0#grow-to") (param $pages i32) (result i32)
    (if (i32.gt_u (local.get $pages) (memory.size))
      (then
        (if (i32.eq (memory.grow (i32.sub (local.get $pages) (memory.size))) (i32.const -1))
          (then (return (i32.const 0))))))
    (i32.const 1))
  (func (export "vm:session/state@0.1.0#seek") (param i32) (global.set $target (local.get 0)))
  ;; A list<u8> over the whole memory. Its pointer and length stand at address 16, the far and dead end of the shadow
  ;; stack.
  (func (export "vm:session/state@0.1.0#memory") (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (i32.shl (memory.size) (i32.const 16)))
    (i32.const 16))
  (func (export "vm:session/state@0.1.0#write") (param i32 i32))
)
