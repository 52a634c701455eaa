//! The rules of migration-check, on SQL that is data.

mod fixtures;
mod history;
mod properties;
mod told;
