//! The release binaries: built as for a deployment, found, zipped.

use std::ffi::OsStr;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Builds binaries of the workspace in the release profile, each with the features that the
/// whole workspace gives it. Gives the folder that they are in.
pub fn build(names: &[&str]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--workspace"]);
    for name in names {
        build.args(["--bin", name]);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| tells_of_us(name)) {
        build.env_remove(name);
    }
    let status = build.status().context("cargo cannot be started")?;
    ensure!(status.success(), "the release binaries cannot be built");
    let ours = std::env::current_exe()?;
    let target = ours.ancestors().nth(2).context("this binary is in no target folder")?;
    Ok(target.join("release"))
}

/// What `cargo run` tells a program of its package; ring's build script would take it for news
/// and be built again, with all that uses it.
fn tells_of_us(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Bytes of the binary, and of its deployment package.
pub fn sizes(binary: &Path) -> Result<(u64, u64)> {
    let content = std::fs::read(binary).with_context(|| format!("{} cannot be read", binary.display()))?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(&content)?;
    let package = zip.finish()?.into_inner();
    Ok((content.len().try_into()?, package.len().try_into()?))
}
