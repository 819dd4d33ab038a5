//! Private memory of live sessions.
use std::path::Path;
use std::sync::Arc;

use sandbox::{Image, Library, Sandbox};

use crate::latency::{engine, eval, on_guest_thread, recipe, wide};
use crate::report::{Report, timed};

/// A field of `/proc/self/smaps_rollup`, KiB.
fn memory_kib(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn maps() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

pub fn live(report: &mut Report, dir: &Path, library: Option<&Library>, most: u32) -> anyhow::Result<()> {
    report.title("density, after one eval each (baseline: the process before them)");
    let mut cases = vec![("plain", recipe(&[], None)?, "<= 100 KB")];
    if library.is_some() {
        cases.push(("with the library", recipe(&[], library)?, "<= 130 KB"));
    }
    for (name, recipe, goal) in cases {
        for count in [1_000, most] {
            // A pool of its own: slots that other sessions have used keep some of their pages.
            let engine = engine(dir, count + 10)?;
            let image = engine.image(&recipe)?;
            let (row, figure, before) = on_guest_thread(&engine, move || measure(&image, count));
            report.row(&format!("{count} live, {name}"), &figure, &before, None, &format!("{goal}; {row}"));
        }
    }
    Ok(())
}

fn measure(image: &Arc<Image>, count: u32) -> (String, String, String) {
    let (dirty, mapped) = (memory_kib("Private_Dirty"), maps());
    let (time, sandboxes) = timed(|| {
        let mut live: Vec<Sandbox> = Vec::with_capacity(count as usize);
        for at in 0..count {
            match image.start(wide()) {
                Ok(sandbox) => live.push(eval(sandbox, "1+1")),
                Err(error) => panic!("at session {at}: {error}"),
            }
        }
        live
    });
    let added = memory_kib("Private_Dirty").saturating_sub(dirty);
    let maps_each = (maps() - mapped) as f64 / f64::from(count);
    // Still alive, every one of them.
    let kept: Vec<Sandbox> = sandboxes.into_iter().map(|sandbox| eval(sandbox, "6 * 7")).collect();
    drop(kept);
    let each = added as f64 / f64::from(count);
    let row = format!("{:.1} us each, {maps_each:.1} maps each", time.as_secs_f64() * 1e6 / f64::from(count));
    (row, format!("{each:.1} KB each"), format!("{} MB", dirty >> 10))
}
