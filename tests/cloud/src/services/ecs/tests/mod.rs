//! Stories, each named after the fact that it shows.

mod balanced;
mod one_off;
mod rolling;
mod services;
mod task_definitions;
mod task_sets;
mod tasks;
