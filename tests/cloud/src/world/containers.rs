//! Containers of the simulated world: they start, write, end.

use std::net::Ipv4Addr;

use super::{Happening, World};
use crate::effect::ContainerSpec;
use crate::sample_app::{Behaviour, Program};
use crate::{Ms, Report};

/// How long processes take to start, and to end after SIGTERM.
const START: Ms = 500;
const END: Ms = 200;

/// A container whose process runs, or is being started.
#[derive(Debug, Clone)]
pub(super) struct Container {
    pub name: String,
    pub address: Ipv4Addr,
    /// CloudWatch log group and stream.
    log: Option<(String, String)>,
    pub app: Option<Behaviour>,
    pub listens_from: Ms,
}

impl World {
    pub(super) fn start(&mut self, task: String, address: Ipv4Addr, containers: &[ContainerSpec]) {
        self.tasks.insert(task.clone(), Vec::new());
        self.later(START, Happening::Report(Report::TaskStarted { task: task.clone() }));
        for spec in containers {
            let variable = |name: &str| {
                let pairs = spec.environment.iter().rev();
                pairs.clone().find(|(n, _)| n == name).map(|(_, value)| value.clone())
            };
            self.run(&task, address, spec, Program::of(&spec.command, variable));
        }
    }

    fn run(&mut self, task: &str, address: Ipv4Addr, spec: &ContainerSpec, program: Program) {
        let delay = program.app.as_ref().map_or(0, |app| app.start_delay);
        let listens_from = self.now() + START + delay;
        let writes = |lines| Happening::Writes { task: task.to_owned(), container: spec.name.clone(), lines };
        self.later(START, writes(program.lines));
        if let Some(app) = &program.app {
            self.later(START + delay, writes(vec![app.greeting()]));
        }
        if let Some((after, exit_code)) = program.exit {
            let exit =
                Report::ContainerExited { task: task.to_owned(), container: spec.name.clone(), exit_code };
            self.later(START + after, Happening::Report(exit));
        }
        self.tasks.entry(task.to_owned()).or_default().push(Container {
            name: spec.name.clone(),
            address,
            log: spec.log.clone(),
            app: program.app,
            listens_from,
        });
    }

    pub(super) fn stop(&mut self, task: &str) {
        let names: Vec<String> = self.tasks.get(task).into_iter().flatten().map(|c| c.name.clone()).collect();
        for container in names {
            let exit = Report::ContainerExited { task: task.to_owned(), container, exit_code: 143 };
            self.later(END, Happening::Report(exit));
        }
    }

    /// Whether it was still running.
    pub(super) fn exits(&mut self, task: &str, container: &str) -> bool {
        let Some(containers) = self.tasks.get_mut(task) else { return false };
        let before = containers.len();
        containers.retain(|c| c.name != container);
        let ran = containers.len() < before;
        if containers.is_empty() {
            self.tasks.remove(task);
        }
        ran
    }

    pub(super) fn writes(&mut self, task: &str, container: &str, lines: Vec<String>) {
        let running = self.tasks.get(task).into_iter().flatten().find(|c| c.name == container);
        let log = running.and_then(|c| c.log.clone());
        if let Some((group, stream)) = log.filter(|_| !lines.is_empty()) {
            let now = self.now();
            self.cloud.report(Report::Logged { group, stream, lines }, now);
        }
    }
}
