//! Limits while a script runs. The guest asks `poll` in every loop (QuickJS's interrupt handler and the loop countdown
//! that the guest build puts into native loops), so checking the clocks there needs no other thread.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{ErrorCode, Limits};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Notify;
use wasmtime::ResourceLimiter;

/// After the soft stop a script may use this much CPU time to unwind; then it traps.
const GRACE: Duration = Duration::from_millis(25);
/// Largest text that the host hands to or takes from a guest in one call on top of a quarter of its heap.
pub(crate) const HOST_TEXT_BYTES: usize = 8 << 20;
/// Room for the bindings' own buffers, the shadow stack and the image itself beside the JavaScript heap.
const WASM_EXTRA_BYTES: usize = 24 << 20;

/// Asks a running script to stop. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<StopInner>);

#[derive(Debug, Default)]
struct StopInner {
    cancelled: AtomicBool,
    told: Notify,
}

impl Stop {
    /// The run that was given this handle ends with [`ErrorCode::Cancelled`] as soon as it next polls.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
        self.0.told.notify_waiters();
    }

    /// Whether [`Stop::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// Waits until [`Stop::cancel`] is called; at once if it was.
    pub async fn cancelled(&self) {
        let told = self.0.told.notified();
        let mut told = std::pin::pin!(told);
        told.as_mut().enable();
        if !self.is_cancelled() {
            told.await;
        }
    }
}

/// What `poll` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    /// The script should stop by itself.
    Stop,
    /// It had its grace and did not: trap.
    Trap,
}

/// The clocks and counters of one run.
#[derive(Debug)]
pub(crate) struct Meter {
    limits: Limits,
    stop: Stop,
    started: Instant,
    cpu_started: Duration,
    /// CPU time that other threads used for it, this one's before it waited among them.
    cpu_elsewhere: Duration,
    /// CPU time of this run's work on threads that are no guest's, microseconds.
    elsewhere: Arc<AtomicU64>,
    /// The limit that was hit first, and the thread's CPU time at that moment.
    exceeded: Option<(ErrorCode, Duration)>,
    events: u32,
    output_bytes: usize,
    pub(crate) host_calls: u64,
    /// Lines that the guest itself wrote to its stderr.
    pub(crate) stderr_lines: u32,
}

impl Meter {
    /// Starts the clocks. Must be called on the thread that runs the guest: CPU time is the thread's.
    pub(crate) fn start(limits: Limits, stop: Stop) -> Self {
        Meter {
            limits,
            stop,
            started: Instant::now(),
            cpu_started: thread_cpu(),
            cpu_elsewhere: Duration::ZERO,
            elsewhere: Arc::default(),
            exceeded: None,
            events: 0,
            output_bytes: 0,
            host_calls: 0,
            stderr_lines: 0,
        }
    }

    /// Called by the guest about every 10,000 steps of the interpreter and every 65,536 of a native loop.
    pub(crate) fn poll(&mut self) -> Verdict {
        if let Some((_, since)) = self.exceeded {
            return if thread_cpu().saturating_sub(since) > GRACE { Verdict::Trap } else { Verdict::Stop };
        }
        let wall = self.started.elapsed();
        let cpu_max = Duration::from_millis(self.limits.cpu_ms.into());
        let code = if self.stop.is_cancelled() {
            ErrorCode::Cancelled
        // A thread can't have used more CPU time than time went by: below that the second clock is not read.
        } else if wall + self.cpu_elsewhere >= cpu_max && self.cpu() >= cpu_max {
            ErrorCode::CpuLimitExceeded
        } else if wall >= Duration::from_millis(self.limits.wall_ms.into()) {
            ErrorCode::WallLimitExceeded
        } else {
            return Verdict::Go;
        };
        self.exceed(code);
        Verdict::Stop
    }

    /// Accounts for one console event of `bytes`. False when it is over a limit: it must not be kept, and the script
    /// must stop.
    pub(crate) fn event(&mut self, bytes: usize) -> bool {
        if self.exceeded.is_some() {
            return false;
        }
        self.events = self.events.saturating_add(1);
        self.output_bytes = self.output_bytes.saturating_add(bytes);
        if self.events > self.limits.max_events || self.output_bytes > self.output_max() {
            self.output_bytes -= bytes;
            self.exceed(ErrorCode::OutputLimitExceeded);
            return false;
        }
        true
    }

    /// Accounts for the completion value.
    pub(crate) fn result(&mut self, bytes: usize) {
        self.output_bytes = self.output_bytes.saturating_add(bytes);
    }

    /// Bytes of output that are left for the completion value.
    pub(crate) fn output_left(&self) -> usize {
        self.output_max().saturating_sub(self.output_bytes)
    }

    /// CPU time that is left, for work of the host that can't poll.
    pub(crate) fn cpu_left(&self) -> Duration {
        Duration::from_millis(self.limits.cpu_ms.into()).saturating_sub(self.cpu())
    }

    /// Such work used that much, on another thread.
    pub(crate) fn charge(&mut self, cpu: Duration) {
        self.cpu_elsewhere += cpu;
    }

    /// Such work needed more.
    pub(crate) fn out_of_cpu(&mut self) {
        self.exceed(ErrorCode::CpuLimitExceeded);
    }

    /// Time that went by for something that is none of the script's.
    pub(crate) fn excuse(&mut self, wall: Duration) {
        self.started += wall;
    }

    pub(crate) fn exceeded(&self) -> Option<ErrorCode> {
        self.exceeded.map(|(code, _)| code)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn cpu(&self) -> Duration {
        let elsewhere = Duration::from_micros(self.elsewhere.load(Ordering::Relaxed));
        thread_cpu().saturating_sub(self.cpu_started) + self.cpu_elsewhere + elsewhere
    }

    /// What asynchronous work adds its CPU time to, microseconds.
    pub(crate) fn elsewhere(&self) -> &Arc<AtomicU64> {
        &self.elsewhere
    }

    /// The clocks and counters begin again; a run that is cancelled stays so.
    pub(crate) fn start_over(&mut self) {
        *self = Meter::start(self.limits, self.stop.clone());
    }

    /// The run waits: what follows on this thread is not its.
    pub(crate) fn pause(&mut self) {
        self.cpu_elsewhere += thread_cpu().saturating_sub(self.cpu_started);
        self.cpu_started = thread_cpu();
    }

    /// It goes on, on this thread.
    pub(crate) fn go_on(&mut self) {
        self.cpu_started = thread_cpu();
    }

    /// When its time is up.
    pub(crate) fn wall_end(&self) -> Instant {
        self.started + Duration::from_millis(self.limits.wall_ms.into())
    }

    /// Whoever asks it to stop.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    pub(crate) fn wall(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    fn exceed(&mut self, code: ErrorCode) {
        self.exceeded = Some((code, thread_cpu()));
    }

    fn output_max(&self) -> usize {
        self.limits.max_output_kb as usize * 1024
    }
}

/// CPU time that this thread has used.
pub(crate) fn thread_cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Bytes of the JavaScript heap under `mem_mb`.
pub(crate) fn js_heap_bytes(mem_mb: u32) -> usize {
    mem_mb as usize * (1 << 20)
}

/// Largest text that may cross the border in one host call, either way: such a buffer always fits beside a full heap.
pub(crate) fn host_text_bytes(mem_mb: u32) -> usize {
    HOST_TEXT_BYTES + js_heap_bytes(mem_mb) / 4
}

/// Linear memory under `mem_mb`: above the JavaScript limit, so that running out is an Error in JavaScript while the
/// bindings can still allocate.
pub(crate) fn wasm_memory_bytes(mem_mb: u32) -> usize {
    js_heap_bytes(mem_mb) + host_text_bytes(mem_mb) + WASM_EXTRA_BYTES
}

/// Bounds a store's memory and remembers its high-water mark.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    pub(crate) bytes_max: usize,
    pub(crate) bytes: usize,
    /// The image's own memory did not fit: there never was a sandbox.
    pub(crate) refused_at_start: bool,
}

/// More elements than the guest's function table ever has.
const TABLE_ELEMENTS_MAX: usize = 10_000;

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.bytes_max;
        if fits {
            self.bytes = self.bytes.max(desired);
        } else {
            self.refused_at_start |= current == 0;
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(change: impl FnOnce(&mut Limits)) -> Meter {
        let mut limits = Limits::default();
        change(&mut limits);
        Meter::start(limits, Stop::default())
    }

    fn spin(time: Duration) {
        let started = thread_cpu();
        while thread_cpu() - started < time {}
    }

    #[test]
    fn cpu_time_stops_softly_then_hard() {
        let mut meter = meter(|limits| limits.cpu_ms = 10);
        assert_eq!(meter.poll(), Verdict::Go);
        spin(Duration::from_millis(11));
        assert_eq!(meter.poll(), Verdict::Stop);
        assert_eq!(meter.exceeded(), Some(ErrorCode::CpuLimitExceeded));
        assert_eq!(meter.poll(), Verdict::Stop, "it has its grace");
        spin(GRACE + Duration::from_millis(1));
        assert_eq!(meter.poll(), Verdict::Trap);
    }

    #[test]
    fn sleeping_is_wall_time_and_not_cpu_time() {
        let mut meter = meter(|limits| (limits.cpu_ms, limits.wall_ms) = (20, 60));
        std::thread::park_timeout(Duration::from_millis(30));
        assert_eq!(meter.poll(), Verdict::Go);
        std::thread::park_timeout(Duration::from_millis(40));
        assert_eq!(meter.poll(), Verdict::Stop);
        assert_eq!(meter.exceeded(), Some(ErrorCode::WallLimitExceeded));
    }

    #[test]
    fn cancelling_wins_over_clocks() {
        let stop = Stop::default();
        let mut meter = Meter::start(Limits { wall_ms: 1, ..Limits::default() }, stop.clone());
        stop.cancel();
        std::thread::park_timeout(Duration::from_millis(5));
        assert_eq!(meter.poll(), Verdict::Stop);
        assert_eq!(meter.exceeded(), Some(ErrorCode::Cancelled));
    }

    #[test]
    fn output_holds_to_the_byte_and_events_to_the_event() {
        let mut bytes = meter(|limits| limits.max_output_kb = 1);
        assert!(bytes.event(1_000));
        assert!(bytes.event(24));
        assert_eq!(bytes.output_left(), 0);
        assert!(!bytes.event(1));
        assert_eq!(bytes.poll(), Verdict::Stop);

        let mut events = meter(|limits| limits.max_events = 2);
        assert!(events.event(0) && events.event(0));
        assert!(!events.event(0));
        assert_eq!(events.exceeded(), Some(ErrorCode::OutputLimitExceeded));
        assert!(!events.event(0), "nothing is kept after the limit");
    }
}
