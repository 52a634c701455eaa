//! Version 2 is pushed, decided on, checked, deployed by canary, and live.

use super::{Stage, hold};
use crate::facts::Facts;
use crate::functions::{AFTER_TEST, BEFORE_TRAFFIC};
use crate::story::Story;
use crate::verify::{
    all_answered, ended, image_is_live, nobody_stops, once_started, otherwise, reported, shown, tagged,
};
use crate::versions::{FIRST, SECOND};

pub async fn play(stage: &mut Stage) -> anyhow::Result<Facts> {
    stage.paper.act("version 2 is pushed, and becomes the live one");
    let mut story = Story::begin(stage, &FIRST, &SECOND).await?;
    story.deployed().await?;
    if story.facts.ended.as_ref().is_some_and(|ended| ended.status == "Succeeded") {
        story.until(30, "the message that it is live", |facts| facts.shown("#deploys", "is live")).await?;
        story.noted("succeeded").await?;
    }
    let facts = story.end().await?;
    hold(&unmet(&facts))?;
    stage.line("live", &format!("{}, {}", facts.new.name, facts.image));
    Ok(facts)
}

/// Everything that should hold and does not; nothing if all is well.
fn unmet(facts: &Facts) -> Vec<String> {
    let Facts { old, new, digest, decisions, canary, last, .. } = facts;
    let both = canary.old > 0 && canary.new > 0;
    let about_a_tenth = both && (5.0..=15.0).contains(&canary.percent());
    let alone = last.new > 0 && last.old + last.none == 0;
    let once = decisions.len() == 1;
    let found = [
        once_started(facts),
        otherwise(once, || format!("one push is decided on once, but: {decisions:?}")),
        reported(facts, &[(AFTER_TEST, "Succeeded"), (BEFORE_TRAFFIC, "Succeeded")]),
        ended(facts, "Succeeded"),
        image_is_live(facts, &format!("@{digest}")),
        otherwise(about_a_tenth, || {
            format!("{} serves 5% to 15% while its weight is 10, but: {}", new.name, canary.told(old, new))
        }),
        otherwise(alone, || format!("{} serves all in the end, but: {}", new.name, last.told(old, new))),
        all_answered(facts),
        nobody_stops(facts),
        tagged(facts, "sluice:verdict", "good"),
        tagged(facts, "sluice:ended", "succeeded "),
        shown(facts, "#deploys", "is being deployed"),
        shown(facts, "#deploys, edited", "is live"),
    ];
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Red;
    use crate::shares::Shares;
    use crate::verify::tests::{Change, counted, each_is_named_alone, released, tags};

    fn good() -> Facts {
        Facts {
            canary: Shares { old: 360, new: 40, none: 0 },
            last: Shares { old: 0, new: 40, none: 0 },
            image: "registry/api@sha256:new".into(),
            tags: tags(&[("sluice:verdict", "good"), ("sluice:ended", "succeeded 2026-01-01T00:06:00Z")]),
            posts: vec![
                "slack #deploys: 🚀 api: new is being deployed".into(),
                "slack #deploys, edited: ✅ api: new is live".into(),
            ],
            ..counted(released(&FIRST, &SECOND, ["Succeeded", "Succeeded"]), 500, 200)
        }
    }

    #[test]
    fn nothing_is_missing_where_all_happened() {
        assert_eq!(unmet(&good()), Vec::<String>::new());
    }

    #[test]
    fn each_fact_that_differs_is_named_alone() {
        let changes: [(Change, &str); 23] = [
            (|f| f.decisions[0].kind = "wait".into(), "decides to start"),
            (|f| f.decisions[0].digest = "sha256:old".into(), "decides to start"),
            (|f| f.decisions.push(f.decisions[0].clone()), "decided on once"),
            (|f| f.created.clear(), "alone calls CreateDeployment"),
            (|f| f.created[0].caller = "scenario".into(), "alone calls CreateDeployment"),
            (|f| f.created.push(f.created[0].clone()), "alone calls CreateDeployment"),
            (|f| drop(f.reported.pop()), "reports"),
            (|f| f.reported[0].input["status"] = "Failed".into(), "reports"),
            (|f| f.reported[0].refused = Some("InvalidInputException".into()), "reports"),
            (|f| f.verdicts[1].status = "Failed".into(), "reports"),
            (|f| drop(f.events.remove(BEFORE_TRAFFIC)), "never begun"),
            (|f| f.ended.as_mut().unwrap().status = "Failed".into(), "the deployment ends Succeeded"),
            (|f| f.ended = None, "the deployment ends Succeeded"),
            (|f| f.canary.new = 100, "5% to 15%"),
            (|f| f.last.old = 1, "serves all in the end"),
            (|f| f.clients.lost = 1, "no request fails"),
            (|f| f.reds.push(Red { at: 1, alarm: "api-5xx".into() }), "no alarm turns red"),
            (|f| f.stops.push(f.created[0].clone()), "nobody stops"),
            (|f| drop(f.tags.remove("sluice:verdict")), "sluice:verdict is good, but it is: not there"),
            (|f| drop(f.posts.remove(0)), "is being deployed"),
            (|f| drop(f.posts.pop()), "is live"),
            (|f| f.proxy.new += 1, "count is its clients'"),
            (|f| f.image = "registry/api@sha256:old".into(), "is live"),
        ];
        each_is_named_alone(&good(), unmet, &changes);
    }
}
