//! The server's log on its way to stderr. Whoever logs hands a line over and goes on: it waits for no disk and no pipe,
//! and what can't be written, or not in time, is lost and never an error. (tracing-appender would do, but for its guard:
//! it prints to the very stream that is stuck.)
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Text that may wait; lines beyond that are counted and dropped.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// How long the end waits for what is left to be written.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// Takes lines. Each `write` is one.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

/// Dropping it writes what still waits, if that takes no longer than [`FLUSH_MAX`].
pub(super) struct Flush(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    text: Vec<u8>,
    lost: u64,
    closed: bool,
    ended: bool,
}

/// Lines that a thread of their own writes to stderr, by a descriptor of their own: while that is stuck, nobody else has
/// to wait for the lock of [`io::stderr`].
pub(super) fn to_stderr() -> io::Result<(Lines, Flush)> {
    start(File::from(io::stderr().as_fd().try_clone_to_owned()?))
}

fn start(to: impl Write + Send + 'static) -> io::Result<(Lines, Flush)> {
    let shared = Arc::new(Shared::default());
    let (lines, flush) = (Lines(Arc::clone(&shared)), Flush(Arc::clone(&shared)));
    thread::Builder::new().name("log".to_owned()).spawn(move || shared.carry(to))?;
    Ok((lines, flush))
}

/// Panics are lines like others: the standard hook writes to stderr by itself, and waits there.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let at = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(thread, at, why = info.payload_as_str().unwrap_or_default(), "a thread panicked");
    }));
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(&self, mut to: impl Write) {
        let mut text = Vec::new();
        loop {
            let idle = |queue: &mut Queue| queue.text.is_empty() && queue.lost == 0;
            let waited = self.changed.wait_while(self.queue(), |queue| idle(queue) && !queue.closed);
            let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
            if idle(&mut queue) {
                queue.ended = true;
                self.changed.notify_all();
                return;
            }
            std::mem::swap(&mut text, &mut queue.text);
            let lost = std::mem::take(&mut queue.lost);
            drop(queue);
            // A closed pipe, a full disk: there is nowhere to say so.
            let _ = to.write_all(&text);
            text.clear();
            if lost > 0 {
                tracing::warn!(lost, "lines of the log were lost: they were not taken in time");
            }
        }
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.queue();
        if queue.text.len() + line.len() > WAITING_BYTES_MAX {
            queue.lost += 1;
        } else {
            queue.text.extend_from_slice(line);
        }
        drop(queue);
        self.0.changed.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.closed = true;
        self.0.changed.notify_all();
        drop(self.0.changed.wait_timeout_while(queue, FLUSH_MAX, |queue| !queue.ended));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    /// Writes once it is let.
    struct Gate(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_are_there_at_the_end() {
        let (open, gate) = mpsc::channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let (mut lines, flush) = start(Gate(gate, Arc::clone(&written))).unwrap();
        drop(open);
        let expected: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        expected.split_inclusive('\n').for_each(|line| lines.write_all(line.as_bytes()).unwrap());
        drop(flush);
        assert_eq!(String::from_utf8(written.lock().unwrap().clone()).unwrap(), expected);
    }

    #[test]
    fn nobody_waits_for_a_stuck_stream_and_memory_is_bounded() {
        let (open, gate) = mpsc::channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let (mut lines, flush) = start(Gate(gate, Arc::clone(&written))).unwrap();
        let began = Instant::now();
        let line = [b'x'; 1_000];
        lines.write_all(&line).unwrap();
        while !lines.0.queue().text.is_empty() {
            thread::yield_now();
        }
        // From here on the thread hangs in the first line.
        for _ in 0..5_000 {
            lines.write_all(&line).unwrap();
        }
        assert!(lines.0.queue().text.len() <= WAITING_BYTES_MAX);
        assert!(lines.0.queue().lost > 2_000);
        drop(flush);
        assert!(began.elapsed() < FLUSH_MAX * 10);
        assert_eq!(written.lock().unwrap().len(), 0);
        drop(open);
    }
}
