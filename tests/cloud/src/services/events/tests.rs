//! Rules at work: what reaches which target, when, and what happens to what cannot.

use serde_json::{Value, json};

use crate::services::lambda::bench::{Bench, succeeds};
use crate::time::{HOUR, MINUTE, SECOND};

const ANY: &str = "{\"source\": [{\"prefix\": \"\"}]}";

impl Bench {
    fn rule(&mut self, name: &str, pattern: &str, targets: Value) -> String {
        let made = self.done("events", "PutRule", json!({ "Name": name, "EventPattern": pattern }));
        let put = self.done("events", "PutTargets", json!({ "Rule": name, "Targets": targets }));
        assert_eq!(put["FailedEntryCount"], 0);
        made["RuleArn"].as_str().unwrap().to_owned()
    }

    fn event(&mut self, source: &str) -> Value {
        let entry = json!({ "Source": source, "DetailType": "Happened", "Detail": "{\"n\": 1}" });
        self.done("events", "PutEvents", json!({ "Entries": [entry] }))
    }
}

#[test]
fn an_event_reaches_the_targets_of_the_rules_it_fits_after_the_delay_and_no_others() {
    let mut bench = Bench::new();
    let ((mine, mine_arn), (other, other_arn)) =
        (bench.queue("mine", json!({})), bench.queue("other", json!({})));
    bench.rule("a", "{\"source\": [\"mine\"]}", json!([{ "Id": "1", "Arn": mine_arn }]));
    bench.rule("b", "{\"source\": [\"other\"]}", json!([{ "Id": "1", "Arn": other_arn }]));
    let put = bench.event("mine");
    bench.until(499);
    assert!(bench.bodies(&mine).is_empty());
    bench.until(500);
    let got = bench.bodies(&mine);
    assert_eq!(got[0]["id"], put["Entries"][0]["EventId"]);
    assert_eq!(got[0]["detail"], json!({ "n": 1 }));
    assert!(bench.bodies(&other).is_empty());
}

#[test]
fn a_disabled_rule_takes_nothing() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({}));
    bench.rule("r", ANY, json!([{ "Id": "1", "Arn": arn }]));
    bench.done("events", "DisableRule", json!({ "Name": "r" }));
    bench.event("mine");
    bench.until(MINUTE);
    assert!(bench.bodies(&url).is_empty());
    bench.done("events", "EnableRule", json!({ "Name": "r" }));
    bench.event("mine");
    bench.until(2 * MINUTE);
    assert_eq!(bench.bodies(&url).len(), 1);
}

#[test]
fn a_function_runs_only_for_the_rule_that_its_policy_names() {
    let mut bench = Bench::new();
    let function = bench.function("f", Some(succeeds), json!({}));
    let (dead, dead_arn) = bench.queue("dead", json!({}));
    let target = json!([{ "Id": "1", "Arn": function, "DeadLetterConfig": { "Arn": dead_arn } }]);
    let allowed = bench.rule("allowed", "{\"source\": [\"mine\"]}", target.clone());
    let refused = bench.rule("refused", "{\"source\": [\"mine\"]}", target);
    bench.permit("f", "events.amazonaws.com", &allowed);
    bench.event("mine");
    bench.until(HOUR);
    assert_eq!(bench.starts("f"), [500]);
    let message = bench.messages(&dead).remove(0);
    let attribute =
        |name: &str| message["MessageAttributes"][name]["StringValue"].as_str().unwrap().to_owned();
    assert_eq!((attribute("RULE_ARN"), attribute("ERROR_CODE")), (refused, "NO_PERMISSIONS".to_owned()));
    assert_eq!(attribute("TARGET_ARN"), function);
    assert!(bench.noted("no permission: the policy of function f does not let events.amazonaws.com"));
}

#[test]
fn a_permission_for_another_account_or_principal_or_rule_permits_nothing() {
    let mut bench = Bench::new();
    let function = bench.function("f", Some(succeeds), json!({}));
    let rule = bench.rule("r", ANY, json!([{ "Id": "1", "Arn": function }]));
    let statements = [
        json!({ "Principal": "sns.amazonaws.com", "SourceArn": rule }),
        json!({ "Principal": "events.amazonaws.com", "SourceArn": format!("{rule}x") }),
        json!({ "Principal": "events.amazonaws.com", "SourceArn": rule, "SourceAccount": "210987654321" }),
        json!({ "Principal": "events.amazonaws.com", "SourceArn": "arn:aws:events:us-east-1:210987654321:*" }),
        json!({ "Principal": "events.amazonaws.com", "SourceArn": "arn:aws:events:::*" }),
    ];
    for (n, mut statement) in statements.into_iter().enumerate() {
        (statement["FunctionName"], statement["StatementId"]) = (json!("f"), json!(format!("s{n}")));
        statement["Action"] = json!("lambda:InvokeFunction");
        bench.done("lambda", "AddPermission", statement);
    }
    bench.event("mine");
    bench.until(MINUTE);
    assert!(bench.runs.is_empty());
    let fits = "arn:aws:events:us-east-1:123456789012:rule/*";
    let input = json!({
        "FunctionName": "f", "StatementId": "fits", "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com", "SourceArn": fits, "SourceAccount": "123456789012",
    });
    bench.done("lambda", "AddPermission", input);
    bench.event("mine");
    bench.until(2 * MINUTE);
    assert_eq!(bench.runs.len(), 1);
}

#[test]
fn an_event_for_a_target_that_is_gone_is_kept_or_said_to_be_lost() {
    let mut bench = Bench::new();
    let (dead, dead_arn) = bench.queue("dead", json!({}));
    let gone = "arn:aws:sqs:us-east-1:123456789012:gone";
    bench.rule(
        "r",
        ANY,
        json!([{ "Id": "1", "Arn": gone, "DeadLetterConfig": { "Arn": dead_arn } }, { "Id": "2", "Arn": gone }]),
    );
    bench.event("mine");
    bench.until(SECOND);
    let kept = bench.messages(&dead);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"], "NO_RESOURCE");
    assert!(bench.noted("it is lost, for the target has no dead-letter queue"));
}

#[test]
fn a_rate_fires_each_period_with_the_shape_of_a_scheduled_event_until_it_is_deleted() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({}));
    bench.done("events", "PutRule", json!({ "Name": "every", "ScheduleExpression": "rate(5 minutes)" }));
    bench.done("events", "PutTargets", json!({ "Rule": "every", "Targets": [{ "Id": "1", "Arn": arn }] }));
    bench.until(11 * MINUTE);
    let events = bench.bodies(&url);
    let times: Vec<_> = events.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert_eq!(times, ["1970-01-01T00:05:00Z", "1970-01-01T00:10:00Z"]);
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/eventbridge-rule-schedule.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(sample).unwrap()).unwrap();
    let members = |event: &Value| event.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&events[0]), members(&sample));
    for member in ["version", "detail-type", "source", "detail"] {
        assert_eq!(events[0][member], sample[member], "{member}");
    }
    assert_eq!(bench.refused("events", "DeleteRule", json!({ "Name": "every" })), "ValidationException");
    bench.done("events", "RemoveTargets", json!({ "Rule": "every", "Ids": ["1"] }));
    bench.done("events", "DeleteRule", json!({ "Name": "every" }));
    bench.until(HOUR);
    assert!(bench.bodies(&url).is_empty());
}

#[test]
fn a_schedule_changed_in_between_fires_at_its_new_times_only() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({}));
    bench.done("events", "PutRule", json!({ "Name": "r", "ScheduleExpression": "rate(5 minutes)" }));
    bench.done("events", "PutTargets", json!({ "Rule": "r", "Targets": [{ "Id": "1", "Arn": arn }] }));
    bench.until(4 * MINUTE);
    bench.done("events", "PutRule", json!({ "Name": "r", "ScheduleExpression": "rate(1 hour)" }));
    bench.until(HOUR + 3 * MINUTE);
    assert!(bench.bodies(&url).is_empty());
    bench.until(HOUR + 4 * MINUTE);
    assert_eq!(bench.bodies(&url).len(), 1);
    for wrong in ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(5 weeks)", "every day"] {
        let input = json!({ "Name": "r", "ScheduleExpression": wrong });
        assert_eq!(bench.refused("events", "PutRule", input), "ValidationException", "{wrong}");
    }
}

#[test]
fn a_custom_event_of_aws_is_refused_and_the_others_of_its_request_are_not() {
    let mut bench = Bench::new();
    let entry = |source: &str, detail: &str| json!({ "Source": source, "DetailType": "d", "Detail": detail });
    let entries =
        json!([entry("aws.ecr", "{}"), entry("mine", "{}"), entry("mine", "not JSON"), { "Source": "mine" }]);
    let put = bench.done("events", "PutEvents", json!({ "Entries": entries }));
    assert_eq!(put["FailedEntryCount"], 3);
    let codes: Vec<_> = put["Entries"].as_array().unwrap().iter().map(|e| e["ErrorCode"].as_str()).collect();
    let expected =
        [Some("NotAuthorizedForSourceException"), None, Some("MalformedDetail"), Some("InvalidArgument")];
    assert_eq!(codes, expected);
}

#[test]
fn what_is_not_modelled_or_not_valid_is_refused_before_anything_happens() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({}));
    bench.rule("r", ANY, json!([{ "Id": "1", "Arn": arn }]));
    let entry = |bus: &str| json!({ "Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": bus });
    let entries = json!({ "Entries": [entry("default"), entry("other")] });
    assert_eq!(bench.refused("events", "PutEvents", entries), "NotModelled");
    bench.until(MINUTE);
    assert!(bench.bodies(&url).is_empty());
    let targets = [
        (json!({ "Id": "1", "Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s" }), "NotModelled"),
        (json!({ "Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f:live" }), "NotModelled"),
        (json!({ "Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q.fifo" }), "NotModelled"),
        (json!({ "Id": "1", "Arn": arn, "InputPath": "$", "Input": "{}" }), "ValidationException"),
        (
            json!({ "Id": "1", "Arn": arn, "DeadLetterConfig": { "Arn": "arn:aws:sns:x:y:z" } }),
            "ValidationException",
        ),
    ];
    for (target, expected) in targets {
        let input = json!({ "Rule": "r", "Targets": [target] });
        assert_eq!(bench.refused("events", "PutTargets", input.clone()), expected, "{input}");
    }
    let cron = json!({ "Name": "c", "ScheduleExpression": "cron(0 12 * * ? *)" });
    assert_eq!(bench.refused("events", "PutRule", cron), "NotModelled");
    let bad = json!({ "Name": "c", "EventPattern": "{\"source\": \"mine\"}" });
    assert_eq!(bench.refused("events", "PutRule", bad), "InvalidEventPatternException");
}
