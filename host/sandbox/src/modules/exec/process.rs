//! One process with all that it starts: from its start to its last byte, and dead when whoever wanted it is gone.
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::AbortHandle;

use crate::modules::{Answer, Failure};

/// Read from a pipe at once, bytes.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that wait for whoever reads them; then the program waits.
const CHUNKS_WAITING: usize = 4;
/// After the program's end its pipes are read for so long: what it started is killed then, but may have got away.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// Files that a program may have open.
const OPEN_FILES_MAX: u64 = 256;
/// Largest file that a program may write.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 30;
/// CPU time that a program may use beyond its time: a second line of defence.
const CPU_SPARE_SECONDS: u64 = 2;

/// What is started, all of it checked.
pub(super) struct Spec {
    pub(super) program: PathBuf,
    pub(super) name: String,
    pub(super) args: Vec<OsString>,
    /// All that it has.
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: OwnedFd,
    pub(super) input: Option<Vec<u8>>,
    pub(super) time: Duration,
    pub(super) output_max: usize,
    /// One pipe for both streams.
    pub(super) merged: bool,
}

/// Something that a process did.
#[derive(Debug)]
pub(super) enum Happening {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Ended(Answer<ExitStatus>),
}

/// A process group. Its leader is not reaped before the group is retired, so that its number is nobody else's.
#[derive(Debug)]
pub(super) struct Group(Mutex<Option<Pid>>);

impl Group {
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // It may have ended just now.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    /// Kills what is left; no signal is sent after that.
    fn retire(&self) {
        if let Some(pid) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }
}

/// A process that was started. Dropping this kills its group.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) group: Arc<Group>,
    happenings: mpsc::Receiver<Happening>,
    task: AbortHandle,
    over: bool,
}

impl Process {
    /// What it does next. The last is its end.
    pub(super) async fn next(&mut self) -> Happening {
        let lost = || Happening::Ended(Err(Failure::new("EIO", "EIO: the program was lost")));
        let happening = self.happenings.recv().await.unwrap_or_else(lost);
        self.over |= matches!(happening, Happening::Ended(_));
        happening
    }

    /// It has said that it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.signal(Signal::KILL);
        self.task.abort();
    }
}

/// The child in the hands of its task: dead and reaped whatever becomes of that.
struct Owned {
    child: Option<Child>,
    group: Arc<Group>,
    runtime: Handle,
}

impl Owned {
    /// Call it when the child has ended: it does not wait.
    fn reap(mut self) -> io::Result<ExitStatus> {
        self.group.retire();
        match self.child.take() {
            Some(mut child) => child.wait(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.group.retire();
        if let Some(mut child) = self.child.take()
            && !matches!(child.try_wait(), Ok(Some(_)))
        {
            // Even what is killed takes its time.
            self.runtime.spawn_blocking(move || child.wait());
        }
    }
}

/// Starts a process. Its places are given back when it has ended.
pub(super) fn start(runtime: &Handle, spec: Spec, places: [OwnedSemaphorePermit; 2]) -> Answer<Process> {
    let failed = |error: io::Error| {
        let code = match error.kind() {
            io::ErrorKind::NotFound => "ENOENT",
            io::ErrorKind::PermissionDenied => "EACCES",
            io::ErrorKind::ArgumentListTooLong => "E2BIG",
            _ => "EAGAIN",
        };
        // The operator's path is none of the script's business.
        Failure::new(code, format!("{code}: the program could not be started, spawn '{}'", spec.name))
    };
    let mut command = Command::new(&spec.program);
    command.arg0(&spec.name).args(&spec.args).env_clear().envs(spec.env.iter().map(|(name, value)| (name, value)));
    command.stdin(if spec.input.is_some() { Stdio::piped() } else { Stdio::null() });
    let (out, write) = io::pipe().map_err(failed)?;
    let err = if spec.merged {
        command.stderr(write.try_clone().map_err(failed)?);
        None
    } else {
        let (err, write) = io::pipe().map_err(failed)?;
        command.stderr(write);
        Some(err)
    };
    command.stdout(write);
    let cpu_seconds = spec.time.as_secs() + CPU_SPARE_SECONDS;
    let cwd = spec.cwd;
    // SAFETY: between fork and exec only system calls are made: no allocation, no lock, nothing of another thread's.
    unsafe {
        command.pre_exec(move || {
            // Whatever else is open in this process, by us or by whoever started us, ends with the exec.
            if libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) != 0 {
                return Err(io::Error::last_os_error());
            }
            rustix::process::setsid()?;
            rustix::thread::set_no_new_privs(true)?;
            rustix::process::fchdir(&cwd)?;
            for (resource, most) in [
                (Resource::Core, 0),
                (Resource::Cpu, cpu_seconds),
                (Resource::Fsize, FILE_BYTES_MAX),
                (Resource::Nofile, OPEN_FILES_MAX),
            ] {
                // Never above what the server itself has.
                let maximum = rustix::process::getrlimit(resource).maximum.map_or(most, |own| own.min(most));
                rustix::process::setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })?;
            }
            Ok(())
        });
    }
    let mut child = command.spawn().map_err(failed)?;
    // It holds our ends of the pipes until it is gone.
    drop(command);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let group = Arc::new(Group(Mutex::new(pid)));
    let input = child.stdin.take().map(OwnedFd::from).zip(spec.input);
    let owned = Owned { child: Some(child), group: Arc::clone(&group), runtime: runtime.clone() };
    let (send, happenings) = mpsc::channel(CHUNKS_WAITING);
    let pipes = (OwnedFd::from(out), err.map(OwnedFd::from));
    let bounds = (spec.time, spec.output_max);
    let task = runtime.spawn(async move {
        let ended = drive(owned, pid, pipes, input, bounds, &send).await;
        let _ = send.send(Happening::Ended(ended)).await;
        drop(places);
    });
    Ok(Process { group, happenings, task: task.abort_handle(), over: false })
}

async fn drive(
    owned: Owned,
    pid: Option<Pid>,
    (out, err): (OwnedFd, Option<OwnedFd>),
    input: Option<(OwnedFd, Vec<u8>)>,
    (time, output_max): (Duration, usize),
    to: &mpsc::Sender<Happening>,
) -> Answer<ExitStatus> {
    let lost = |_: io::Error| Failure::new("EIO", "EIO: the program was lost");
    let pid = pid.ok_or_else(|| lost(io::ErrorKind::NotFound.into()))?;
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(|error| lost(error.into()))?;
    let ended = registered(handle).map_err(lost)?;
    let left = AtomicUsize::new(output_max);
    let group = Arc::clone(&owned.group);
    let reading = async {
        tokio::try_join!(read(out, &left, to, Happening::Stdout), async {
            match err {
                Some(err) => read(err, &left, to, Happening::Stderr).await,
                None => Ok(()),
            }
        })
    };
    let feeding = async {
        if let Some((pipe, data)) = input {
            // A program that does not read what it is given is nobody's error.
            let _ = feed(pipe, &data).await;
        }
        std::future::pending::<()>().await;
    };
    let dying = async {
        let _ = ended.readable().await;
        // What it left behind ends with it, and so do the pipes.
        group.signal(Signal::KILL);
    };
    let work = async {
        tokio::pin!(reading, dying);
        tokio::select! {
            read = &mut reading => {
                read?;
                dying.await;
            }
            () = &mut dying => {
                if let Ok(read) = tokio::time::timeout(DRAIN_TIME, reading).await {
                    read?;
                }
            }
        }
        Answer::Ok(())
    };
    let late = || -> Answer<()> {
        let text = format!(
            "ETIMEDOUT: the program took longer than {} ms and was killed \
             (`timeout`, or `timeout_ms` of module 'exec' in the template)",
            time.as_millis()
        );
        Err(Failure::new("ETIMEDOUT", text))
    };
    tokio::select! {
        done = work => done?,
        () = feeding => {}
        () = tokio::time::sleep(time) => late()?,
        () = to.closed() => late()?,
    }
    owned.reap().map_err(lost)
}

async fn read(
    pipe: OwnedFd,
    left: &AtomicUsize,
    to: &mpsc::Sender<Happening>,
    happening: fn(Vec<u8>) -> Happening,
) -> Answer<()> {
    let lost = |_: io::Error| Failure::new("EIO", "EIO: the program's output was lost");
    rustix::io::ioctl_fionbio(&pipe, true).map_err(|error| lost(error.into()))?;
    let pipe = registered(pipe).map_err(lost)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let mut ready = pipe.readable().await.map_err(lost)?;
        let read = ready.try_io(|pipe| Ok(rustix::io::read(pipe.get_ref().as_fd(), &mut buffer)?));
        match read {
            Err(_not_yet) => continue,
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(Err(error)) => return Err(lost(error)),
            Ok(Ok(0)) => return Ok(()),
            Ok(Ok(read)) => {
                let within = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(read));
                if within.is_err() {
                    let text =
                        "ENOBUFS: the program wrote more than `output_kb` of module 'exec' in the template allows";
                    return Err(Failure::new("ENOBUFS", text));
                }
                if to.send(happening(buffer[..read].to_vec())).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

async fn feed(pipe: OwnedFd, mut data: &[u8]) -> io::Result<()> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    let pipe = registered(pipe)?;
    while !data.is_empty() {
        let mut ready = pipe.writable().await?;
        match ready.try_io(|pipe| Ok(rustix::io::write(pipe.get_ref().as_fd(), data)?)) {
            Ok(written) => data = &data[written?..],
            Err(_not_yet) => {}
        }
    }
    Ok(())
}

/// How it ended, as scripts see it.
pub(super) fn parts(status: ExitStatus) -> (Option<i32>, Option<u32>) {
    (status.code(), status.signal().and_then(|signal| u32::try_from(signal).ok()))
}

fn registered(handle: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is one descriptor from here on, open until it is dropped, which comes after it is deregistered.
    unsafe { AsyncFd::register(handle) }.map_err(io::Error::from)
}
