//! Child processes that die with this one.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

/// The longest line kept, in bytes, as CloudWatch Logs' events are bounded too.
const LONGEST: usize = 256 * 1024;

/// A command in a process group of its own, with only this environment, and killed
/// by the kernel when this process ends, however it ends.
#[allow(unsafe_code)]
pub fn command(program: &str, arguments: &[String], environment: &[(String, String)]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    // SAFETY: prctl(2) is async-signal-safe and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    command
}

/// Signals the whole group of a child; one that is gone already is no matter.
pub fn signal(group: u32, signal: Signal) {
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// Exit code, or 128 + the signal's number, as container runtimes report it.
pub async fn exit_code(child: &mut Child) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    match child.wait().await {
        Ok(status) => status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        Err(_) => 255,
    }
}

/// Gives each line of a stream to `take`, until it ends.
pub async fn each_line(stream: impl AsyncRead + Unpin, take: impl Fn(String)) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
        line.truncate(LONGEST);
        take(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned());
        line.clear();
    }
}

/// `PATH` for children: the cloud's own programs first, then the machine's.
pub fn search_path(scratch: &Path) -> String {
    let machine = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
    format!("{}:{machine}", scratch.join("bin").display())
}
