//! The acts in their order. Each begins where the one before it ended, pushes a version, and
//! is held against what should have happened.

mod kept_out;
mod released;
mod taken_back;

use std::fmt::Write as _;

use anyhow::ensure;

use crate::functions::FUNCTION;
use crate::paper::{Paper, short};
use crate::programs::Programs;
use crate::record::Record;
use crate::scene::{SERVICE, Scene};
use crate::table::{metrics, table};
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

/// Plays them, and fails with what did not hold. Gives the cloud as they left it.
pub async fn play(speed: f64, programs: &Programs) -> anyhow::Result<Scene> {
    let mut stage = Stage { paper: Paper::new(), scene: Scene::set(speed, programs).await? };
    stage.paper.title(&format!(
        "the local cloud runs at {} at {speed} times real speed; times below are the cloud's, since a push",
        stage.scene.cloud.url()
    ));
    let (first, live, port) = (FIRST.name, short(FIRST.commit), stage.scene.service.port);
    stage.paper.title(&format!(
        "{first} of {SERVICE} (tag {live}) is live at http://localhost:{port}/; pushes go to {FUNCTION}"
    ));
    let acts = [
        released::play(&mut stage).await?,
        kept_out::play(&mut stage).await?,
        taken_back::play(&mut stage).await?,
    ];
    let record = Record::awaited(&mut stage.scene).await?;
    stage.paper.act("what was measured");
    table(&acts, speed).iter().for_each(|line| stage.paper.title(line));
    stage.paper.title(&metrics(&record));
    stage.paper.act("what Slack shows");
    record.told().iter().for_each(|line| stage.paper.title(line));
    hold(&record.unmet(&acts))?;
    Ok(stage.scene)
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
