//! What two or more of Sluice's functions use: the domain, which knows nothing of AWS's
//! SDK, configuration, thin adapters to AWS, and Lambda start-up.

pub mod config;
pub mod freeze;
pub mod image;
