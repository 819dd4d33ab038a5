//! Medians, ratios and the table they are printed in.
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Prints rows as they come and remembers them.
pub struct Report(String);

impl Report {
    pub fn new() -> Self {
        Report(String::new())
    }

    pub fn title(&mut self, text: &str) {
        self.line(&format!("\n{text}"));
    }

    /// One figure with its baseline and the goal that the specification sets.
    pub fn row(&mut self, name: &str, figure: &str, baseline: &str, ratio: Option<f64>, goal: &str) {
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}x"));
        self.line(&format!("  {name:<46} {figure:>14} {baseline:>24} {ratio:>8}   {goal}"));
    }

    pub fn line(&mut self, text: &str) {
        println!("{text}");
        let _ = writeln!(self.0, "{text}");
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

/// The median of `n` measurements.
pub fn median(n: usize, mut measure: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..n).map(|_| measure()).collect();
    times.sort();
    times[times.len() / 2]
}

pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let result = work();
    (started.elapsed(), result)
}

/// A time with the unit that fits it.
pub fn show(time: Duration) -> String {
    let nanos = time.as_nanos() as f64;
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} us", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

pub fn geomean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}
