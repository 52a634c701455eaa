//! The cloud on a port: real processes, a real load balancer, real functions.
//!
//! One thread: the core sits in a `RefCell`, everything that happens (a request, an
//! exit, a health check) is one short borrow of it, and what it asks for in return is
//! begun before anything else happens, so no speed changes the order of events.

mod api;
mod balancer;
mod clock;
mod functions;
mod health;
mod process;
mod running;
mod tally;
mod tasks;

use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::services::{elbv2, lambda};
use crate::timeline::Kind;
use crate::{Cloud, Effect, Report, Settings};
use clock::Clock;

pub use running::{Running, start};
pub use tally::Spell;

/// How the server is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// 0 picks a free one.
    pub port: u16,
    /// Virtual seconds per real second.
    pub speed: f64,
    pub seed: u64,
    pub region: Option<String>,
    /// Prints the timeline as it happens.
    pub print_timeline: bool,
    /// What an alarm does that is already red when a CodeDeploy deployment starts.
    pub red_alarm_stops_at_start: bool,
    /// See [`Settings::task_sets_as_deployments`].
    pub task_sets_as_deployments: bool,
}

pub(crate) struct Host {
    cloud: RefCell<Cloud>,
    clock: Clock,
    /// Something may be due earlier than the driver thinks.
    changed: Notify,
    answered: Notify,
    balancer: balancer::Balancer,
    tasks: tasks::Tasks,
    functions: functions::Functions,
    health: health::Checker,
    scratch: PathBuf,
    print_timeline: bool,
    printed: Cell<usize>,
    /// Nothing is begun any more.
    stopped: Cell<bool>,
}

/// Runs until the process is told to stop. Prints `ready http://127.0.0.1:N` once
/// requests are taken. Errors: the port is taken, or no scratch folder can be made.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> std::io::Result<()> {
    let serve = async {
        let running = start(options).await?;
        println!("ready {}", running.url());
        stop.await;
        Ok(())
    };
    tokio::task::LocalSet::new().run_until(serve).await
}

/// Tasks get addresses of 127.a.b.*, where a and b are the port's two bytes: two
/// clouds on one machine never share one.
fn first_task_address(port: u16) -> Ipv4Addr {
    let [high, low] = port.to_be_bytes();
    Ipv4Addr::new(127, high, low, 2)
}

impl Host {
    fn new(options: &Options, address: SocketAddr, scratch: PathBuf) -> Self {
        let clock = Clock::new(options.speed);
        let settings = Settings {
            region: options.region.clone(),
            seed: options.seed,
            first_task_address: first_task_address(address.port()),
            task_addresses: 253,
            endpoint: format!("http://{address}"),
            red_alarm_stops_at_start: options.red_alarm_stops_at_start,
            task_sets_as_deployments: options.task_sets_as_deployments,
            port_is_free: balancer::port_is_free,
            ..Settings::default()
        };
        Self {
            cloud: RefCell::new(Cloud::new(settings, clock.now())),
            clock,
            changed: Notify::new(),
            answered: Notify::new(),
            balancer: balancer::Balancer::default(),
            tasks: tasks::Tasks::default(),
            functions: functions::Functions::default(),
            health: health::Checker::default(),
            scratch,
            print_timeline: options.print_timeline,
            printed: Cell::new(0),
            stopped: Cell::new(false),
        }
    }

    /// Fires what is due, one timer at a time, each with its effects begun before the next.
    fn catch_up(self: &Rc<Self>) {
        let now = self.clock.now();
        loop {
            let next = self.cloud.borrow().next_wakeup().filter(|at| *at <= now);
            self.cloud.borrow_mut().advance(next.unwrap_or(now));
            self.begin_effects();
            if next.is_none() {
                break;
            }
        }
    }

    /// Lets something happen in the core, now.
    fn happen<T>(self: &Rc<Self>, what: impl FnOnce(&mut Cloud, crate::Ms) -> T) -> T {
        self.catch_up();
        let now = self.clock.now();
        let out = what(&mut self.cloud.borrow_mut(), now);
        self.begin_effects();
        self.changed.notify_one();
        out
    }

    fn report(self: &Rc<Self>, report: Report) {
        self.happen(|cloud, now| cloud.report(report, now));
    }

    fn note(self: &Rc<Self>, text: String) {
        self.happen(|cloud, _| cloud.note(Kind::Host, text, serde_json::Value::Null));
    }

    fn begin_effects(self: &Rc<Self>) {
        let effects = self.cloud.borrow_mut().take_effects();
        for effect in effects.into_iter().filter(|_| !self.stopped.get()) {
            self.begin(effect);
        }
        self.print_new_entries();
    }

    fn begin(self: &Rc<Self>, effect: Effect) {
        match effect {
            Effect::StartTask { task, containers, .. } => tasks::start(self, &task, containers),
            Effect::StopTask { task } => tasks::stop(self, &task),
            Effect::CheckHealth { target_group, address, port, path, timeout, codes } => {
                let check = health::Check { target_group, address, port, path, timeout, codes };
                tokio::task::spawn_local(health::check(Rc::clone(self), check));
            }
            Effect::Routes => {
                let routes = elbv2::routes(&self.cloud.borrow());
                balancer::apply(self, routes);
            }
            Effect::Invoke { invocation, function, payload, timeout, environment, code_sha256 } => {
                let package = lambda::package(&self.cloud.borrow(), &code_sha256).map(<[u8]>::to_vec);
                let work =
                    functions::Work { invocation, function, payload, timeout, environment, code_sha256 };
                functions::invoke(self, work, package);
            }
            Effect::Post { url, headers, body } => {
                tokio::task::spawn_local(health::post(Rc::clone(self), url, headers, body));
            }
            Effect::Answered => self.answered.notify_waiters(),
        }
    }

    async fn drive(self: Rc<Self>) {
        loop {
            self.catch_up();
            let next = self.cloud.borrow().next_wakeup();
            let wait = next.map_or(std::time::Duration::from_secs(3_600), |at| self.clock.until(at));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn print_new_entries(&self) {
        if !self.print_timeline {
            return;
        }
        let cloud = self.cloud.borrow();
        let mut out = std::io::stdout().lock();
        for entry in &cloud.timeline()[self.printed.get()..] {
            // Whoever listened may be gone; the cloud goes on.
            let _ = writeln!(out, "{entry}");
        }
        self.printed.set(cloud.timeline().len());
    }
}
