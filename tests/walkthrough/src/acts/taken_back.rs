//! Version 4 passes every check, and answers half of its requests by errors. An alarm on what
//! the proxy counts turns red during the canary: the function `alarm` stops the deployment,
//! CodeDeploy rolls it back, and the image never starts again.

use cloud::{Ms, SECOND as A_SECOND};

use super::{Stage, hold};
use crate::facts::{Asked, Facts};
use crate::functions::{AFTER_TEST, ALARM, BEFORE_TRAFFIC};
use crate::paper::seconds;
use crate::story::Story;
use crate::verify::{
    counts_agree, ended, image_is_live, once_started, otherwise, rejected, reported, shown, tagged,
};
use crate::versions::{FOURTH, SECOND};

/// A later commit of which the same image was built.
const AGAIN: &str = "07c9ad52e8f14b6390d7ae25c1b84f603e9d2a68";

/// Virtual time from the red alarm until all traffic is back. Functions do real work on a clock
/// that runs many times faster.
const AT_MOST: Ms = 60 * A_SECOND;

/// Percent of production's requests that may fail: half of a canary, and a little for chance.
const FAILED_AT_MOST: f64 = 10.0;

pub async fn play(stage: &mut Stage) -> anyhow::Result<Facts> {
    stage.paper.act("version 4 is pushed, passes its checks, and fails under traffic");
    let mut story = Story::begin(stage, &SECOND, &FOURTH).await?;
    story.deployed().await?;
    if story.facts.ended.as_ref().is_some_and(|ended| ended.status == "Stopped") {
        story.taken_back().await?;
        story.again(AGAIN).await?;
    }
    let facts = story.end().await?;
    hold(&unmet(&facts))?;
    let (old, new, errors, proxy) = (facts.old, facts.new, &facts.errors, &facts.proxy);
    let (by, error) = (facts.stops.first().map_or("nobody", Asked::by), facts.error.as_deref());
    let error = error.unwrap_or("no error");
    stage.line("ended", &format!("stopped by {by}: CodeDeploy knows none of the alarms, and says {error}"));
    stage.line("live", &format!("{}, {}", old.name, facts.image));
    stage.paper.detail(&format!(
        "{} answered {} of {} requests by errors, {:.1}% of all in production",
        new.name,
        errors.new,
        proxy.new,
        share(errors.total(), proxy.total())
    ));
    Ok(facts)
}

#[allow(clippy::cast_precision_loss)]
fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { 100.0 * part as f64 / of as f64 }
}

/// Everything that should hold and does not; nothing if all is well.
fn unmet(facts: &Facts) -> Vec<String> {
    stopped(facts).into_iter().chain(taken_back(facts)).chain(kept(facts)).flatten().collect()
}

/// The function `alarm` stops the deployment, once, for an alarm that turned red during it.
fn stopped(facts: &Facts) -> [Option<String>; 7] {
    let Facts { reds, alarm, guarded, stops, error, .. } = facts;
    let id = facts.deployment().unwrap_or_default();
    let red = matches!(&reds[..], [red] if red.alarm == *alarm);
    let decided = matches!(&guarded[..], [one] if one.kind == "stop" && one.alarm == *alarm
        && one.did.as_deref() == Some(id));
    let once = matches!(&stops[..], [stop] if stop.is_by(ALARM) && stop.input["deploymentId"] == id
        && stop.input["autoRollbackEnabled"] == true);
    [
        once_started(facts),
        reported(facts, &[(AFTER_TEST, "Succeeded"), (BEFORE_TRAFFIC, "Succeeded")]),
        otherwise(red, || format!("{alarm} turns red, once and alone, but: {reds:?}")),
        otherwise(decided, || format!("{ALARM} decides to stop {id}, but: {guarded:?}")),
        otherwise(once, || {
            format!("{ALARM} alone calls StopDeployment of {id} with rollback, once, but: {stops:?}")
        }),
        ended(facts, "Stopped"),
        otherwise(error.as_deref() == Some("MANUAL_STOP"), || {
            format!("it was stopped by the request and not by CodeDeploy itself, but: {error:?}")
        }),
    ]
}

/// All traffic is back soon, and few requests failed: those of the new version alone.
fn taken_back(facts: &Facts) -> [Option<String>; 6] {
    let Facts { old, new, before, rolled_back, last, errors, clients, most, .. } = facts;
    let took = facts.red_at().zip(facts.back_at()).map(|(red, back)| back.saturating_sub(red));
    let back = rolled_back.as_ref().is_some_and(|end| end.status == "Succeeded");
    let alone = last.old > 0 && last.new + last.none == 0;
    let failed = share(clients.failed(), facts.proxy.total());
    let of_new = errors.new > 0 && errors.old + errors.none + clients.lost == 0;
    [
        otherwise(back && took.is_some_and(|took| took < AT_MOST), || {
            let (at_most, took) = (seconds(Some(AT_MOST)), seconds(took));
            format!("it is rolled back within {at_most} of the red alarm, but: {took}, {rolled_back:?}")
        }),
        otherwise(alone, || format!("{} serves all in the end, but: {}", old.name, last.told(old, new))),
        image_is_live(facts, before),
        otherwise(*most == 10, || format!("{} has 10% at most, but it had {most}%", new.name)),
        otherwise(of_new && failed < FAILED_AT_MOST, || {
            format!(
                "some requests to {} fail, and none else, but: {failed:.1}%, {errors:?}, {clients}",
                new.name
            )
        }),
        counts_agree(facts),
    ]
}

/// What stays of it.
fn kept(facts: &Facts) -> [Option<String>; 7] {
    [
        rejected(facts),
        tagged(facts, "sluice:verdict", "rejected"),
        tagged(facts, "sluice:reason", &format!("alarm {}: the alarm went red at ", facts.alarm)),
        tagged(facts, "sluice:ended", "rolled-back "),
        shown(facts, "#deploys, edited", "was rolled back"),
        shown(facts, "#ops:", "an alarm stopped"),
        shown(facts, "#ops, edited", "was rolled back"),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::{Ended, Guarded, Move, Red};
    use crate::shares::Shares;
    use crate::verify::tests::{Change, again, call, counted, each_is_named_alone, released, tags};

    const GREEN: &str = "api-5xx-green";

    fn good() -> Facts {
        let mut facts = counted(released(&SECOND, &FOURTH, ["Succeeded", "Succeeded"]), 200, 3);
        facts.decisions.push(again(&facts));
        facts.ended = Some(Ended { at: 70_000, status: "Stopped".into() });
        facts.error = Some("MANUAL_STOP".into());
        facts.rolled_back = Some(Ended { at: 72_000, status: "Succeeded".into() });
        facts.image.clone_from(&facts.before);
        facts.alarm = GREEN;
        facts.reds = vec![Red { at: 65_000, alarm: GREEN.into() }];
        facts.guarded = vec![Guarded { alarm: GREEN.into(), kind: "stop".into(), did: Some("d-1".into()) }];
        facts.stops =
            vec![call(69_000, "ASIAFNalarm", json!({ "deploymentId": "d-1", "autoRollbackEnabled": true }))];
        facts.moves = [(30_000, 90, 10), (71_000, 100, 0)].map(|(at, old, new)| Move { at, old, new }).into();
        facts.most = 10;
        facts.clients.errors = [(FOURTH.commit.to_owned(), 3)].into();
        facts.errors = Shares { old: 0, new: 3, none: 0 };
        facts.proxy.new = 6;
        facts.last = Shares { old: 40, new: 0, none: 0 };
        facts.tags = tags(&[
            ("sluice:verdict", "rejected"),
            ("sluice:reason", "alarm api-5xx-green: the alarm went red at 2026-01-01T00:01:05Z"),
            ("sluice:ended", "rolled-back 2026-01-01T00:01:12Z"),
        ]);
        facts.posts = vec![
            "slack #ops: 🚨 api: an alarm stopped new".into(),
            "slack #deploys, edited: ↩️ api: new was rolled back".into(),
            "slack #ops, edited: ↩️ api: new was rolled back".into(),
        ];
        facts
    }

    #[test]
    fn nothing_is_missing_where_all_happened() {
        assert_eq!(unmet(&good()), Vec::<String>::new());
    }

    #[test]
    fn each_fact_that_differs_is_named_alone() {
        let changes: [(Change, &str); 31] = [
            (|f| f.created.push(f.created[0].clone()), "alone calls CreateDeployment"),
            (|f| f.reported[1].input["status"] = "Failed".into(), "reports"),
            (|f| f.reds.push(Red { at: 66_000, alarm: "api-5xx-blue".into() }), "once and alone"),
            (|f| f.guarded.clear(), "decides to stop d-1"),
            (|f| f.guarded[0].kind = "nothing".into(), "decides to stop d-1"),
            (|f| f.guarded[0].did = Some("d-2".into()), "decides to stop d-1"),
            (|f| f.stops.push(f.stops[0].clone()), "alone calls StopDeployment"),
            (|f| f.stops[0].caller = "ASIAFNdeployment-state".into(), "alone calls StopDeployment"),
            (|f| f.stops[0].input["autoRollbackEnabled"] = false.into(), "with rollback"),
            (|f| f.stops[0].input["deploymentId"] = "d-2".into(), "StopDeployment of d-1"),
            (|f| f.ended.as_mut().unwrap().status = "Failed".into(), "ends Stopped"),
            (|f| f.error = Some("ALARM_ACTIVE".into()), "not by CodeDeploy itself"),
            (|f| f.error = None, "not by CodeDeploy itself"),
            (|f| f.rolled_back = None, "is rolled back within"),
            (|f| f.rolled_back.as_mut().unwrap().status = "Failed".into(), "is rolled back within"),
            (|f| f.moves[1].at += AT_MOST, "is rolled back within"),
            (|f| f.moves.truncate(1), "is rolled back within"),
            (|f| f.last.new = 1, "serves all in the end"),
            (|f| f.last.none = 1, "serves all in the end"),
            (|f| f.last.old = 0, "serves all in the end"),
            (|f| f.image = "registry/api@sha256:new".into(), "is live"),
            (|f| f.most = 100, "has 10% at most"),
            (|f| f.errors.none = 1, "some requests to version 4 fail"),
            (|f| f.proxy.new += 1, "count is its clients'"),
            (|f| drop(f.decisions.pop()), "rejected when it is pushed again"),
            (|f| f.decisions[1].kind = "start".into(), "rejected when it is pushed again"),
            (|f| drop(f.tags.remove("sluice:verdict")), "sluice:verdict is rejected"),
            (|f| drop(f.tags.insert("sluice:reason".into(), "failed".into())), "sluice:reason is alarm"),
            (|f| drop(f.tags.insert("sluice:ended".into(), "failed ".into())), "sluice:ended is rolled-back"),
            (|f| drop(f.posts.remove(0)), "an alarm stopped"),
            (|f| drop(f.posts.remove(1)), "#deploys, edited shows"),
        ];
        each_is_named_alone(&good(), unmet, &changes);
    }

    #[test]
    fn a_share_of_failures_is_named_that_no_canary_explains() {
        let mut facts = good();
        facts.clients.errors = [(FOURTH.commit.to_owned(), 50)].into();
        (facts.errors.new, facts.proxy.new) = (50, 53);
        let unmet = unmet(&facts);
        assert!(matches!(&unmet[..], [one] if one.contains("but: 19.8%")), "{unmet:?}");
    }
}
