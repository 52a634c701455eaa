//! All of Sluice on the local cloud, in one process and on virtual time: crashed at every
//! call, interleaved, led through random histories, and held against its invariants.

pub mod account;
pub mod calls;
pub mod config;
pub mod crashes;
pub mod functions;
pub mod history;
pub mod hunt;
pub mod interleave;
pub mod invariants;
pub mod mail;
pub mod orders;
pub mod outcome;
pub mod pairs;
pub mod record;
pub mod run;
pub mod runtime;
pub mod scenarios;
pub mod shrink;
pub mod step;
pub mod turns;
