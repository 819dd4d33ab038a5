//! `exec`: programs of the host that its operator listed.
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};
use wasmtime::component::{ComponentType, Lift, Lower};

use self::process::{Group, Happening, Process, Spec};
use super::{
    Answer, Facade, Failure, Interface, Linking, Module, State, Store, Traffic, grant_of, interrupted, read_saved,
    unusable,
};
use crate::host::Host;
use crate::limits::{Verdict, host_text_bytes};
use crate::root::Root;
use crate::services::Policy;

pub(super) static MODULE: Module = Module {
    name: "exec",
    version: "0.1.0",
    docs: "Runs programs of the host that its operator listed, without a shell, in the worktree; they end with the execution at the latest.",
    interface: Some(Interface {
        name: "vm:exec/programs@0.1.0",
        wit: include_str!("../../../../../wit/exec/exec.wit"),
        link,
    }),
    facade: Some(Facade { source: include_str!("exec.js"), types: include_str!("exec.d.ts") }),
    grant_schema: SCHEMA,
    check_grant: |config| {
        grant_of::<Grant>(config)?;
        super::read_grant::<Grant>(config)?.check()
    },
    limits: &[
        ("running_max", RUNNING_MAX as u64, "programs of a session that run at once; another is refused with EAGAIN"),
        ("args_bytes_max", ARGS_BYTES_MAX as u64, "arguments and environment of one program; more is E2BIG"),
        ("file_bytes_max", process::FILE_BYTES_MAX, "a program that writes a larger file gets SIGXFSZ"),
    ],
    parts: &[],
    unavailable,
    ..Module::BASE
};

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "programs": {
      "type": "array", "items": { "type": "string" },
      "description": "Names of those that the operator lists (serve --allow-exec); without it, all of them."
    },
    "timeout_ms": { "type": "integer", "minimum": 1, "maximum": 600000, "default": 30000, "description": "Time of one program." },
    "output_kb": { "type": "integer", "minimum": 1, "maximum": 16384, "default": 1024, "description": "Output of one program." },
    "env": {
      "type": "object", "additionalProperties": { "type": ["string", "null"] },
      "description": "Variables that programs have, beside LANG and PATH; null: scripts may set it."
    }
  },
  "additionalProperties": false
}"#;

/// Programs of one session that run at once.
const RUNNING_MAX: usize = 8;
/// Arguments and environment of one program, bytes: half of what Linux takes at least.
const ARGS_BYTES_MAX: usize = 64 << 10;
/// How often a guest that waits for a program looks whether it has to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// What every program has.
const ENV: [(&str, &str); 2] = [("LANG", "C.UTF-8"), ("PATH", "/usr/local/bin:/usr/bin:/bin")];

/// What a template's entry may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Grant {
    programs: Option<Vec<String>>,
    timeout_ms: u32,
    output_kb: u32,
    env: BTreeMap<String, Option<String>>,
}

impl Default for Grant {
    fn default() -> Self {
        Grant { programs: None, timeout_ms: 30_000, output_kb: 1_024, env: BTreeMap::new() }
    }
}

impl Grant {
    fn check(&self) -> Result<(), String> {
        if !(1..=600_000).contains(&self.timeout_ms) {
            return Err("timeout_ms: it is 1 to 600000".to_owned());
        }
        if !(1..=16_384).contains(&self.output_kb) {
            return Err("output_kb: it is 1 to 16384".to_owned());
        }
        for (name, value) in &self.env {
            let plain = name.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            // With these a template's author would choose the code that runs, whatever the operator listed.
            let loader = name.starts_with("LD_") || name.starts_with("GCONV_") || name == "PATH";
            if name.is_empty() || !plain || loader || value.as_ref().is_some_and(|value| value.contains('\0')) {
                return Err(format!("env: '{name}' can't be set"));
            }
        }
        Ok(())
    }
}

fn unavailable(policy: &Policy) -> Option<String> {
    policy.programs.is_empty().then(|| "the operator lists no programs (serve --allow-exec)".to_owned())
}

/// A session's programs.
struct Programs {
    grant: Grant,
    policy: Arc<Policy>,
    root: Option<Root>,
    runtime: Option<Handle>,
    output_max: usize,
    places: Arc<Semaphore>,
    /// Those that scripts have numbers of.
    started: BTreeMap<u32, Started>,
    groups: Vec<Weak<Group>>,
    last: u32,
    /// Those that ran in another process: it took them along when it ended.
    lost: BTreeSet<u32>,
}

/// What a snapshot has of them.
#[derive(Serialize, Deserialize)]
struct Saved {
    last: u32,
    running: BTreeSet<u32>,
}

/// Programs that a snapshot keeps as lost; all were started by one run.
const LOST_MAX: usize = 1_000;

impl State for Programs {
    const MODULE: &'static str = "exec";
    type Grant = Grant;

    fn open(grant: Grant, host: &Host) -> Answer<Programs> {
        grant.check().map_err(|why| Failure::new("INVALID_GRANT", format!("exec: {why}")))?;
        let output_max = (grant.output_kb as usize * 1_024).min(host_text_bytes(host.meter.limits().mem_mb));
        Ok(Programs {
            grant,
            policy: Arc::clone(&host.policy),
            root: host.root.clone(),
            runtime: host.tickets.runtime(),
            output_max,
            places: Arc::new(Semaphore::new(RUNNING_MAX)),
            started: BTreeMap::new(),
            groups: Vec::new(),
            last: 0,
            lost: BTreeSet::new(),
        })
    }

    fn pins(&self) -> Option<&'static str> {
        let group_is_over = |group: &Arc<Group>| {
            self.started.values().any(|started| Arc::ptr_eq(&started.group, group) && started.is_over())
        };
        let runs = self.groups.iter().filter_map(Weak::upgrade).any(|group| !group_is_over(&group));
        runs.then_some("a program runs, or has written what was not read")
    }

    fn save(&self) -> Option<serde_json::Value> {
        let running = self.started.iter().filter(|(_, started)| !started.is_over()).map(|(process, _)| process);
        let running = running.chain(&self.lost).copied().take(LOST_MAX).collect();
        // Numbers that a heap may still have are given to no other.
        if self.last == 0 { None } else { serde_json::to_value(Saved { last: self.last, running }).ok() }
    }

    fn restore(&mut self, saved: serde_json::Value) -> Answer<()> {
        let Saved { last, running } = read_saved("exec", saved)?;
        if running.len() > LOST_MAX {
            return Err(unusable("exec"));
        }
        (self.last, self.lost) = (last, running);
        Ok(())
    }

    fn run_ended(&mut self) {
        self.started.clear();
        self.lost.clear();
        for group in self.groups.drain(..).filter_map(|group| group.upgrade()) {
            group.signal(Signal::KILL);
        }
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        self.run_ended();
    }
}

/// A program that a script has a number of.
struct Started {
    /// Under a lock, because work that waits for what it does has it meanwhile.
    process: Arc<Mutex<Process>>,
    group: Arc<Group>,
}

impl Started {
    /// It has said that it has ended. Whoever waits for what it does has it meanwhile: then it has not.
    fn is_over(&self) -> bool {
        self.process.try_lock().is_ok_and(|process| process.is_over())
    }
}

type Given = (String, Vec<String>, Options);

impl Programs {
    fn start(&mut self, (name, args, options): Given, merged: bool) -> Answer<Process> {
        if let Some(why) = unavailable(&self.policy) {
            return Err(Failure::new("UNAVAILABLE", format!("module 'exec' can't be used here: {why}")));
        }
        // A path is another way to say a name; it is compared and never opened.
        let mut listed = self.policy.programs.iter();
        let listed = listed.find(|(known, path)| **known == name || Path::new(&name) == **path);
        let shown: String = name.chars().take(200).collect();
        let granted =
            |known: &str| self.grant.programs.as_ref().is_none_or(|granted| granted.iter().any(|g| g == known));
        let (known, path) = listed.filter(|(known, _)| granted(known)).ok_or_else(|| {
            Failure::not_granted("exec", "programs", format!("'{shown}' (among those of serve --allow-exec)"))
        })?;
        let nul = |text: &String| text.contains('\0');
        let size = args.iter().map(String::len).chain(options.env.iter().map(|(n, v)| n.len() + v.len()));
        if size.map(|len| len + 16).sum::<usize>() > ARGS_BYTES_MAX {
            return Err(Failure::new("E2BIG", format!("E2BIG: argument list too long, spawn '{shown}'")));
        }
        if args.iter().any(nul) || options.env.iter().any(|(_, value)| nul(value)) {
            return Err(Failure::new("EINVAL", format!("EINVAL: a NUL byte in an argument, spawn '{shown}'")));
        }
        let mut env: BTreeMap<String, String> = ENV.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        env.extend(self.grant.env.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))));
        for (name, value) in options.env {
            if self.grant.env.get(&name) != Some(&None) {
                let shown: String = name.chars().take(100).collect();
                return Err(Failure::not_granted("exec", "env", format!("the variable '{shown}'")));
            }
            env.insert(name, value);
        }
        let cwd = self.directory(options.cwd.as_deref().unwrap_or("."))?;
        let time = options.timeout_ms.map_or(self.grant.timeout_ms, |ms| ms.clamp(1, self.grant.timeout_ms));
        let busy = |_| Failure::new("EAGAIN", "EAGAIN: too many programs run at once");
        let places = [
            Arc::clone(&self.places).try_acquire_owned().map_err(busy)?,
            Arc::clone(&self.policy.places.0).try_acquire_owned().map_err(busy)?,
        ];
        let spec = Spec {
            program: path.clone(),
            name: known.clone(),
            args: args.into_iter().map(Into::into).collect(),
            env: env.into_iter().collect(),
            cwd,
            input: options.input,
            time: Duration::from_millis(time.into()),
            output_max: self.output_max,
            merged,
        };
        let runtime = self.runtime.as_ref().ok_or_else(|| Failure::new("EAGAIN", "EAGAIN: no program runs yet"))?;
        let process = process::start(runtime, spec, places)?;
        self.groups.retain(|group| group.strong_count() > 0);
        self.groups.push(Arc::downgrade(&process.group));
        Ok(process)
    }

    fn directory(&self, path: &str) -> Answer<std::os::fd::OwnedFd> {
        let none = || Failure::new("EACCES", "EACCES: this session has no worktree for programs to run in");
        let root = self.root.as_ref().ok_or_else(none)?;
        let call = "chdir";
        let relative = root.relative(path, call)?;
        let dir = root.directory(relative).map_err(|error| crate::root::PathError::io(&error, call, path))?;
        let dir = dir.dir().try_clone().map_err(|error| crate::root::PathError::io(&error, call, path))?;
        Ok(dir.into_std_file().into())
    }

    fn spawn(&mut self, given: Given) -> Answer<u32> {
        let process = self.start(given, false)?;
        // Nobody asks for more of those that said that they have ended.
        self.started.retain(|_, started| !started.is_over());
        self.last = self.last.wrapping_add(1);
        let group = Arc::clone(&process.group);
        self.started.insert(self.last, Started { process: Arc::new(Mutex::new(process)), group });
        Ok(self.last)
    }

    fn started(&self, process: u32) -> Answer<&Started> {
        let unknown = || match self.lost.contains(&process) {
            true => interrupted("the program"),
            false => Failure::new("ESRCH", format!("ESRCH: no such process, {process}")),
        };
        self.started.get(&process).ok_or_else(unknown)
    }
}

/// All that a process writes, and how it ends.
#[derive(Default)]
struct Collected {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Collected {
    fn add(&mut self, happening: Happening) -> Option<Answer<Ended>> {
        match happening {
            Happening::Stdout(data) => self.stdout.extend(data),
            Happening::Stderr(data) => self.stderr.extend(data),
            Happening::Ended(ended) => return Some(ended.map(Ended::from)),
        }
        None
    }
}

fn run_sync(store: &mut Store<'_>, given: Given) -> Answer<Output> {
    let programs = store.data_mut().state::<Programs>()?;
    let mut process = programs.start(given, true)?;
    let runtime = programs.runtime.clone().ok_or_else(|| Failure::new("EAGAIN", "EAGAIN: no program runs yet"))?;
    let mut collected = Collected::default();
    loop {
        let next = runtime.block_on(async { tokio::time::timeout(LOOK_AGAIN, process.next()).await });
        if let Some(ended) = next.ok().and_then(|happening| collected.add(happening)) {
            return ended.map(|ended| Output { ended, data: collected.stdout });
        }
        if store.data_mut().meter.poll() != Verdict::Go {
            return Err(Failure::new("ECANCELED", "ECANCELED: the execution was stopped"));
        }
    }
}

fn link(exec: &mut Linking<'_>) -> wasmtime::Result<()> {
    exec.function("run-sync", |store, given: Given| Ok((run_sync(store, given),)))?;
    exec.asynchronous("run", |store, given: Given| {
        if store.data().tickets.results().is_full() {
            return Ok(Err(Failure::new("EAGAIN", "EAGAIN: outputs of programs wait to be taken: await some first")));
        }
        let started = store.data_mut().state::<Programs>().and_then(|programs| programs.start(given, false));
        Ok(started.map(|mut process| async move {
            let mut collected = Collected::default();
            loop {
                if let Some(ended) = collected.add(process.next().await) {
                    let Collected { stdout, stderr } = collected;
                    return ended.map(|ended| Outputs { ended, stdout, stderr });
                }
            }
        }))
    })?;
    exec.function("spawn", |store, given: Given| {
        Ok((store.data_mut().state::<Programs>().and_then(|programs| programs.spawn(given)),))
    })?;
    exec.asynchronous("next", |store, (process,): (u32,)| {
        let programs = store.data_mut().state::<Programs>();
        let process = programs.and_then(|programs| Ok(Arc::clone(&programs.started(process)?.process)));
        Ok(process.map(|process| async move {
            Ok(match process.lock().await.next().await {
                Happening::Stdout(data) => Said::Stdout(data),
                Happening::Stderr(data) => Said::Stderr(data),
                Happening::Ended(ended) => Said::Ended(ended?.into()),
            })
        }))
    })?;
    exec.function("kill", |store, (process, signal): (u32, Sent)| {
        let programs = store.data_mut().state::<Programs>();
        let killed = programs.and_then(|programs| {
            programs.started(process)?.group.signal(signal.into());
            Ok(())
        });
        Ok((killed,))
    })
}

#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(record)]
struct Options {
    cwd: Option<String>,
    env: Vec<(String, String)>,
    input: Option<Vec<u8>>,
    #[component(name = "timeout-ms")]
    timeout_ms: Option<u32>,
}

#[derive(ComponentType, Lower, Lift, Clone, Copy, Debug)]
#[component(record)]
struct Ended {
    status: Option<i32>,
    signal: Option<u32>,
}

impl From<std::process::ExitStatus> for Ended {
    fn from(status: std::process::ExitStatus) -> Ended {
        let (status, signal) = process::parts(status);
        Ended { status, signal }
    }
}

#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(record)]
struct Output {
    ended: Ended,
    data: Vec<u8>,
}

#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(record)]
struct Outputs {
    ended: Ended,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(variant)]
enum Said {
    #[component(name = "stdout")]
    Stdout(Vec<u8>),
    #[component(name = "stderr")]
    Stderr(Vec<u8>),
    #[component(name = "ended")]
    Ended(Ended),
}

#[derive(ComponentType, Lower, Lift, Clone, Copy, Debug)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting what the guest passes")]
enum Sent {
    #[component(name = "hup")]
    Hup,
    #[component(name = "int")]
    Int,
    #[component(name = "term")]
    Term,
    #[component(name = "kill")]
    Kill,
}

impl From<Sent> for Signal {
    fn from(sent: Sent) -> Signal {
        match sent {
            Sent::Hup => Signal::HUP,
            Sent::Int => Signal::INT,
            Sent::Term => Signal::TERM,
            Sent::Kill => Signal::KILL,
        }
    }
}

impl Traffic for Sent {}

impl Traffic for Options {
    fn bytes(&self, _: &Store<'_>) -> usize {
        let env: usize = self.env.iter().map(|(name, value)| name.len() + value.len()).sum();
        env + self.input.as_ref().map_or(0, Vec::len)
    }
}

impl Traffic for Output {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.data.len()
    }
}

impl Traffic for Outputs {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.stdout.len() + self.stderr.len()
    }

    fn kept(&self) -> usize {
        self.stdout.capacity() + self.stderr.capacity()
    }
}

impl Traffic for Said {
    fn bytes(&self, _: &Store<'_>) -> usize {
        match self {
            Said::Stdout(data) | Said::Stderr(data) => data.len(),
            Said::Ended(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Surroundings;
    use crate::sandbox::Setup;

    #[test]
    fn what_ran_in_another_process_was_interrupted() {
        let mut host = Host::new(Setup::default(), &[], Arc::default(), Surroundings::default()).unwrap();
        let saved = BTreeMap::from([("exec".to_owned(), serde_json::json!({"last": 4, "running": [3]}))]);
        host.restore_states(saved.clone());
        assert_eq!(host.save_states(), saved);
        let programs = host.state::<Programs>().unwrap();
        let code = |programs: &Programs, process| programs.started(process).err().unwrap().code;
        assert_eq!([2, 3].map(|process| code(programs, process)), ["ESRCH", "INTERRUPTED"]);
        assert_eq!((programs.last, State::pins(programs)), (4, None));
        assert_eq!(host.save_states(), saved);
        host.end();
        let programs = host.state::<Programs>().unwrap();
        assert_eq!(code(programs, 3), "ESRCH");
    }
}
