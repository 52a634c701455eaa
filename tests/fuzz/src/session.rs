//! One run of libFuzzer: which target, within which limit, and the slowest input so far.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Limit, Slow, TARGETS, Target};

struct Session {
    target: &'static Target,
    limit: Limit,
    /// Where the slowest input is kept.
    folder: Option<PathBuf>,
    slowest: AtomicU64,
}

static SESSION: OnceLock<Session> = OnceLock::new();

/// Reads the environment: `FUZZ`, the target; `FUZZ_OPTIMIZED`, if it is; `FUZZ_FOLDER`, for its
/// slowest input. With `FUZZ_PREPARE`, a folder, all that libFuzzer needs to begin is put there.
pub fn begin() {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(folder) = variable("FUZZ_PREPARE") {
        let done =
            TARGETS.iter().try_for_each(|target| prepare(target, &Path::new(&folder).join(target.name)));
        done.unwrap_or_else(|e| panic!("cannot write to {folder}: {e}"));
        std::process::exit(0);
    }
    let name = variable("FUZZ").unwrap_or_default();
    let target = Target::named(&name).unwrap_or_else(|| panic!("FUZZ names no target: '{name}'"));
    let limit = variable("FUZZ_OPTIMIZED").map_or(Limit::OF_TESTS, |_| Limit::OPTIMIZED);
    let folder = variable("FUZZ_FOLDER").map(PathBuf::from);
    SESSION.get_or_init(|| Session { target, limit, folder, slowest: AtomicU64::new(0) });
}

/// Feeds one input to the target. Panics, for libFuzzer to see, if it takes too long.
pub fn feed(input: &[u8]) {
    let Some(session) = SESSION.get() else { return };
    match session.limit.hold(session.target, input) {
        Ok((took, _)) => session.note(input, took),
        Err(Slow(took)) => {
            panic!("{} bytes took {took:?}, and {:?} are allowed", input.len(), session.limit.0)
        }
    }
}

impl Session {
    fn note(&self, input: &[u8], took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if self.slowest.fetch_max(took, Ordering::Relaxed) >= took {
            return;
        }
        if let Some(folder) = &self.folder {
            let _ = std::fs::write(folder.join("slowest.us"), took.to_string());
            let _ = std::fs::write(folder.join("slowest"), input);
        }
    }
}

/// `seeds/`, `dictionary` and `longest`, an option of libFuzzer's.
fn prepare(target: &Target, folder: &Path) -> std::io::Result<()> {
    let seeds = folder.join("seeds");
    std::fs::create_dir_all(&seeds)?;
    for (n, seed) in target.inputs().iter().enumerate() {
        std::fs::write(seeds.join(format!("{n:04}")), seed)?;
    }
    std::fs::write(folder.join("dictionary"), target.dictionary())?;
    std::fs::write(folder.join("longest"), target.longest.to_string())
}
