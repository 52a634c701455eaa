//! The acts in their order: version 1 is live, version 2 is pushed, decided on, deployed,
//! and live; then everything is held against what should have happened.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;

use crate::paper::{Paper, short};
use crate::scene::{FIRST, FUNCTION, SERVICE, Scene};
use crate::story::Story;
use crate::traffic::Traffic;
use crate::verify::unmet;

/// Tells it, and fails with what did not hold.
pub async fn tell(speed: f64, function: &Path) -> anyhow::Result<()> {
    let paper = Paper::new();
    let scene = Scene::set(speed, function).await?;
    paper.title(&format!(
        "the local cloud runs at {} at {speed} times real speed; times below are the cloud's, since the push",
        scene.cloud.url()
    ));
    let port = scene.service.port;
    let live = short(FIRST);
    paper.title(&format!(
        "version 1 of {SERVICE} (tag {live}) is live at http://localhost:{port}/; pushes go to {FUNCTION}"
    ));
    let traffic = Traffic::to(port)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut story = Story::begin(paper, scene)?;
    story.until(60, "the decision of image-push", |facts| !facts.decisions.is_empty()).await?;
    if story.facts.decisions.iter().any(|decision| decision.kind == "start") {
        story.until(120, "the end of the deployment", |facts| facts.ended.is_some()).await?;
    }
    story.last_act(traffic).await?;
    let unmet = unmet(&story.facts);
    if unmet.is_empty() {
        story.conclude();
        return Ok(());
    }
    bail!("this did not hold:\n  {}", unmet.join("\n  "))
}
