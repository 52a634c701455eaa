//! alarm in front of the local cloud, in process and on virtual time: releases by image-push,
//! alarms that go red, and what becomes of both.

mod active;
mod many;
mod rolling;
mod scene;
mod watched;

/// Services and releases as image-push's own tests have them.
#[expect(dead_code, reason = "these tests need a part of it")]
#[path = "../../../image-push/tests/release/scene.rs"]
mod release;
