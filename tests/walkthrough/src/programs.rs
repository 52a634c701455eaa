//! Sluice's functions, built beside this program.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Each is a program of this name.
const NAMES: [&str; 5] = ["image-push", "lifecycle-hook", "alarm", "deployment-state", "notify"];

/// The functions' programs.
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Builds them.
    pub fn build() -> anyhow::Result<Self> {
        let folder = own_folder()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        // All at once and as from the workspace's root, where they share their dependencies with
        // this program.
        build.args(["build", "--quiet"]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        build.args(NAMES.iter().flat_map(|name| ["--bin", name]));
        // What `cargo run` tells this program of its package would be news to ring's build script,
        // and all that uses ring would be built again.
        for (name, _) in std::env::vars_os().filter(|(name, _)| tells_of_us(name)) {
            build.env_remove(name);
        }
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let ended = build.status().context("cargo cannot be run")?;
        ensure!(ended.success(), "the functions {} do not build", NAMES.join(", "));
        Self::built()
    }

    /// As they were built before.
    pub fn built() -> anyhow::Result<Self> {
        let folder = own_folder()?;
        let missing = NAMES.into_iter().find(|name| !folder.join(name).is_file());
        ensure!(missing.is_none(), "{missing:?} was not built in {}", folder.display());
        Ok(Self { folder })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn own_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this program is in no folder")?.to_owned())
}

fn tells_of_us(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
}
