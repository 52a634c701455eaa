//! notify behind a topic and a queue of the local cloud, and in front of its Slack: in
//! process, on virtual time.

mod bot;
mod logs;
mod scene;
mod trouble;
mod webhook;
