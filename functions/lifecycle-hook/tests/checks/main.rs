//! lifecycle-hook in front of the local cloud: hooks in, AWS calls and requests out, in
//! process and on virtual time.

mod migrate;
mod migration_check;
mod native;
mod scene;
mod smoke;
mod snapshot;
mod verdict;
