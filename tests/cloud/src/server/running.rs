//! The server within another program: started, called without a wire, looked into, stopped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, spawn_local};

use super::{Host, Options, Spell, api};
use crate::fixture::Call;
use crate::sample_app::{SAMPLE_APP, SAMPLE_TASK};
use crate::slack::Slack;
use crate::timeline::Entry;
use crate::{Fault, Ms};

/// A server that runs until this is dropped; then its processes are killed and its folder
/// is gone.
pub struct Running {
    host: Rc<Host>,
    address: SocketAddr,
    loops: [AbortHandle; 2],
}

/// Starts a server; within a [`tokio::task::LocalSet`], on whose thread it stays. The program
/// that does so must hand itself over to [`crate::samples::run`] first: tasks call it by those
/// names. Errors: the port is taken, or no scratch folder can be made.
pub async fn start(options: Options) -> io::Result<Running> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let address = listener.local_addr()?;
    let scratch = std::env::temp_dir().join(format!("cloud-{}-{}", address.port(), std::process::id()));
    std::fs::create_dir_all(scratch.join("bin"))?;
    for name in [SAMPLE_APP, SAMPLE_TASK] {
        symlink(std::env::current_exe()?, scratch.join("bin").join(name))?;
    }
    let host = Rc::new(Host::new(&options, address, scratch));
    let drive = spawn_local(Rc::clone(&host).drive()).abort_handle();
    let serve = spawn_local(api::serve(Rc::clone(&host), listener)).abort_handle();
    Ok(Running { host, address, loops: [drive, serve] })
}

impl Running {
    /// Where AWS's clients reach it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A folder that goes when the server goes.
    pub fn scratch(&self) -> &Path {
        &self.host.scratch
    }

    pub fn now(&self) -> Ms {
        self.host.clock.now()
    }

    /// The timeline from its entry `n` on.
    pub fn entries_since(&self, n: usize) -> Vec<Entry> {
        self.host.catch_up();
        self.host.cloud.borrow().timeline().get(n..).unwrap_or_default().to_vec()
    }

    /// Slack as it is now.
    pub fn slack(&self) -> Slack {
        self.host.catch_up();
        self.host.cloud.borrow().slack.clone()
    }

    /// What the proxy served on a listener's port.
    pub fn served(&self, port: u16) -> Vec<Spell> {
        self.host.balancer.tally.of(port)
    }
}

impl Call for Running {
    fn call(&mut self, service: &str, operation: &str, input: Value) -> Result<Value, Fault> {
        self.host.happen(|cloud, now| cloud.call(service, operation, input, now))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.host.stopped.set(true);
        self.loops.iter().for_each(AbortHandle::abort);
        self.host.tasks.kill_all();
        self.host.functions.kill_all();
        if let Err(e) = std::fs::remove_dir_all(&self.host.scratch) {
            eprintln!("{} stays behind: {e}", self.host.scratch.display());
        }
    }
}
