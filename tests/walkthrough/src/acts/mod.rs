//! The acts in their order. Each begins where the one before it ended, pushes a version, and
//! is held against what should have happened.

mod kept_out;
mod released;

use std::fmt::Write as _;

use anyhow::ensure;

use crate::functions::FUNCTION;
use crate::paper::{Paper, short};
use crate::programs::Programs;
use crate::scene::{SERVICE, Scene};
use crate::versions::FIRST;

/// What acts take over from each other.
pub struct Stage {
    pub paper: Paper,
    pub scene: Scene,
}

impl Stage {
    /// One fact of now.
    fn line(&self, topic: &str, told: &str) {
        self.paper.line(self.scene.cloud.now(), topic, told);
    }
}

/// Plays them, and fails with what did not hold.
pub async fn play(speed: f64, programs: &Programs) -> anyhow::Result<()> {
    let mut stage = Stage { paper: Paper::new(), scene: Scene::set(speed, programs).await? };
    stage.paper.title(&format!(
        "the local cloud runs at {} at {speed} times real speed; times below are the cloud's, since a push",
        stage.scene.cloud.url()
    ));
    let (first, live, port) = (FIRST.name, short(FIRST.commit), stage.scene.service.port);
    stage.paper.title(&format!(
        "{first} of {SERVICE} (tag {live}) is live at http://localhost:{port}/; pushes go to {FUNCTION}"
    ));
    released::play(&mut stage).await?;
    kept_out::play(&mut stage).await
}

/// Errors: what does not hold, all of it.
fn hold(unmet: &[String]) -> anyhow::Result<()> {
    let told = unmet.iter().fold(String::new(), |mut told, one| {
        // Writing to a String does not fail.
        let _ = write!(told, "\n  {one}");
        told
    });
    ensure!(unmet.is_empty(), "this did not hold:{told}");
    Ok(())
}
