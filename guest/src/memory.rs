//! Blocks of libc's malloc, which the component's ABI hands back and forth.
use core::ffi::c_void;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut u8;
    fn realloc(block: *mut u8, size: usize) -> *mut u8;
    fn free(block: *mut u8);
}

/// Memory for the host or the bindings to write into. Nothing sensible can be answered when there is none left: the
/// host bounds what it writes, and `probe` is asked before the bindings copy lists.
#[unsafe(no_mangle)]
extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    if size == 0 {
        return align as *mut u8;
    }
    // SAFETY: `old` is a block of this function when `old_size` isn't 0.
    let block = crate::host::closed(|| unsafe { if old_size == 0 { malloc(size) } else { realloc(old, size) } });
    if block.is_null() {
        core::arch::wasm32::unreachable();
    }
    block
}

/// Whether a block of `size` bytes could be had now.
pub fn probe(size: usize) -> bool {
    // SAFETY: a block that is freed at once; free accepts null.
    unsafe {
        // the compiler would take an unused block to be had for sure
        let block = core::hint::black_box(malloc(size));
        free(block);
        !block.is_null()
    }
}

/// Bytes in a block that `cabi_realloc` made, owned.
pub struct Block {
    pointer: *mut u8,
    length: usize,
}

impl Block {
    /// # Safety
    /// `pointer` must be a block of `length` bytes from `cabi_realloc` that nobody else frees.
    pub unsafe fn from_raw(pointer: *mut u8, length: usize) -> Block {
        Block { pointer, length }
    }

    pub fn bytes(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: the block holds `length` initialised bytes while `self` lives.
        unsafe { core::slice::from_raw_parts(self.pointer, self.length) }
    }

    /// The block itself, which is not freed any more.
    pub fn into_raw(self) -> (*mut u8, usize) {
        let this = core::mem::ManuallyDrop::new(self);
        (this.pointer, this.length)
    }

    /// The same bytes with a NUL after them, as QuickJS wants its sources; `None` when there is no memory.
    pub fn into_c_text(mut self) -> Option<CText> {
        let length = self.length;
        let old = if length == 0 { core::ptr::null_mut() } else { self.pointer };
        // SAFETY: `old` is null or this block, which realloc takes over.
        let grown = unsafe { realloc(old, length + 1) };
        if grown.is_null() {
            return None;
        }
        // SAFETY: the last of the block's `length + 1` bytes.
        unsafe { grown.add(length).write(0) };
        (self.pointer, self.length) = (grown, length + 1);
        Some(CText(self))
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.length != 0 {
            // SAFETY: owned, and a block because it isn't empty.
            unsafe { free(self.pointer) }
        }
    }
}

/// Bytes with a NUL behind them.
pub struct CText(Block);

impl CText {
    /// Without the NUL.
    pub fn bytes(&self) -> &[u8] {
        let bytes = self.0.bytes();
        &bytes[..bytes.len() - 1]
    }
}

/// Frees a block when the call that lent it is over.
pub struct Deferred(*mut u8);

impl Deferred {
    /// # Safety
    /// As for [`Block::from_raw`].
    pub unsafe fn from_raw(pointer: *mut u8) -> Deferred {
        Deferred(pointer)
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        // SAFETY: owned since `from_raw`.
        unsafe { free(self.0) }
    }
}

/// Takes every hole of the heap that a block of 16 bytes or more fits into, and keeps it: the new objects of a session
/// then share fresh pages, instead of dirtying a page of the image each. Returns the bytes taken.
pub fn plug_holes() -> u64 {
    const LARGEST: usize = 64 << 10;
    const PAGE: usize = 4096;
    /// Free at the end of the heap, so that a short script's objects need no more memory from the host.
    const SPARE: usize = 512 << 10;
    let mut plugged = 0;
    // SAFETY: blocks are only allocated and, when they lie beyond the used heap, freed again.
    unsafe {
        let whole = |size: usize| core::hint::black_box(malloc(size - 4));
        // A block that no hole has room for comes from the end of the heap, and memory grows when that is used up: so the
        // last one here does. What lies directly before it does as well, or else it is a hole next to no used block, and
        // there are none. Each block holds the address of the one before.
        let before = |block: *mut u8| block.cast::<*mut u8>();
        let memory = core::arch::wasm32::memory_size(0);
        let mut last: *mut u8 = core::ptr::null_mut();
        while core::arch::wasm32::memory_size(0) == memory {
            let block = whole(LARGEST);
            if block.is_null() {
                while !last.is_null() {
                    let block = last;
                    last = before(block).read();
                    free(block);
                }
                return 0;
            }
            before(block).write(last);
            last = block;
        }
        let mut mark = last;
        while !last.is_null() {
            let block = last;
            last = before(block).read();
            // whatever was there would be part of every image
            core::ptr::write_bytes(block, 0, LARGEST - 4);
            if block == mark {
                free(block);
                if last.wrapping_add(LARGEST) == block {
                    mark = last;
                }
            } else {
                plugged += LARGEST as u64;
            }
        }
        let mut size = LARGEST / 2;
        while size >= 16 {
            loop {
                let block = whole(size);
                if block.is_null() {
                    break;
                }
                if block >= mark {
                    free(block);
                    break;
                }
                core::ptr::write_bytes(block, 0, size - 4);
                plugged += size as u64;
            }
            size = if size > 256 { size / 2 } else { size - 16 };
        }
        // What comes next begins on a page of its own. dlmalloc keeps 8 bytes before a block, 4 of which count as its.
        let next = core::hint::black_box(malloc(16)) as usize + 16;
        let rest = next.next_multiple_of(PAGE) - next;
        if rest >= 32 {
            core::hint::black_box(malloc(rest - 4));
            plugged += rest as u64;
        }
        free(whole(SPARE));
    }
    plugged
}

/// What wit-dylib calls this type: an opaque pointer.
pub type Context = *mut c_void;
