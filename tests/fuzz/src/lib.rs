//! Every parser of outside input, fed with what nobody would send: no panic, what must hold of
//! the outcome holds, and no input takes long.
//!
//! A target is a plain function, which `tests/seeds.rs` calls with what is known, and libFuzzer,
//! through `main.rs` and `run`, with what it makes of that.

mod aws;
mod config;
mod events;
mod limit;
mod samples;
mod seeds;
mod session;
mod slack;
mod smoke;
#[cfg(feature = "sql")]
mod sql;
mod tags;

pub use limit::{Limit, Slow};
pub use session::{begin, feed};

/// A parser, and what of ours works on with what it read.
pub struct Target {
    pub name: &'static str,
    /// Panics if something does not hold; gives whether the input was taken for what it is to be.
    pub feed: fn(&[u8]) -> bool,
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// In bytes. Most parsers do per byte what they do; short inputs are more of them.
    pub longest: usize,
}

const fn target(
    name: &'static str,
    feed: fn(&[u8]) -> bool,
    seeds: fn() -> Vec<Vec<u8>>,
    longest: usize,
) -> Target {
    Target { name, feed, seeds, longest }
}

pub const TARGETS: &[Target] = &[
    target("ecr-event", events::ecr, seeds::events, 1_024),
    target("deployment-event", events::deployment, seeds::events, 1_024),
    target("alarm-event", events::alarm, seeds::events, 2_048),
    target("hook-event", events::hook, seeds::events, 1_024),
    target("sqs-message", slack::message, samples::messages, 1_024),
    target("slack-answer", slack::answer, samples::slack_answers, 512),
    target("slack-secret", slack::secret, samples::slack_secrets, 512),
    target("manifest", aws::manifest, samples::manifests, 1_024),
    target("task-definition", aws::task_definition, samples::task_definitions, 2_048),
    target("ecs-answer", aws::ecs_answer, samples::ecs_answers, 2_048),
    target("appspec", aws::appspec, samples::appspecs, 1_024),
    target("releases", config::releases, seeds::releases, 2_048),
    target("patterns", config::patterns, samples::patterns, 512),
    target("freeze", config::freeze, samples::freezes, 128),
    #[cfg(feature = "sql")]
    target("sql", sql::migration, seeds::sql, 1_024),
    target("smoke-answer", smoke::answer, samples::smoke_answers, 1_024),
    target("tags", tags::tags, samples::tags, 512),
];

impl Target {
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Its seeds, and what was found with it once.
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        let mut all = (self.seeds)();
        all.extend(seeds::found(self.name));
        all
    }

    /// The words of its seeds, as libFuzzer's dictionaries write them.
    pub fn dictionary(&self) -> String {
        seeds::words(&self.inputs()).iter().map(|word| format!("\"{word}\"\n")).collect()
    }
}
