//! What a template lets one execution use. Values only: `sandbox::limits` enforces them while the script runs.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of a session, as the contract's `limits` object. Each execution gets the whole of `cpu_ms`, `wall_ms`,
/// `max_events` and `max_output_kb`; `mem_mb` bounds the session's heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// CPU time of one execution, milliseconds of the guest thread's own clock.
    pub cpu_ms: u32,
    /// Elapsed time of one execution, milliseconds.
    pub wall_ms: u32,
    /// JavaScript heap of the session, MiB.
    pub mem_mb: u32,
    /// Events of one execution.
    pub max_events: u32,
    /// Text of one execution's console calls and result, KiB.
    pub max_output_kb: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { cpu_ms: 2_000, wall_ms: 5_000, mem_mb: 128, max_events: 50_000, max_output_kb: 256 }
    }
}

/// A limit outside of what this build can hold to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be between {min} and {max}")]
pub struct LimitsError {
    /// The field, as it is spelt in JSON.
    pub name: &'static str,
    /// Smallest accepted value.
    pub min: u32,
    /// Largest accepted value.
    pub max: u32,
}

impl Limits {
    /// The widest limits that the engine is built for. An operator's ceilings lie below.
    pub const MAX: Limits =
        Limits { cpu_ms: 3_600_000, wall_ms: 86_400_000, mem_mb: 1_024, max_events: 1_000_000, max_output_kb: 65_536 };
    /// The narrowest limits under which `1+1` still answers.
    pub const MIN: Limits = Limits { cpu_ms: 1, wall_ms: 1, mem_mb: 4, max_events: 1, max_output_kb: 1 };

    /// Each limit, or the ceiling where that is lower: a ceiling that was lowered holds for old templates too.
    pub fn at_most(&self, ceiling: &Limits) -> Limits {
        Limits {
            cpu_ms: self.cpu_ms.min(ceiling.cpu_ms),
            wall_ms: self.wall_ms.min(ceiling.wall_ms),
            mem_mb: self.mem_mb.min(ceiling.mem_mb),
            max_events: self.max_events.min(ceiling.max_events),
            max_output_kb: self.max_output_kb.min(ceiling.max_output_kb),
        }
    }

    /// Checks every field against `MIN` and `ceiling`, both inclusive.
    pub fn check(&self, ceiling: &Limits) -> Result<(), LimitsError> {
        let (low, max) = (Self::MIN, ceiling);
        for (name, value, min, max) in [
            ("cpu_ms", self.cpu_ms, low.cpu_ms, max.cpu_ms),
            ("wall_ms", self.wall_ms, low.wall_ms, max.wall_ms),
            ("mem_mb", self.mem_mb, low.mem_mb, max.mem_mb),
            ("max_events", self.max_events, low.max_events, max.max_events),
            ("max_output_kb", self.max_output_kb, low.max_output_kb, max.max_output_kb),
        ] {
            if value < min || value > max {
                return Err(LimitsError { name, min, max });
            }
        }
        Ok(())
    }
}
