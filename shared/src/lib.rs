//! What two or more of Sluice's functions use: the domain, which knows nothing of AWS's
//! SDK, configuration, thin adapters to AWS, and Lambda start-up.

pub mod appspec;
pub mod aws;
pub mod config;
pub mod events;
pub mod freeze;
pub mod image;
mod log;
pub mod members;
pub mod release;
pub mod revision;
pub mod start;
