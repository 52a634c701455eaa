//! Tasks as processes: one a container, with the container's environment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Child;

use super::{Host, process};
use crate::Report;
use crate::effect::ContainerSpec;

/// Process groups of the running containers, by task.
#[derive(Default)]
pub struct Tasks(RefCell<BTreeMap<String, Vec<Running>>>);

#[derive(Clone)]
struct Running {
    container: String,
    group: u32,
    stop_timeout_seconds: u64,
}

impl Tasks {
    pub fn kill_all(&self) {
        for running in self.0.borrow().values().flatten() {
            process::signal(running.group, Signal::KILL);
        }
    }

    fn of(&self, task: &str) -> Vec<Running> {
        self.0.borrow().get(task).cloned().unwrap_or_default()
    }

    /// Forgets an exited container, so that its process id is never signalled again.
    fn exited(&self, task: &str, container: &str) {
        let mut tasks = self.0.borrow_mut();
        if let Some(running) = tasks.get_mut(task) {
            running.retain(|r| r.container != container);
            if running.is_empty() {
                tasks.remove(task);
            }
        }
    }
}

/// Starts all containers; if one cannot be started, none stays.
pub fn start(host: &Rc<Host>, task: &str, containers: Vec<ContainerSpec>) {
    let mut children = Vec::new();
    for container in containers {
        match spawn(host, &container) {
            Ok(child) => children.push((container, child)),
            Err(e) => {
                // Dropping the others kills them.
                let program = container.command.first().cloned().unwrap_or_default();
                let reason =
                    format!("CannotStartContainerError: {}: exec: \"{program}\": {e}", container.name);
                report_soon(host, Report::TaskFailed { task: task.to_owned(), reason });
                return;
            }
        }
    }
    for (container, child) in children {
        let running = Running {
            container: container.name.clone(),
            group: child.id().unwrap_or_default(),
            stop_timeout_seconds: container.stop_timeout_seconds,
        };
        host.tasks.0.borrow_mut().entry(task.to_owned()).or_default().push(running);
        tokio::task::spawn_local(watch(Rc::clone(host), task.to_owned(), container, child));
    }
    report_soon(host, Report::TaskStarted { task: task.to_owned() });
}

/// Not from within an effect: the core hears of it as its own happening.
fn report_soon(host: &Rc<Host>, report: Report) {
    let host = Rc::clone(host);
    tokio::task::spawn_local(async move { host.report(report) });
}

fn spawn(host: &Host, container: &ContainerSpec) -> std::io::Result<Child> {
    let (program, arguments) =
        container.command.split_first().ok_or_else(|| std::io::Error::other("no command specified"))?;
    let mut environment = vec![("PATH".to_owned(), process::search_path(&host.scratch))];
    environment.extend(container.environment.iter().cloned());
    let folder = container.working_directory.as_ref().map(std::path::PathBuf::from);
    let folder = folder.filter(|f| f.is_dir()).unwrap_or_else(|| host.scratch.clone());
    process::command(program, arguments, &environment).current_dir(folder).spawn()
}

async fn watch(host: Rc<Host>, task: String, container: ContainerSpec, mut child: Child) {
    let log = |line: String| {
        if let Some((group, stream)) = &container.log {
            host.report(Report::Logged { group: group.clone(), stream: stream.clone(), lines: vec![line] });
        }
    };
    let group = child.id().unwrap_or_default();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let lines = async {
        tokio::join!(
            async {
                if let Some(out) = out {
                    process::each_line(out, log).await
                }
            },
            async {
                if let Some(err) = err {
                    process::each_line(err, log).await
                }
            },
        )
    };
    tokio::pin!(lines);
    let mut read = false;
    let exit_code = loop {
        tokio::select! {
            code = process::exit_code(&mut child) => break code,
            _ = &mut lines, if !read => read = true,
        }
    };
    // What it left behind goes with it; then its last lines can be read to their end.
    process::signal(group, Signal::KILL);
    if !read {
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut lines).await;
    }
    host.tasks.exited(&task, &container.name);
    host.report(Report::ContainerExited { task, container: container.name.clone(), exit_code });
}

/// SIGTERM now, SIGKILL after the stop timeout: virtual, but never under a real second,
/// since the process shuts down in real time.
pub fn stop(host: &Rc<Host>, task: &str) {
    for running in host.tasks.of(task) {
        process::signal(running.group, Signal::TERM);
        let grace = host.clock.real(running.stop_timeout_seconds * 1_000).max(Duration::from_secs(1));
        let (host, task) = (Rc::clone(host), task.to_owned());
        tokio::task::spawn_local(async move {
            tokio::time::sleep(grace).await;
            if host.tasks.of(&task).iter().any(|r| r.group == running.group) {
                process::signal(running.group, Signal::KILL);
            }
        });
    }
}
