//! The events that wake Sluice, each read as narrowly as it is used.

pub mod alarm;
pub mod deployment;
pub mod ecr;
pub mod hook;
