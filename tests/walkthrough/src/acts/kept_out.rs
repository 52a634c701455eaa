//! Version 3 is healthy by its own account and answers nothing but errors: its smoke test
//! fails before production traffic, and the version that serves goes on alone. Under another
//! tag the image is rejected at once.

use cloud::{Ms, SECOND as A_SECOND};

use super::{Stage, hold};
use crate::facts::Facts;
use crate::functions::{AFTER_TEST, BEFORE_TRAFFIC, SMOKED};
use crate::paper::seconds;
use crate::story::Story;
use crate::verify::{
    all_answered, ended, image_is_live, nobody_stops, once_started, otherwise, rejected, reported, shown,
    tagged,
};
use crate::versions::{SECOND, THIRD};

/// A later commit of which the same image was built.
const AGAIN: &str = "d25f90c4e1b7386aa09c5e7f3b1d846290fe7c58";

/// Virtual time that the deployment may go on after the check has failed; it is real work
/// that is measured, on a clock that runs many times faster.
const AT_MOST: Ms = 20 * A_SECOND;

pub async fn play(stage: &mut Stage) -> anyhow::Result<Facts> {
    stage.paper.act("version 3 is pushed, fails its smoke test, and production never sees it");
    let mut story = Story::begin(stage, &SECOND, &THIRD).await?;
    story.deployed().await?;
    if story.facts.ended.as_ref().is_some_and(|ended| ended.status == "Failed") {
        story.taken_back().await?;
        story.again(AGAIN).await?;
    }
    let facts = story.end().await?;
    hold(&unmet(&facts))?;
    let Facts { old, new, tested, proxy, .. } = &facts;
    let [to_end, to_rollback] = [facts.check_to_end(), facts.check_to_rollback()].map(seconds);
    stage.line("ended", &format!("{to_end} after its check failed; rolled back {to_rollback} after it"));
    stage.line("live", &format!("{}, {}", old.name, facts.image));
    stage.paper.detail(&format!(
        "{} had {} requests on the test listener and {} in production",
        new.name, tested.new, proxy.new
    ));
    Ok(facts)
}

/// Everything that should hold and does not; nothing if all is well.
fn unmet(facts: &Facts) -> Vec<String> {
    stopped(facts).into_iter().chain(untouched(facts)).chain(kept(facts)).flatten().collect()
}

/// The check stops the deployment, and says why.
fn stopped(facts: &Facts) -> [Option<String>; 6] {
    let Facts { verdicts, rolled_back, new, tested, .. } = facts;
    let seen = ["smoke failed: ", SMOKED, "status 500 instead of 200"];
    let last = verdicts.last().map_or("", |verdict| &verdict.reason);
    let took = facts.check_to_end();
    let back = rolled_back.as_ref().is_some_and(|end| end.status == "Succeeded");
    [
        once_started(facts),
        reported(facts, &[(AFTER_TEST, "Succeeded"), (BEFORE_TRAFFIC, "Failed")]),
        ended(facts, "Failed"),
        otherwise(seen.iter().all(|part| last.contains(part)), || {
            format!("the verdict's reason names the request {SMOKED} and what came of it, but: {last}")
        }),
        otherwise(took.is_some_and(|took| took < AT_MOST) && back, || {
            format!(
                "the deployment ends within {} of its failed check, and is rolled back, but: {} and {rolled_back:?}",
                seconds(Some(AT_MOST)),
                seconds(took)
            )
        }),
        otherwise(tested.new > 0, || format!("the smoke test meets {}, but: {tested:?}", new.name)),
    ]
}

/// Production goes on as if nothing had been pushed.
fn untouched(facts: &Facts) -> [Option<String>; 4] {
    let Facts { old, new, before, proxy, most, .. } = facts;
    let alone = proxy.old > 0 && proxy.new + proxy.none == 0;
    [
        otherwise(alone, || {
            format!("{} serves every request of production, but: {}", old.name, proxy.told(old, new))
        }),
        otherwise(*most == 0, || format!("{} keeps 100%, but {} had {most}%", old.name, new.name)),
        image_is_live(facts, before),
        all_answered(facts),
    ]
}

/// What stays of it.
fn kept(facts: &Facts) -> [Option<String>; 7] {
    [
        nobody_stops(facts),
        rejected(facts),
        tagged(facts, "sluice:verdict", "rejected"),
        tagged(facts, "sluice:reason", "failed with HOOK_EXECUTION_FAILURE"),
        tagged(facts, "sluice:ended", "rolled-back "),
        shown(facts, "#deploys, edited", "was rolled back"),
        shown(facts, "#ops", "was rolled back"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Check, Ended};
    use crate::shares::Shares;
    use crate::verify::tests::{Change, again, counted, each_is_named_alone, released, tags};

    fn good() -> Facts {
        let mut facts = counted(released(&SECOND, &THIRD, ["Succeeded", "Failed"]), 700, 0);
        facts.decisions.push(again(&facts));
        facts.checks = [(50_000, "passed"), (60_000, "failed")]
            .map(|(at, outcome)| Check { at, outcome: outcome.into() })
            .into();
        facts.verdicts[1].reason =
            "smoke failed: GET http://localhost:81/orders: status 500 instead of 200: {}".into();
        facts.ended = Some(Ended { at: 60_400, status: "Failed".into() });
        facts.rolled_back = Some(Ended { at: 65_000, status: "Succeeded".into() });
        facts.tested = Shares { old: 0, new: 2, none: 0 };
        facts.image.clone_from(&facts.before);
        facts.tags = tags(&[
            ("sluice:verdict", "rejected"),
            ("sluice:reason", "failed with HOOK_EXECUTION_FAILURE: The deployment failed"),
            ("sluice:ended", "rolled-back 2026-01-01T00:01:05Z"),
        ]);
        facts.posts = vec![
            "slack #deploys, edited: ↩️ api: new was rolled back".into(),
            "slack #ops: ↩️ api: new was rolled back".into(),
        ];
        facts
    }

    #[test]
    fn nothing_is_missing_where_all_happened() {
        assert_eq!(unmet(&good()), Vec::<String>::new());
    }

    #[test]
    fn each_fact_that_differs_is_named_alone() {
        let changes: [(Change, &str); 28] = [
            (|f| f.decisions[0].kind = "wait".into(), "decides to start"),
            (|f| f.created.push(f.created[0].clone()), "alone calls CreateDeployment"),
            (|f| f.reported[1].input["status"] = "Succeeded".into(), "reports"),
            (|f| f.reported[1].caller = "scenario".into(), "reports"),
            (|f| f.verdicts[1].status = "Succeeded".into(), "reports"),
            (|f| drop(f.events.insert(BEFORE_TRAFFIC.into(), "Succeeded".into())), "it is: Succeeded"),
            (|f| f.ended.as_mut().unwrap().status = "Succeeded".into(), "the deployment ends Failed"),
            (|f| f.verdicts[1].reason = "smoke failed: status 500 instead of 200".into(), "reason names"),
            (|f| f.verdicts[1].reason = "smoke failed: GET /orders: no answer".into(), "reason names"),
            (|f| f.ended.as_mut().unwrap().at += AT_MOST, "within 20.00 s"),
            (|f| drop(f.checks.pop()), "within 20.00 s"),
            (|f| f.rolled_back = None, "is rolled back"),
            (|f| f.rolled_back.as_mut().unwrap().status = "Failed".into(), "is rolled back"),
            (|f| f.tested.new = 0, "the smoke test meets version 3"),
            (|f| f.most = 10, "keeps 100%"),
            (|f| f.image = "registry/api@sha256:new".into(), "is live"),
            (|f| f.clients.lost = 1, "no request fails"),
            (|f| f.stops.push(f.created[0].clone()), "nobody stops"),
            (|f| drop(f.tags.remove("sluice:reason")), "sluice:reason is failed with"),
            (|f| drop(f.tags.insert("sluice:ended".into(), "failed ".into())), "sluice:ended is rolled-back"),
            (|f| drop(f.posts.pop()), "#ops shows"),
            (|f| f.proxy.old += 1, "count is its clients'"),
            (|f| *f = counted(f.clone(), 699, 1), "every request of production"),
            (|f| *f = counted(f.clone(), 0, 0), "every request of production"),
            (|f| drop(f.decisions.pop()), "rejected when it is pushed again"),
            (|f| f.decisions[1].kind = "start".into(), "rejected when it is pushed again"),
            (|f| f.decisions[1].reason = "already live".into(), "rejected when it is pushed again"),
            (|f| f.decisions.push(f.decisions[1].clone()), "rejected when it is pushed again"),
        ];
        each_is_named_alone(&good(), unmet, &changes);
    }
}
