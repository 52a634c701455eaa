//! The versions of the service that are pushed: one image each, by what its answers are.

/// A version; its image is tagged with a commit's id, and its answers show that.
#[derive(Debug, PartialEq, Eq)]
pub struct Version {
    /// As the story calls it.
    pub name: &'static str,
    pub commit: &'static str,
    /// How it answers, by the sample application's variables.
    behaviour: &'static [(&'static str, &'static str)],
}

pub static FIRST: Version =
    Version { name: "version 1", commit: "5f1c9f1d6f0f8c6ad3e4f2b07a9e1c4d8b362a70", behaviour: &[] };

pub static SECOND: Version =
    Version { name: "version 2", commit: "c03b7e5a94d2f81e6b0a7c35d9f4e2186a5b0cd3", behaviour: &[] };

/// Healthy by its own account, and good for nothing: all but its health check is answered by 500.
pub static THIRD: Version = Version {
    name: "version 3",
    commit: "8e41d07b3c9a65f2e0b7d1486a3f5c92d7e80b14",
    behaviour: &[("APP_ERROR_RATE", "1")],
};

/// Answers every second request to a task by 500, and so passes a check that asks once.
pub static FOURTH: Version = Version {
    name: "version 4",
    commit: "b6e20f8a71d43c95be0f2a64c8d71e35903fa7d2",
    behaviour: &[("APP_ERROR_RATE", "0.5")],
};

static ALL: [&Version; 4] = [&FIRST, &SECOND, &THIRD, &FOURTH];

impl Version {
    /// The environment that its image brings along.
    pub fn environment(&self) -> Vec<(&'static str, &'static str)> {
        let shown = ("APP_VERSION", self.commit);
        [shown].into_iter().chain(self.behaviour.iter().copied()).collect()
    }
}

/// The name of the version whose answers show this; that itself if there is none.
pub fn name(shown: &str) -> &str {
    ALL.iter().find(|version| version.commit == shown).map_or(shown, |version| version.name)
}
