//! Ctrl-C: cancels the script that runs, or ends the process when none does.
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Exit status after Ctrl-C, as a shell has it.
pub const EXIT_INTERRUPTED: u8 = 130;

/// What the first Ctrl-C does.
type Action = Box<dyn FnOnce() + Send>;

/// Listens to Ctrl-C for as long as the process lives.
#[derive(Clone)]
pub struct Interrupts(Arc<Mutex<Option<Action>>>);

/// While it lives, the first Ctrl-C cancels a script. The second one, for a script that does not end, ends the process.
pub struct Armed<'a>(&'a Interrupts);

impl Interrupts {
    /// Starts to listen.
    pub fn listen() -> anyhow::Result<Interrupts> {
        let interrupts = Interrupts(Arc::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let listener = interrupts.clone();
        // Registered before this returns: no Ctrl-C falls into a gap.
        let mut signal = {
            let _entered = runtime.enter();
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?
        };
        thread::Builder::new().name("interrupts".to_owned()).spawn(move || {
            runtime.block_on(async move {
                while signal.recv().await.is_some() {
                    listener.interrupt()
                }
            });
        })?;
        Ok(interrupts)
    }

    /// Lets Ctrl-C do `action`, which must not block.
    pub fn arm(&self, action: impl FnOnce() + Send + 'static) -> Armed<'_> {
        self.set(Some(Box::new(action)));
        Armed(self)
    }

    fn set(&self, action: Option<Action>) -> Option<Action> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), action)
    }

    fn interrupt(&self) {
        match self.set(None) {
            Some(action) => action(),
            None => exit(),
        }
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever presses Ctrl-C while an image is built waits for nothing more")]
fn exit() {
    std::process::exit(i32::from(EXIT_INTERRUPTED));
}
