use std::time::Duration;

use serde_json::json;
use shared::config::{Checks, Engine, ImageRule, Notify};
use shared::image::TagPattern;

use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + minute * 60).unwrap()
}

fn digest(n: u32) -> Digest {
    format!("sha256:{n:064}").parse().unwrap()
}

fn arn(n: u32) -> String {
    format!("arn:aws:ecs:us-east-1:123456789012:task-definition/api:{n}")
}

fn revision(n: u32, more: &[(&str, &str)]) -> Revision {
    let mut tags = vec![
        json!({ "key": "sluice:digest", "value": digest(n).as_str() }),
        json!({ "key": "sluice:pushed-at", "value": at(0).to_string() }),
    ];
    tags.extend(more.iter().map(|(key, value)| json!({ "key": key, "value": value })));
    let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/api@{}", digest(n));
    let answer = json!({
        "taskDefinition": {
            "taskDefinitionArn": arn(n), "status": "ACTIVE",
            "containerDefinitions": [{ "name": "app", "image": image }, { "name": "side", "image": "other" }],
        },
        "tags": tags,
    });
    Revision::from_answer(answer.to_string().as_bytes()).unwrap()
}

fn service() -> Service {
    Service {
        name: "api".into(),
        cluster: "c".into(),
        service: "api".into(),
        images: vec![ImageRule {
            repository: "api".into(),
            container: "app".into(),
            tags: TagPattern::new(".*").unwrap(),
        }],
        engine: Engine::Ecs,
        checks: Checks::default(),
        alarms: vec!["5xx".into()],
        watch: Duration::ZERO,
        scan: None,
        freeze: Vec::new(),
        notify: Notify::default(),
    }
}

/// d-2 brings api:2, began at minute 10 and succeeded at 20; it serves.
fn facts(service: &Service) -> Facts<'_> {
    Facts {
        now: at(30),
        service,
        change: Change::Ended,
        release: Release {
            id: "d-2".into(),
            state: State::Succeeded,
            began: at(10),
            ended: Some(at(20)),
            live_at: Some(at(15)),
            reason: Some("tag v2".into()),
            error: None,
            asked: Some((digest(2), "api".into())),
            revision: revision(2, &[]),
            serves: false,
        },
        rollback: None,
        superseded: false,
        live: revision(2, &[]),
        alarms: vec![Alarm { name: "5xx".into(), state: AlarmState::Ok, changed: None, muted: None }],
        reds: Vec::new(),
    }
}

fn rejected(facts: &mut Facts<'_>) {
    facts.release.state = State::Rejected("stopped with ALARM_ACTIVE".into());
    facts.release.error = Some("5xx".into());
    facts.live = revision(1, &[]);
}

fn rollback(facts: &mut Facts<'_>, state: State) {
    facts.rollback = Some(Rollback {
        id: "d-3".into(),
        state,
        began: at(20),
        ended: Some(at(22)),
        traffic_back: Some(at(21)),
        target: Some(arn(1)),
        error: None,
    });
}

/// The effects, in short.
fn effects(change: impl FnOnce(&mut Facts<'_>)) -> Vec<String> {
    let service = service();
    let mut facts = facts(&service);
    change(&mut facts);
    let short = |effect: &Effect| match effect {
        Effect::RollBack { reason } => format!("roll back {reason}"),
        Effect::Tell { news, .. } => news.kind().to_owned(),
        Effect::Measure { measures, .. } => {
            measures.iter().map(|m| format!("{}={}", m.name, m.value)).collect::<Vec<_>>().join(" ")
        }
        Effect::Tag(tags) => tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "),
        Effect::Newest => "newest".to_owned(),
    };
    decide(&facts).effects.iter().map(short).collect()
}

const FAILED: [&str; 4] = [
    "sluice:verdict=rejected sluice:reason=stopped with ALARM_ACTIVE: 5xx",
    "failed",
    "Deployments=1 ChangeFailures=1",
    "sluice:ended=failed 2026-01-01T00:20:00Z",
];

#[test]
fn a_success_is_told_measured_and_judged_in_an_order_that_a_crash_does_not_harm() {
    let measures = "Deployments=1 LeadTime=900";
    let tags = "sluice:verdict=good sluice:ended=succeeded 2026-01-01T00:20:00Z";
    assert_eq!(effects(|_| {}), ["succeeded", measures, tags, "newest"]);
    let ended = "sluice:ended=succeeded 2026-01-01T00:20:00Z";
    let judged_later: [fn(&mut Facts<'_>); 4] = [
        |f| f.alarms[0].state = AlarmState::Alarm,
        // It is green again.
        |f| f.reds = vec![Red { alarm: "5xx".into(), since: at(12) }],
        |f| f.alarms[0].state = AlarmState::Missing,
        |f| f.release.revision = revision(2, &[("sluice:verdict", "rejected")]),
    ];
    for change in judged_later {
        assert_eq!(effects(change), ["succeeded", measures, ended, "newest"]);
    }
    let told = |f: &mut Facts<'_>| {
        f.release.revision = revision(2, &[("sluice:ended", "succeeded 2026-01-01T00:20:00Z")])
    };
    assert_eq!(effects(told), ["sluice:verdict=good", "newest"]);
    let both = [("sluice:ended", "rolled-back 2026-01-01T00:25:00Z"), ("sluice:verdict", "rejected")];
    assert_eq!(effects(|f| f.release.revision = revision(2, &both)), ["newest"]);
    let earlier = [("sluice:ended", "failed 2026-01-01T00:05:00Z"), ("sluice:verdict", "good")];
    let again = effects(|f| f.release.revision = revision(2, &earlier));
    assert_eq!(again, ["succeeded", measures, ended, "newest"], "an earlier deployment of the revision");
}

#[test]
fn the_verdict_is_due_when_the_watch_has_passed() {
    let mut service = service();
    service.watch = Duration::from_secs(600);
    let due = |minute: i64| {
        let facts = Facts { now: at(minute), ..facts(&service) };
        verdict_is_due(&facts, at(20))
    };
    assert!(!due(29) && due(30));
}

#[test]
fn another_image_than_was_asked_for_is_no_success_unless_something_came_after() {
    let wrong = effects(|f| f.live = revision(1, &[]));
    assert_eq!(wrong[..2], ["wrong-image-live", "Deployments=1 LeadTime=900"]);
    assert!(!wrong.iter().any(|effect| effect.contains("good")));
    let after = |f: &mut Facts<'_>| (f.live, f.superseded) = (revision(3, &[]), true);
    assert_eq!(effects(after)[0], "succeeded");
    let asked = |f: &mut Facts<'_>| f.release.asked = Some((digest(9), "api".into()));
    assert_eq!(effects(asked)[0], "wrong-image-live", "the revision is of another image");
}

#[test]
fn a_failure_is_rolled_back_only_if_it_has_traffic_and_nothing_else_takes_it_back() {
    let back = "roll back d-2: stopped with ALARM_ACTIVE: 5xx";
    let with = |more: &[&'static str], last: &[&'static str]| [more, &FAILED[..], last].concat();
    assert_eq!(effects(rejected), with(&[], &["newest"]));
    let canary = |f: &mut Facts<'_>| {
        rejected(f);
        f.release.serves = true;
    };
    assert_eq!(effects(canary), with(&[back], &[]));
    let primary = |f: &mut Facts<'_>| {
        rejected(f);
        f.live = revision(2, &[]);
    };
    assert_eq!(effects(primary), with(&[back], &[]));
    let under_way = |f: &mut Facts<'_>| {
        canary(f);
        rollback(f, State::Active);
    };
    assert_eq!(effects(under_way), FAILED);
    let after = |f: &mut Facts<'_>| {
        canary(f);
        f.superseded = true;
    };
    assert_eq!(effects(after), with(&[], &["newest"]));
    let told = |f: &mut Facts<'_>| {
        canary(f);
        f.release.revision = revision(2, &[("sluice:ended", "failed 2026-01-01T00:20:00Z")]);
    };
    assert_eq!(effects(told), [back], "only what may be missing");
}

#[test]
fn whoever_rejected_it_before_is_quoted() {
    let known = effects(|f| {
        rejected(f);
        let tags = [("sluice:verdict", "rejected"), ("sluice:reason", "alarm 5xx")];
        f.release.revision = revision(2, &tags);
        f.release.serves = true;
    });
    assert_eq!(known, [&["roll back d-2: alarm 5xx"], &FAILED[1..]].concat());
}

#[test]
fn a_rollback_counts_what_is_not_counted_yet() {
    let ended = "sluice:ended=rolled-back 2026-01-01T00:22:00Z";
    let rolled_back = |done: &'static str, red: i64| {
        effects(move |f| {
            rejected(f);
            rollback(f, State::Succeeded);
            f.reds = vec![Red { alarm: "5xx".into(), since: at(red) }];
            f.release.revision = revision(2, &[("sluice:ended", done)]);
        })
    };
    let spans = "TimeToRestore=120 AlarmToStop=60 StopToTrafficBack=60";
    let all = format!("Deployments=1 ChangeFailures=1 {spans}");
    assert_eq!(rolled_back("", 19), [FAILED[0], "rolled-back", &all, ended, "newest"]);
    assert_eq!(rolled_back("failed 2026-01-01T00:20:00Z", 19)[2], spans);
    let without_alarm = "TimeToRestore=60 StopToTrafficBack=60";
    for other in [5, 25] {
        assert_eq!(rolled_back("failed 2026-01-01T00:20:00Z", other)[2], without_alarm, "red at {other}");
    }
    assert_eq!(rolled_back("succeeded 2026-01-01T00:20:00Z", 19)[2], format!("ChangeFailures=1 {spans}"));
    assert_eq!(rolled_back("rolled-back 2026-01-01T00:22:00Z", 19), ["newest"]);
}

#[test]
fn after_a_rollback_that_failed_nothing_starts() {
    let failed = |more: fn(&mut Facts<'_>)| {
        effects(move |f| {
            rejected(f);
            rollback(f, State::Rejected("stopped".into()));
            more(f);
        })
    };
    let told = [
        "rollback-failed",
        "Deployments=1 ChangeFailures=1",
        "sluice:ended=rollback-failed 2026-01-01T00:22:00Z",
    ];
    assert_eq!(failed(|_| {})[1..], told);
    let still_serves = |f: &mut Facts<'_>| {
        rollback(f, State::Succeeded);
        f.live = revision(2, &[]);
    };
    assert_eq!(failed(still_serves)[1..], told, "it says it has succeeded");
    let known = [("sluice:ended", "rollback-failed 2026-01-01T00:22:00Z")];
    assert!(
        effects(|f| {
            rejected(f);
            rollback(f, State::Rejected("stopped".into()));
            f.release.revision = revision(2, &known);
        })
        .is_empty()
    );
}

#[test]
fn a_begin_is_told_while_it_lasts_and_does_nothing_else() {
    let began = |state: State| {
        effects(move |f| {
            f.change = Change::Began;
            f.release.state = state;
        })
    };
    assert_eq!(began(State::Active), ["started"]);
    assert!(began(State::Succeeded).is_empty() && began(State::Rejected("failed".into())).is_empty());
    assert!(effects(|f| f.release.state = State::Active).is_empty());
}

#[test]
fn an_end_that_was_only_found_is_told_of_sluices_own_releases_alone() {
    let found = |by_others: fn(&mut Facts<'_>)| {
        effects(move |f| {
            f.change = Change::Unheard;
            by_others(f);
        })
    };
    assert_eq!(found(|_| {}), effects(|_| {}));
    assert_eq!(found(|f| f.release.asked = None), ["newest"]);
    assert_eq!(effects(|f| f.release.asked = None)[..1], ["succeeded"]);
}

#[test]
fn a_success_tells_the_time_from_its_push_to_all_traffic() {
    let service = service();
    let told = |change: fn(&mut Facts<'_>)| {
        let mut facts = facts(&service);
        change(&mut facts);
        let mut effects = decide(&facts).effects.into_iter();
        effects.find_map(|effect| match effect {
            Effect::Tell { news: News::Succeeded { lead_time }, .. } => lead_time,
            _ => None,
        })
    };
    assert_eq!(told(|_| {}), Some(SignedDuration::from_mins(15)));
    assert_eq!(
        told(|f| f.release.live_at = None),
        Some(SignedDuration::from_mins(20)),
        "it had ended by then"
    );
    assert_eq!(told(|f| f.release.asked = None), None, "nobody knows what others deploy");
}
