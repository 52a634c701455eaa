//! One-off tasks of a service's own revision: what they run, write and tell.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::services::ecs::testkit::{Kit, definition, network};
use crate::timeline::Kind;

const ENDED: &str = include_str!("../../../../../events/ecs-task-state-stopped-fargate-observed.json");

/// A kit whose task definition `web` runs an image, with its log in `/ecs/web`.
fn kit() -> Kit {
    let mut kit = Kit::new();
    kit.push("v1", "1");
    let mut input = definition(&[("APP_LOG", "up"), ("APP_EXIT_CODE", "9")]);
    input["executionRoleArn"] = json!("arn:aws:iam::123456789012:role/execution");
    let container = &mut input["containerDefinitions"][0];
    container["image"] = json!(format!("{}/web:v1", kit.world.cloud.registry()));
    container.as_object_mut().unwrap().shift_remove("command");
    container["logConfiguration"] = json!({ "logDriver": "awslogs", "options": {
        "awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "run",
    }});
    kit.ok("RegisterTaskDefinition", input);
    kit
}

fn request(over: Value) -> Value {
    json!({
        "cluster": "main", "taskDefinition": "web", "launchType": "FARGATE", "startedBy": "sluice/migrate",
        "networkConfiguration": network(), "clientToken": "once", "group": "migrations",
        "tags": [{ "key": "sluice:hook", "value": "d-1" }],
        "overrides": { "containerOverrides": [over] },
    })
}

fn migrate(minutes: u64, exit: &str) -> Value {
    let after = (minutes * 60_000).to_string();
    json!({
        "name": "app", "environment": [{ "name": "STEP", "value": "migrate" }],
        "command": ["sample-task", "--log", "one", "--after", after, "--exit", exit, "--log", "two"],
    })
}

fn arn(answer: &Value) -> String {
    answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
}

fn described(kit: &mut Kit, task: &str, include: &[&str]) -> Value {
    kit.ok("DescribeTasks", json!({ "cluster": "main", "tasks": [task], "include": include }))["tasks"][0]
        .clone()
}

fn log(kit: &mut Kit, task: &str) -> Vec<String> {
    let stream = format!("run/app/{}", task.rsplit('/').next().unwrap());
    let input = json!({ "logGroupName": "/ecs/web", "logStreamName": stream, "startFromHead": true });
    let events = kit.world.call("logs", "GetLogEvents", input).unwrap()["events"].clone();
    events.as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_task_of_forty_minutes_writes_at_its_start_and_ends_with_its_code() {
    let mut kit = kit();
    let task = arn(&kit.ok("RunTask", request(migrate(40, "3"))));
    kit.run(39 * 60);
    assert_eq!(described(&mut kit, &task, &[])["lastStatus"], "RUNNING");
    assert_eq!(log(&mut kit, &task), ["one", "two"], "of the command, not of the environment");
    kit.run(2 * 60);
    let ended = described(&mut kit, &task, &["TAGS"]);
    assert_eq!((&ended["lastStatus"], &ended["containers"][0]["exitCode"]), (&json!("STOPPED"), &json!(3)));
    assert_eq!(ended["tags"], json!([{ "key": "sluice:hook", "value": "d-1" }]));
    assert_eq!(ended["overrides"]["containerOverrides"][0]["environment"][0]["value"], "migrate");
    let without = described(&mut kit, &task, &[]);
    assert!(without["tags"].as_array().is_none_or(Vec::is_empty), "{without}");
}

/// Names of all members below a value, lists looked into by their first element.
fn members(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                found.insert(format!("{at}.{name}"));
                members(inner, &format!("{at}.{name}"), found);
            }
        }
        Value::Array(list) => list.last().into_iter().for_each(|inner| members(inner, at, found)),
        _ => {}
    }
}

#[test]
fn its_end_is_told_in_the_form_of_a_real_event() {
    let mut kit = kit();
    let task = arn(&kit.ok("RunTask", request(migrate(1, "1"))));
    kit.run(90);
    let told = kit.world.cloud.timeline().iter().filter(|e| e.kind == Kind::Event);
    let told: Vec<&Value> =
        told.map(|e| &e.data).filter(|e| e["detail"]["taskArn"] == task.as_str()).collect();
    let last = told.last().unwrap();
    let detail = &last["detail"];
    for (member, value) in [
        ("lastStatus", json!("STOPPED")),
        ("desiredStatus", json!("STOPPED")),
        ("startedBy", json!("sluice/migrate")),
        ("group", json!("migrations")),
        ("stopCode", json!("EssentialContainerExited")),
        ("overrides", json!({ "containerOverrides": [migrate(1, "1")] })),
    ] {
        assert_eq!(detail[member], value, "{member}");
    }
    assert_eq!(detail["containers"][0]["exitCode"], 1);
    assert_eq!(last["resources"], json!([task]));
    let real: Value = serde_json::from_str(ENDED).unwrap();
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    members(last, "", &mut ours);
    members(&real, "", &mut theirs);
    // What the sample's service had and this task hasn't, and the other way round.
    let theirs_only: Vec<_> = theirs.difference(&ours).filter(|m| !m.contains("managedAgents")).collect();
    let ours_only: Vec<_> = ours.difference(&theirs).filter(|m| !m.contains(".overrides.")).collect();
    assert_eq!((theirs_only, ours_only), (Vec::<&String>::new(), Vec::<&String>::new()));
    assert_eq!(detail["attachments"][0]["type"], real["detail"]["attachments"][1]["type"]);
    let statuses: Vec<&str> = told.iter().map(|e| e["detail"]["lastStatus"].as_str().unwrap()).collect();
    assert!(statuses.contains(&"RUNNING"), "{statuses:?}");
}

#[test]
fn one_token_is_one_task_until_ecs_forgets_it() {
    let mut kit = kit();
    let first = arn(&kit.ok("RunTask", request(migrate(1, "0"))));
    kit.run(10 * 60);
    assert_eq!(described(&mut kit, &first, &[])["lastStatus"], "STOPPED");
    assert_eq!(arn(&kit.ok("RunTask", request(migrate(1, "0")))), first, "stopped, but still known");
    let conflict = kit.call("RunTask", request(migrate(2, "0"))).unwrap_err();
    assert_eq!(conflict.shape, "ConflictException");
    assert_eq!(conflict.members, [("resourceIds".to_owned(), json!([first]))]);
    let mut other = request(migrate(2, "0"));
    other["clientToken"] = json!("another");
    assert_ne!(arn(&kit.ok("RunTask", other)), first);
    kit.run(3_600);
    assert_ne!(
        arn(&kit.ok("RunTask", request(migrate(1, "0")))),
        first,
        "an hour after its end the token is free"
    );
}

#[test]
fn tasks_are_listed_by_who_started_them_and_one_can_be_stopped() {
    let mut kit = kit();
    let revision = kit.ok("DescribeTaskDefinition", json!({ "taskDefinition": "web" }))["taskDefinition"]["taskDefinitionArn"].clone();
    kit.steady_service(revision.as_str().unwrap(), 1, json!({}));
    let task = arn(&kit.ok("RunTask", request(migrate(40, "0"))));
    kit.run(60);
    let list = |kit: &mut Kit, more: Value| {
        let mut input = json!({ "cluster": "main", "startedBy": "sluice/migrate" });
        more.as_object().unwrap().iter().for_each(|(k, v)| input[k] = v.clone());
        kit.ok("ListTasks", input)["taskArns"].clone()
    };
    assert_eq!(list(&mut kit, json!({})), json!([task]), "the service's task is not among them");
    assert_eq!(list(&mut kit, json!({ "desiredStatus": "STOPPED" })), json!([]));
    kit.ok("StopTask", json!({ "cluster": "main", "task": task, "reason": "timed out" }));
    assert_eq!(list(&mut kit, json!({ "desiredStatus": "STOPPED" })), json!([task]));
    kit.run(60);
    let ended = described(&mut kit, &task, &[]);
    assert_eq!(
        (&ended["stopCode"], &ended["stoppedReason"], &ended["containers"][0]["exitCode"]),
        (&json!("UserInitiated"), &json!("timed out"), &json!(143))
    );
}

#[test]
fn what_a_task_gets_wrong_is_in_its_log() {
    let mut kit = kit();
    let wrong = json!({ "name": "app", "command": ["sample-task", "--exit", "soon"] });
    let task = arn(&kit.ok("RunTask", request(wrong)));
    kit.run(60);
    assert_eq!(log(&mut kit, &task), ["sample-task: --exit 'soon' cannot be read"]);
    assert_eq!(described(&mut kit, &task, &[])["containers"][0]["exitCode"], 64);
}
