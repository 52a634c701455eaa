//! The rules of migration-check, on SQL that is data.

mod fixtures;
