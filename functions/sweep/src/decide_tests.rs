use std::time::Duration;

use serde_json::json;
use shared::aws::{Controller, Image, Placement};
use shared::config::{Checks, ImageRule, Notify};
use shared::image::TagPattern;
use shared::members::Members;
use shared::release::Hold;

use super::*;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + minute * 60).unwrap()
}

fn digest(n: u32) -> String {
    format!("sha256:{n:064}")
}

/// api:n, made by Sluice for image n.
fn revision(n: u32, more: &[(&str, &str)]) -> Revision {
    let mut tags = vec![json!({ "key": "sluice:digest", "value": digest(n) })];
    tags.extend(more.iter().map(|(key, value)| json!({ "key": format!("sluice:{key}"), "value": value })));
    let answer = json!({
        "taskDefinition": {
            "taskDefinitionArn": format!("arn:aws:ecs:us-east-1:123456789012:task-definition/api:{n}"),
            "status": "ACTIVE", "containerDefinitions": [{ "name": "app", "image": "api" }],
        },
        "tags": tags,
    });
    Revision::from_answer(answer.to_string().as_bytes()).unwrap()
}

fn ended(how: How, minute: i64) -> String {
    Ended { how, at: at(minute) }.to_string()
}

fn service(engine: Engine) -> Service {
    Service {
        name: "api".into(),
        cluster: "c".into(),
        service: "api".into(),
        images: vec![ImageRule {
            repository: "api".into(),
            container: "app".into(),
            tags: TagPattern::new(".*").unwrap(),
        }],
        engine,
        checks: Checks::default(),
        alarms: vec!["5xx".into()],
        watch: Duration::from_secs(30 * 60),
        scan: None,
        freeze: Vec::new(),
        notify: Notify::default(),
    }
}

fn by_codedeploy() -> Service {
    service(Engine::CodeDeploy { application: "a".into(), group: "g".into() })
}

fn last(id: &str, state: State, began: i64, ended: i64) -> Last {
    Last { id: Some(id.into()), state, began: at(began), ended: Some(at(ended)), by: None }
}

fn rejected() -> State {
    State::Rejected("failed".into())
}

fn waiting(n: u32, minute: i64) -> Waiting {
    let digest = digest(n).parse().unwrap();
    let image = Image { digest, tags: vec![format!("v{n}")], pushed_at: at(minute), registry_id: "1".into() };
    Waiting { repository: "api".into(), image }
}

/// Minute 100: d-2 brought api:2, which serves, from 10 to 20; that is noted, and it is good.
fn facts(service: &Service) -> Facts<'_> {
    let live = revision(2, &[("verdict", "good"), ("ended", &ended(How::Succeeded, 20))]);
    Facts {
        now: at(100),
        service,
        ecs: EcsService {
            arn: "arn".into(),
            baseline: Some(at(0)),
            active: true,
            controller: Controller::CodeDeploy,
            revision: live.arn.clone(),
            serving_since: Some(at(12)),
            rollout: None,
            load_balanced: None,
            hold: None,
            alarms: Vec::new(),
            placement: Placement::default(),
            launch_type: None,
            serving: Vec::new(),
            hooks: Vec::new(),
            deployment_configuration: Members::default(),
        },
        live,
        newest: None,
        last: Some(last("d-2", State::Succeeded, 10, 20)),
        before: None,
        alarms: vec![Alarm { name: "5xx".into(), state: AlarmState::Ok, changed: None, muted: None }],
        reds: Vec::new(),
        waiting: Vec::new(),
        hook: None,
        left_over: Vec::new(),
    }
}

/// The steps by their words.
fn decided(service: &Service, change: impl FnOnce(&mut Facts<'_>)) -> Vec<String> {
    let mut facts = facts(service);
    change(&mut facts);
    decide(&facts).iter().map(|step| format!("{}: {step}", step.kind())).collect()
}

type Case = (&'static str, fn(&mut Facts<'_>), &'static [&'static str]);

fn holds(service: &Service, table: &[Case]) {
    for (name, change, expected) in table {
        let steps = decided(service, change);
        let fits = |(step, begins): (&String, &&str)| step.starts_with(*begins);
        let all = steps.len() == expected.len() && steps.iter().zip(*expected).all(fits);
        assert!(all, "{name}: {steps:#?}, not {expected:?}");
    }
}

fn red(facts: &mut Facts<'_>, minute: i64) {
    facts.alarms[0].state = AlarmState::Alarm;
    facts.reds = vec![Red { alarm: "5xx".into(), since: at(minute) }];
}

#[test]
fn what_a_person_deregistered_is_not_settled_again_and_again_and_holds_nothing_back() {
    holds(
        &by_codedeploy(),
        &[
            (
                "its end was never noted",
                |f| {
                    f.live.release.ended = None;
                    f.live.active = false;
                },
                &["nothing: nothing waits"],
            ),
            (
                "its verdict is due",
                |f| {
                    f.live.release.verdict = None;
                    f.live.active = false;
                },
                &["nothing: nothing waits"],
            ),
            (
                "and an image waits",
                |f| {
                    f.live.release.ended = None;
                    f.live.active = false;
                    f.waiting = vec![waiting(3, 90)];
                },
                &["start: api:v3 was pushed at"],
            ),
        ],
    );
}

#[test]
fn what_waits_starts_unless_something_is_known_to_stand_against_it() {
    holds(
        &by_codedeploy(),
        &[
            ("nothing waits", |_| {}, &["nothing: nothing waits"]),
            ("one waits", |f| f.waiting = vec![waiting(3, 90)], &["start: api:v3 was pushed at"]),
            (
                "first sight",
                |f| (f.waiting, f.ecs.baseline) = (vec![waiting(3, 90)], None),
                &["baseline: images count"],
            ),
            (
                "the service is gone",
                |f| (f.waiting, f.ecs.active) = (vec![waiting(3, 90)], false),
                &["nothing: the ECS service is not active"],
            ),
            (
                "another is active",
                |f| {
                    f.waiting = vec![waiting(3, 90)];
                    f.last = Some(last("d-3", State::Active, 99, 99));
                },
                &["nothing: d-3 is active"],
            ),
            (
                "another has just ended",
                |f| {
                    f.waiting = vec![waiting(3, 90)];
                    f.last = Some(last("d-3", State::Succeeded, 90, 99));
                },
                &["nothing: d-3 has just ended"],
            ),
            (
                "held",
                |f| {
                    f.waiting = vec![waiting(3, 90)];
                    f.ecs.hold = Some(Hold::parse("by=anna"));
                },
                &["nothing: an image waits for a hold: by=anna"],
            ),
            (
                "an alarm is missing",
                |f| {
                    f.waiting = vec![waiting(3, 90)];
                    f.alarms[0].state = AlarmState::Missing;
                },
                &["nothing: an image waits for alarms that are red or missing: 5xx"],
            ),
            (
                "rejected before",
                |f| {
                    f.waiting = vec![waiting(3, 90)];
                    f.newest = Some(revision(3, &[("verdict", "rejected")]));
                },
                &["nothing: the newest image (v3) was rejected before"],
            ),
            (
                "of two repositories, one rejected",
                |f| {
                    f.waiting = vec![waiting(3, 90), waiting(4, 91)];
                    f.newest = Some(revision(3, &[("verdict", "rejected")]));
                },
                &["start: api:v4"],
            ),
            (
                "it waited while a rollback failed",
                |f| {
                    f.waiting = vec![waiting(4, 30)];
                    f.newest = Some(revision(3, &[("ended", "rollback-failed 2026-01-01T00:40:00Z")]));
                },
                &["nothing: an image waits, and the last release ended badly"],
            ),
            (
                "it waited while a release failed, which serves all the same",
                |f| {
                    f.waiting = vec![waiting(4, 30)];
                    f.live = revision(2, &[("ended", "failed 2026-01-01T00:40:00Z")]);
                },
                &["nothing: an image waits, and the last release ended badly"],
            ),
            (
                "pushed in the second in which a rollback failed",
                |f| {
                    f.waiting = vec![waiting(4, 40)];
                    f.newest = Some(revision(3, &[("ended", "rollback-failed 2026-01-01T00:40:00Z")]));
                },
                &["start: api:v4"],
            ),
            (
                "pushed after a rollback failed",
                |f| {
                    f.waiting = vec![waiting(4, 50)];
                    f.newest = Some(revision(3, &[("ended", "rollback-failed 2026-01-01T00:40:00Z")]));
                },
                &["start: api:v4"],
            ),
        ],
    );
}

#[test]
fn an_end_is_settled_when_nobody_noted_it_and_once() {
    holds(
        &by_codedeploy(),
        &[
            ("not noted", |f| f.live = revision(2, &[]), &["settle: d-2 has ended, and nobody looked"]),
            (
                "noted by a hair before",
                |f| {
                    f.live =
                        revision(2, &[("verdict", "good"), ("ended", "succeeded 2026-01-01T00:19:59.5Z")])
                },
                &["nothing: nothing waits"],
            ),
            (
                "of others",
                |f| {
                    f.live = revision(2, &[]);
                    f.last.as_mut().unwrap().by = Some(By::Others);
                },
                &["nothing: nothing waits"],
            ),
            (
                "its event has its turn",
                |f| {
                    f.live = revision(2, &[]);
                    f.last = Some(last("d-2", State::Succeeded, 90, 99));
                },
                &["nothing: nothing waits"],
            ),
            (
                "its event had its turn",
                |f| {
                    f.live = revision(2, &[]);
                    f.last = Some(last("d-2", State::Succeeded, 90, 98));
                },
                &["settle: d-2 has ended, and nobody looked"],
            ),
            (
                "the event of the one before has its turn",
                |f| {
                    f.before = Some(last("d-2", State::Succeeded, 90, 99));
                    f.last = Some(last("d-3", State::Active, 99, 99));
                },
                &["nothing: d-3 is active"],
            ),
            (
                "taken back, and noted on what was",
                |f| {
                    f.last = Some(last("d-4", State::Succeeded, 50, 51));
                    f.newest = Some(revision(3, &[("ended", "rolled-back 2026-01-01T00:51:00Z")]));
                },
                &["nothing: nothing waits"],
            ),
            (
                "taken back, and only the failure is noted",
                |f| {
                    f.last = Some(last("d-4", State::Succeeded, 50, 51));
                    f.newest = Some(revision(3, &[("ended", "failed 2026-01-01T00:49:00Z")]));
                },
                &["settle: d-4 has ended, and nobody looked"],
            ),
            (
                "the next has begun",
                |f| {
                    f.live = revision(2, &[]);
                    f.before = f.last.replace(last("d-3", State::Active, 98, 98));
                },
                &["settle: d-2 has ended, and nobody looked"],
            ),
            (
                "settling starts what waits itself",
                |f| (f.live, f.waiting) = (revision(2, &[]), vec![waiting(3, 90)]),
                &["settle: d-2"],
            ),
            (
                "the watch has passed",
                |f| f.live = revision(2, &[("ended", "succeeded 2026-01-01T00:20:00Z")]),
                &["settle: the watch over d-2 has passed"],
            ),
            (
                "the watch goes on",
                |f| {
                    f.live = revision(2, &[("ended", "succeeded 2026-01-01T00:20:00Z")]);
                    f.now = at(49);
                },
                &["nothing: nothing waits"],
            ),
            (
                "the watch has passed, and an alarm is missing",
                |f| {
                    f.live = revision(2, &[("ended", "succeeded 2026-01-01T00:20:00Z")]);
                    f.alarms[0].state = AlarmState::Missing;
                },
                &["nothing: nothing waits"],
            ),
            (
                "the watch has passed, and what others deployed since serves the same",
                |f| {
                    f.live = revision(2, &[("ended", "succeeded 2026-01-01T00:20:00Z")]);
                    f.last.as_mut().unwrap().by = Some(By::Others);
                },
                &["nothing: nothing waits"],
            ),
        ],
    );
}

#[test]
fn what_went_red_in_its_watch_is_not_good_though_nobody_was_to_act_on_it() {
    let service = by_codedeploy();
    let steps = |minute: i64| {
        decided(&service, |f| {
            f.live = revision(2, &[("ended", "succeeded 2026-01-01T00:20:00Z")]);
            f.alarms[0].muted = Some("night".into());
            f.reds = vec![Red { alarm: "5xx".into(), since: at(minute) }];
        })
    };
    for minute in [10, 15, 50] {
        assert_eq!(steps(minute), ["nothing: nothing waits"], "{minute}");
    }
    for minute in [9, 51] {
        assert!(steps(minute)[0].starts_with("settle: the watch over d-2 has passed"), "{minute}");
    }
}

#[test]
fn the_newest_of_the_family_is_read_where_an_end_may_be_noted_there() {
    let service = by_codedeploy();
    let open = |change: fn(&mut Facts<'_>)| {
        let mut facts = facts(&service);
        change(&mut facts);
        family_is_open(&facts)
    };
    assert!(!open(|_| {}), "what serves says it all");
    assert!(open(|f| f.waiting = vec![waiting(3, 90)]), "it may have been rejected");
    assert!(open(|f| f.live = revision(2, &[])));
    assert!(!open(|f| (f.live, f.last) = (revision(2, &[]), Some(last("d-3", State::Active, 98, 98)))));
    assert!(!open(|f| f.last = None));
}

#[test]
fn under_ecs_what_is_noted_shows_in_the_revisions_alone() {
    fn rollout(f: &mut Facts<'_>, began: i64, updated: i64) {
        f.last = Some(Last { id: None, ..last("", State::Succeeded, began, updated) });
    }
    holds(
        &service(Engine::Ecs),
        &[
            (
                "never noted",
                |f| {
                    rollout(f, 10, 20);
                    f.live = revision(2, &[]);
                },
                &["settle: the newest deployment has ended"],
            ),
            (
                "deployed anew by others",
                |f| {
                    rollout(f, 50, 60);
                    f.newest = Some(f.live.clone());
                },
                &["nothing: nothing waits"],
            ),
            (
                "ECS went back by itself",
                |f| {
                    rollout(f, 10, 60);
                    f.newest = Some(revision(3, &[]));
                },
                &["settle: the newest deployment has ended"],
            ),
            (
                "Sluice went back after a success",
                |f| {
                    rollout(f, 50, 60);
                    f.newest = Some(revision(3, &[("ended", "succeeded 2026-01-01T00:40:00Z")]));
                },
                &["settle: the newest deployment has ended"],
            ),
            (
                "ECS goes back, and only the failure is noted",
                |f| {
                    rollout(f, 10, 60);
                    f.newest = Some(revision(3, &[("ended", "failed 2026-01-01T00:40:00Z")]));
                },
                &["settle: the newest deployment has ended"],
            ),
            (
                "it failed, and that was its end",
                |f| {
                    rollout(f, 10, 60);
                    f.newest = Some(revision(3, &[("ended", "failed 2026-01-01T01:00:00Z")]));
                },
                &["nothing: nothing waits"],
            ),
            (
                "which is noted",
                |f| {
                    rollout(f, 50, 60);
                    f.newest = Some(revision(3, &[("ended", "rolled-back 2026-01-01T01:00:00Z")]));
                },
                &["nothing: nothing waits"],
            ),
        ],
    );
}

#[test]
fn an_alarm_is_acted_on_if_it_went_red_in_a_deployment_or_its_watch_and_nobody_was_called_for_it() {
    holds(
        &by_codedeploy(),
        &[
            ("in the deployment", |f| red(f, 15), &["alarm: the alarm 5xx is red since"]),
            ("in the watch", |f| red(f, 50), &["alarm: the alarm 5xx is red since"]),
            ("after the watch", |f| red(f, 51), &["nothing"]),
            ("before the deployment", |f| red(f, 9), &["nothing"]),
            (
                "a moment ago",
                |f| {
                    red(f, 100);
                    f.last = Some(last("d-3", State::Active, 90, 90));
                },
                &["nothing: d-3 is active"],
            ),
            (
                "while it is active",
                |f| {
                    red(f, 95);
                    f.last = Some(last("d-3", State::Active, 90, 90));
                },
                &["alarm: the alarm 5xx"],
            ),
            (
                "stopped already",
                |f| {
                    red(f, 15);
                    f.last = Some(last("d-2", rejected(), 10, 20));
                },
                &["nothing"],
            ),
            (
                "muted",
                |f| {
                    red(f, 15);
                    f.alarms[0].muted = Some("night".into());
                },
                &["nothing"],
            ),
            (
                "people were called",
                |f| {
                    red(f, 15);
                    let (ended, call) = (ended(How::Succeeded, 20), format!("{} 5xx", at(15)));
                    f.live = revision(2, &[("verdict", "good"), ("ended", &ended), ("escalated", &call)]);
                },
                &["nothing"],
            ),
            (
                "the deployment group's own, which the service does not name",
                |f| {
                    red(f, 15);
                    f.alarms[0].name = "other".into();
                    f.reds[0].alarm = "other".into();
                },
                &["nothing"],
            ),
        ],
    );
}

#[test]
fn when_alarms_went_red_is_read_as_long_as_something_hangs_on_it() {
    let service = by_codedeploy();
    let open = |change: fn(&mut Facts<'_>)| {
        let mut facts = facts(&service);
        change(&mut facts);
        history_is_open(&facts)
    };
    assert!(!open(|_| {}), "it is judged, and its watch has passed");
    assert!(open(|f| f.now = at(50)), "to the end of its watch");
    assert!(!open(|f| f.now = at(51)), "and no longer");
    assert!(open(|f| f.live = revision(2, &[("ended", &ended(How::Succeeded, 20))])), "its verdict is due");
    assert!(open(|f| f.last = Some(last("d-3", State::Active, 10, 10))));
    assert!(open(|f| {
        f.live = revision(2, &[("verdict", "good")]);
        f.last.as_mut().unwrap().ended = None;
    }));
    assert!(!open(|f| f.last.as_mut().unwrap().state = rejected()), "it is being taken back");
    assert!(!open(|f| f.last = None));
}
