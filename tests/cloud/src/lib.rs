//! The local cloud: a deterministic model of the parts of AWS that Sluice meets.
//!
//! [`Cloud`] is one account in one region. It has no socket, clock or randomness
//! of its own: API requests and observations go in with the time, answers and
//! [`Effect`]s come out. `server` puts it on a port with real processes behind it,
//! `in_process` behind the SDK's HTTP client on virtual time.

mod calls;
pub mod cloud;
pub mod effect;
pub mod fault;
pub mod fixture;
pub mod glob;
pub mod http;
mod ids;
pub mod image;
pub mod in_process;
pub mod model;
pub mod sample_app;
pub mod samples;
pub mod server;
pub mod services;
pub mod slack;
pub mod time;
pub mod timeline;
mod weighted;
mod wire;
pub mod world;

pub use cloud::{Answer, Cloud, Settings, Ticket};
pub use effect::{Effect, Report};
pub use fault::Fault;
pub use time::{HOUR, MINUTE, Ms, SECOND};
