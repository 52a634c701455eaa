//! sweep in front of the local cloud, in process and on virtual time: what no event told, and
//! what must not happen when one did.

mod alarms;
mod cheap;
mod ends;
mod faults;
mod hooks;
mod pushes;
mod scene;
mod schedule;

/// Services and releases as deployment-state's own tests have them.
#[expect(dead_code, reason = "these tests need a part of it")]
#[path = "../../../deployment-state/tests/state/scene.rs"]
mod state;
