//! Sluice's functions, built beside this program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The functions' programs.
pub struct Programs {
    pub image_push: PathBuf,
    pub lifecycle_hook: PathBuf,
}

impl Programs {
    pub fn build() -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let names = ["image-push", "lifecycle-hook"];
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        // All at once and as from the workspace's root, where they share their dependencies with
        // this program.
        build.args(["build", "--quiet"]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        build.args(names.iter().flat_map(|name| ["--bin", name]));
        // What `cargo run` tells this program of its package would be news to ring's build script,
        // and all that uses ring would be built again.
        for (name, _) in std::env::vars_os().filter(|(name, _)| tells_of_us(name)) {
            build.env_remove(name);
        }
        if own.parent().is_some_and(|profile| profile.ends_with("release")) {
            build.arg("--release");
        }
        let ended = build.status().context("cargo cannot be run")?;
        ensure!(ended.success(), "the functions {} do not build", names.join(" and "));
        let [image_push, lifecycle_hook] = names.map(|name| beside(&own, name));
        Ok(Self { image_push: image_push?, lifecycle_hook: lifecycle_hook? })
    }
}

fn beside(own: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let program = own.with_file_name(name);
    ensure!(program.is_file(), "cargo built {name} elsewhere than in {}", program.display());
    Ok(program)
}

fn tells_of_us(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
}
