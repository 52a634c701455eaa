//! The programs that the local cloud brings along for tasks: each is the server's own
//! executable, called by another name.

use std::path::Path;

use crate::sample_app::{self, SAMPLE_APP, SAMPLE_TASK};

/// Runs the sample that this process was called as, until it ends; `None` if it was called
/// by any other name.
pub async fn run() -> Option<std::io::Result<()>> {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&called).file_name().unwrap_or_default();
    if name == SAMPLE_APP || name == SAMPLE_TASK { Some(sample_app::run().await) } else { None }
}
