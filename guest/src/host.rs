//! `vm:session/control`, called as the core functions that the component model lowers it to.
use crate::js;
use crate::memory::Block;
use core::cell::Cell;

#[link(wasm_import_module = "vm:session/control@0.1.0")]
unsafe extern "C" {
    #[link_name = "poll"]
    fn control_poll() -> i32;
    #[link_name = "clock"]
    fn control_clock() -> u64;
    #[link_name = "random"]
    fn control_random() -> u64;
    #[link_name = "log"]
    fn control_log(level: i32, text: *const u8, length: usize) -> i32;
    #[link_name = "timer"]
    fn control_timer(ms: u32, repeats: i32) -> u32;
    #[link_name = "hold-timer"]
    fn control_hold_timer(ticket: u32, holds: i32);
    #[link_name = "cancel"]
    fn control_cancel(ticket: u32);
    #[link_name = "checkpoint"]
    fn control_checkpoint() -> u32;
    #[link_name = "checkpointed"]
    fn control_checkpointed(ticket: u32, result: *mut TextOrError);
    #[link_name = "load-module"]
    fn control_load_module(name: *const u8, length: usize, result: *mut TextOrError);
}

/// `result<string, string>` in memory.
#[repr(C)]
struct TextOrError {
    is_error: u8,
    text: *mut u8,
    length: usize,
}

impl Default for TextOrError {
    fn default() -> Self {
        TextOrError { is_error: 0, text: core::ptr::null_mut(), length: 0 }
    }
}

impl TextOrError {
    fn into_result(self) -> Result<Block, Block> {
        // SAFETY: empty, or a block of cabi_realloc that the host filled and that becomes ours.
        let text = unsafe { Block::from_raw(self.text, self.length) };
        if self.is_error == 0 { Ok(text) } else { Err(text) }
    }
}

/// Set while a component may not call its imports.
static CLOSED: js::SingleThread<Cell<bool>> = js::SingleThread(Cell::new(false));

/// Runs `work` while the component may not call its imports: during `cabi_realloc` and after an export has returned. The
/// loop countdown may end in there, and then doesn't ask.
pub fn closed<T>(work: impl FnOnce() -> T) -> T {
    CLOSED.0.set(true);
    let result = work();
    CLOSED.0.set(false);
    result
}

/// Whether the script should stop now.
pub fn poll() -> bool {
    if CLOSED.0.get() {
        return false;
    }
    // SAFETY: no parameters, no memory.
    unsafe { control_poll() != 0 }
}

/// Nanoseconds since 1970, coarse.
pub fn clock() -> u64 {
    // SAFETY: no parameters, no memory.
    unsafe { control_clock() }
}

/// Random bits of the host.
pub fn random() -> u64 {
    // SAFETY: no parameters, no memory.
    unsafe { control_random() }
}

/// One rendered console call. True when the script should stop now.
pub fn log(level: Level, text: &[u8]) -> bool {
    // SAFETY: the host only reads `text`.
    unsafe { control_log(level as i32, text.as_ptr(), text.len()) != 0 }
}

/// Begins a timer and answers with its ticket, unless too many are out.
pub fn timer(ms: u32, repeats: bool) -> Option<u32> {
    // SAFETY: no memory.
    Some(unsafe { control_timer(ms, i32::from(repeats)) }).filter(|ticket| *ticket != 0)
}

/// Whether a timer keeps going what waits for nothing else.
pub fn hold_timer(ticket: u32, holds: bool) {
    // SAFETY: no memory.
    unsafe { control_hold_timer(ticket, i32::from(holds)) }
}

/// Ends a timer.
pub fn cancel(ticket: u32) {
    // SAFETY: no memory.
    unsafe { control_cancel(ticket) }
}

/// Console levels, as numbered in the WIT.
#[derive(Clone, Copy)]
pub enum Level {
    Log = 0,
    Info = 1,
    Warn = 2,
    Error = 3,
    Debug = 4,
}

/// Asks for a checkpoint and answers with its ticket, unless too many are out.
pub fn checkpoint() -> Option<u32> {
    // SAFETY: no memory.
    Some(unsafe { control_checkpoint() }).filter(|ticket| *ticket != 0)
}

/// What came of a checkpoint: JSON, or why there is none.
pub fn checkpointed(ticket: u32) -> Result<Block, Block> {
    let mut answer = TextOrError::default();
    // SAFETY: the host fills in `answer`.
    unsafe { control_checkpointed(ticket, &mut answer) };
    answer.into_result()
}

/// Source of a module, or why there is none.
pub fn load_module(name: &[u8]) -> Result<Block, Block> {
    let mut answer = TextOrError::default();
    // SAFETY: the host reads `name` and fills in `answer`.
    unsafe { control_load_module(name.as_ptr(), name.len(), &mut answer) };
    answer.into_result()
}
