//! All of Sluice on the local cloud, in one process and on virtual time: crashed at every
//! call, and held against its invariants.

pub mod account;
pub mod crash;
pub mod invariants;
pub mod outcome;
pub mod runtime;
pub mod scenario;
pub mod scenarios;
