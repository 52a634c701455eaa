//! image-push in front of the local cloud: events in, AWS calls out, in process.

mod push;
mod rolling;
mod scene;
