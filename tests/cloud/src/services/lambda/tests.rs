//! Functions at work: invoked, retried, throttled, given up, and fed by queues.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bench::{Bench, ROLE, fails, succeeds};
use crate::http::Request;
use crate::time::{HOUR, MINUTE, SECOND};
use crate::{Answer, Ticket};

fn encoded(payload: &Value) -> Value {
    json!(STANDARD.encode(payload.to_string()))
}

impl Bench {
    /// Puts an event into a function's queue.
    fn queued(&mut self, function: &str, payload: &Value) {
        let input =
            json!({ "FunctionName": function, "InvocationType": "Event", "Payload": encoded(payload) });
        assert_eq!(self.done("lambda", "Invoke", input)["StatusCode"], 202);
    }

    /// Invokes over the wire and waits.
    fn invoke(&mut self, function: &str) -> Ticket {
        let credential =
            "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/lambda/aws4_request, Signature=0";
        let request = Request {
            method: "POST".into(),
            target: format!("/2015-03-31/functions/{function}/invocations"),
            headers: vec![("authorization".into(), credential.into())],
            body: Vec::new(),
        };
        match self.cloud.handle(&request, self.now) {
            Answer::Pending(ticket) => ticket,
            Answer::Ready(answer) => panic!("answered at once: {}", String::from_utf8_lossy(&answer.body)),
        }
    }

    fn concurrency(&mut self, function: &str, reserved: u64) {
        let input = json!({ "FunctionName": function, "ReservedConcurrentExecutions": reserved });
        self.done("lambda", "PutFunctionConcurrency", input);
    }

    fn mapping(&mut self, function: &str, queue: &str, more: Value) -> String {
        let mut input = json!({ "FunctionName": function, "EventSourceArn": queue });
        for (member, value) in more.as_object().into_iter().flatten() {
            input[member] = value.clone();
        }
        self.done("lambda", "CreateEventSourceMapping", input)["UUID"].as_str().unwrap().to_owned()
    }

    fn send(&mut self, url: &str, body: &str) {
        self.done("sqs", "SendMessage", json!({ "QueueUrl": url, "MessageBody": body }));
        self.until(self.now);
    }

    /// The bodies that each run of a function got.
    fn batches(&self, function: &str) -> Vec<Vec<&str>> {
        let records = |payload: &'_ Value| payload["Records"].as_array().cloned().unwrap_or_default().len();
        let runs = self.runs.iter().filter(|run| run.function == function);
        runs.map(|run| {
            (0..records(&run.payload)).map(|n| run.payload["Records"][n]["body"].as_str().unwrap()).collect()
        })
        .collect()
    }

    fn left(&mut self, url: &str) -> (String, String) {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let input = json!({ "QueueUrl": url, "AttributeNames": names });
        let attributes = self.done("sqs", "GetQueueAttributes", input)["Attributes"].take();
        let text = |name: &str| attributes[name].as_str().unwrap().to_owned();
        (text(names[0]), text(names[1]))
    }
}

#[test]
fn a_caller_waits_for_the_answer_or_the_error_of_the_function() {
    let mut bench = Bench::new();
    bench.function("f", None, json!({}));
    let (first, second) = (bench.invoke("f"), bench.invoke("f:$LATEST"));
    bench.until(SECOND);
    let ids: Vec<_> = bench.runs.iter().map(|run| run.id.clone()).collect();
    assert_eq!(bench.runs[0].payload, json!({}));
    bench.end(&ids[1], fails(&Value::Null));
    assert!(bench.cloud.take(first).is_none());
    bench.end(&ids[0], succeeds(&Value::Null));
    let (good, bad) = (bench.cloud.take(first).unwrap(), bench.cloud.take(second).unwrap());
    let header = |answer: &crate::http::Response, name: &str| {
        answer.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    };
    assert_eq!((good.status, good.body.as_slice()), (200, b"\"done\"".as_slice()));
    assert_eq!(header(&good, "x-amz-function-error"), None);
    assert_eq!(header(&good, "x-amz-executed-version").as_deref(), Some("$LATEST"));
    assert_eq!(header(&bad, "x-amz-function-error").as_deref(), Some("Unhandled"));
    let error: Value = serde_json::from_slice(&bad.body).unwrap();
    assert_eq!(error, json!({ "errorMessage": "it broke", "errorType": "Error" }));
    bench.end(&ids[0], succeeds(&Value::Null));
    assert!(bench.cloud.take(first).is_none(), "a second report of one run is nothing");
}

#[test]
fn a_failed_event_is_tried_twice_more_and_then_recorded_with_its_answer() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("failed", json!({}));
    let (dead, dead_arn) = bench.queue("dead", json!({}));
    bench.function("f", Some(fails), json!({ "DeadLetterConfig": { "TargetArn": dead_arn } }));
    let config = json!({ "FunctionName": "f", "DestinationConfig": { "OnFailure": { "Destination": arn } } });
    bench.done("lambda", "PutFunctionEventInvokeConfig", config);
    bench.queued("f", &json!({ "order": 1 }));
    bench.until(HOUR);
    assert_eq!(bench.starts("f"), [0, MINUTE, 3 * MINUTE]);
    let id = bench.runs[0].id.clone();
    assert!(bench.runs.iter().all(|run| run.id == id));
    let record = bench.bodies(&url).remove(0);
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/lambda-destination-onfailure-record.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(sample).unwrap()).unwrap();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&record), members(&sample));
    for part in ["requestContext", "responseContext"] {
        assert_eq!(members(&record[part]), members(&sample[part]), "{part}");
    }
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(record["responsePayload"]["errorMessage"], "it broke");
    let raw = bench.messages(&dead).remove(0);
    assert_eq!(raw["Body"], "{\"order\":1}");
    assert_eq!(raw["MessageAttributes"]["ErrorMessage"]["StringValue"], "it broke");
    assert_eq!(raw["MessageAttributes"]["RequestID"]["StringValue"], id.as_str());
}

#[test]
fn the_number_of_retries_and_the_age_of_events_are_as_configured() {
    for (config, expected) in [
        (json!({ "MaximumRetryAttempts": 0 }), vec![0]),
        (json!({ "MaximumRetryAttempts": 1 }), vec![0, MINUTE]),
        (json!({ "MaximumEventAgeInSeconds": 90 }), vec![0, MINUTE]),
    ] {
        let mut bench = Bench::new();
        bench.function("f", Some(fails), json!({}));
        let mut input = config.clone();
        input["FunctionName"] = json!("f");
        bench.done("lambda", "PutFunctionEventInvokeConfig", input);
        bench.queued("f", &json!({}));
        bench.until(HOUR);
        assert_eq!(bench.starts("f"), expected, "{config}");
    }
}

#[test]
fn a_success_is_recorded_once_and_an_event_bus_may_hear_of_it() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("heard", json!({}));
    bench.function("f", Some(succeeds), json!({}));
    let pattern =
        "{\"source\": [\"lambda\"], \"detail-type\": [\"Lambda Function Invocation Result - Success\"]}";
    bench.done("events", "PutRule", json!({ "Name": "r", "EventPattern": pattern }));
    bench.done("events", "PutTargets", json!({ "Rule": "r", "Targets": [{ "Id": "1", "Arn": arn }] }));
    let bus = "arn:aws:events:us-east-1:123456789012:event-bus/default";
    let config = json!({ "FunctionName": "f", "DestinationConfig": { "OnSuccess": { "Destination": bus } } });
    bench.done("lambda", "PutFunctionEventInvokeConfig", config);
    bench.queued("f", &json!({ "n": 1 }));
    bench.until(HOUR);
    let heard = bench.bodies(&url);
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["detail"]["requestPayload"], json!({ "n": 1 }));
    assert_eq!(heard[0]["detail"]["responsePayload"], "done");
    assert!(heard[0]["detail"]["responseContext"].get("functionError").is_none());
}

#[test]
fn throttled_events_wait_for_room_and_a_throttled_caller_is_told() {
    let mut bench = Bench::new();
    bench.function("f", None, json!({}));
    bench.concurrency("f", 1);
    bench.queued("f", &json!(1));
    bench.queued("f", &json!(2));
    assert_eq!(bench.refused("lambda", "Invoke", json!({ "FunctionName": "f" })), "TooManyRequestsException");
    bench.until(MINUTE);
    assert_eq!(bench.runs.len(), 1);
    let id = bench.runs[0].id.clone();
    bench.end(&id, succeeds(&Value::Null));
    bench.until(3 * MINUTE);
    let payloads: Vec<_> = bench.runs.iter().map(|run| run.payload.clone()).collect();
    assert_eq!(payloads, [json!(1), json!(2)]);
}

#[test]
fn a_throttled_event_is_given_up_after_six_hours() {
    let mut bench = Bench::new();
    let (dead, dead_arn) = bench.queue("dead", json!({}));
    bench.function("f", None, json!({ "DeadLetterConfig": { "TargetArn": dead_arn } }));
    bench.concurrency("f", 1);
    bench.queued("f", &json!(1));
    bench.queued("f", &json!(2));
    bench.until(6 * HOUR - SECOND);
    assert!(bench.messages(&dead).is_empty());
    bench.until(6 * HOUR + 5 * MINUTE);
    assert_eq!(bench.messages(&dead).remove(0)["Body"], "2");
    assert_eq!(bench.runs.len(), 1);
}

#[test]
fn without_any_concurrency_an_event_is_given_up_at_once_and_never_runs() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("failed", json!({}));
    bench.function("f", Some(succeeds), json!({}));
    let config = json!({ "FunctionName": "f", "DestinationConfig": { "OnFailure": { "Destination": arn } } });
    bench.done("lambda", "PutFunctionEventInvokeConfig", config);
    bench.concurrency("f", 0);
    bench.queued("f", &json!(1));
    bench.until(HOUR);
    assert!(bench.runs.is_empty());
    let record = bench.bodies(&url).remove(0);
    assert_eq!(record["requestContext"]["condition"], "ZeroReservedConcurrency");
    assert_eq!(record["responseContext"], Value::Null);
}

#[test]
fn a_queue_feeds_a_function_records_of_the_real_shape_and_loses_what_it_has_handled() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({}));
    bench.function("f", Some(succeeds), json!({}));
    bench.mapping("f", &arn, json!({}));
    bench.send(&url, "one");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/sqs-sns-envelope.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(sample).unwrap()).unwrap();
    let (got, real) = (&bench.runs[0].payload["Records"][0], &sample["Records"][0]);
    let names =
        |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(got), names(real));
    assert_eq!(names(&got["attributes"]), names(&real["attributes"]));
    assert_eq!((&got["eventSource"], &got["eventSourceARN"]), (&json!("aws:sqs"), &json!(arn)));
    assert_eq!(bench.left(&url), ("0".into(), "0".into()));
    bench.until(HOUR);
    assert_eq!(bench.runs.len(), 1);
}

#[test]
fn a_failed_batch_comes_back_after_its_visibility_timeout_and_goes_to_the_dead_letter_queue() {
    let mut bench = Bench::new();
    let (dead, dead_arn) = bench.queue("dead", json!({}));
    let policy = json!({ "deadLetterTargetArn": dead_arn, "maxReceiveCount": 3 }).to_string();
    let (url, arn) = bench.queue("q", json!({ "VisibilityTimeout": "30", "RedrivePolicy": policy }));
    bench.function("f", Some(fails), json!({}));
    bench.mapping("f", &arn, json!({}));
    bench.send(&url, "poison");
    bench.until(HOUR);
    assert_eq!(bench.starts("f"), [0, 30 * SECOND, 60 * SECOND]);
    assert_eq!(bench.messages(&dead).remove(0)["Body"], "poison");
    assert_eq!(bench.left(&url), ("0".into(), "0".into()));
}

#[test]
fn of_a_batch_only_the_messages_named_as_failed_come_back() {
    fn second_fails(event: &Value) -> Result<Value, crate::effect::FunctionError> {
        let records = event["Records"].as_array().unwrap();
        let failed: Vec<_> =
            records.iter().filter(|r| r["body"] == "b").map(|r| r["messageId"].clone()).collect();
        let items: Vec<_> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
        Ok(json!({ "batchItemFailures": items }))
    }
    for (reports, expected) in [
        (json!(["ReportBatchItemFailures"]), vec![vec!["a", "b"], vec!["b"]]),
        (json!([]), vec![vec!["a", "b"]]),
    ] {
        let mut bench = Bench::new();
        let (url, arn) = bench.queue("q", json!({ "VisibilityTimeout": "30" }));
        bench.function("f", Some(second_fails), json!({}));
        for body in ["a", "b"] {
            bench.send(&url, body);
        }
        bench.mapping("f", &arn, json!({ "FunctionResponseTypes": reports }));
        bench.until(31 * SECOND);
        assert_eq!(bench.batches("f"), expected, "{reports}");
    }
}

#[test]
fn an_answer_that_names_no_message_of_the_batch_fails_all_of_it() {
    fn nonsense(_: &Value) -> Result<Value, crate::effect::FunctionError> {
        Ok(json!({ "batchItemFailures": [{ "itemIdentifier": "other" }] }))
    }
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({ "VisibilityTimeout": "30" }));
    bench.function("f", Some(nonsense), json!({}));
    bench.mapping("f", &arn, json!({ "FunctionResponseTypes": ["ReportBatchItemFailures"] }));
    bench.send(&url, "a");
    assert_eq!(bench.left(&url), ("0".into(), "1".into()));
    bench.until(30 * SECOND);
    assert_eq!(bench.batches("f"), [["a"], ["a"]]);
}

#[test]
fn a_batching_window_gathers_until_it_is_over_or_the_batch_is_full() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({}));
    bench.function("f", Some(succeeds), json!({}));
    bench.mapping("f", &arn, json!({ "BatchSize": 3, "MaximumBatchingWindowInSeconds": 10 }));
    bench.send(&url, "a");
    bench.until(5 * SECOND);
    bench.send(&url, "b");
    bench.until(10 * SECOND - 1);
    assert!(bench.runs.is_empty());
    bench.until(10 * SECOND);
    assert_eq!(bench.batches("f"), [["a", "b"]]);
    bench.until(20 * SECOND);
    for body in ["c", "d", "e", "f"] {
        bench.send(&url, body);
    }
    assert_eq!(bench.starts("f"), [10 * SECOND, 20 * SECOND]);
    bench.until(30 * SECOND);
    assert_eq!(bench.batches("f")[1..], [vec!["c", "d", "e"], vec!["f"]]);
}

#[test]
fn a_mapping_reads_no_more_than_its_function_may_run_and_does_not_spin_meanwhile() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({}));
    bench.function("f", None, json!({}));
    bench.concurrency("f", 1);
    bench.mapping("f", &arn, json!({ "BatchSize": 1 }));
    for body in ["a", "b"] {
        bench.send(&url, body);
    }
    assert_eq!(bench.batches("f"), [["a"]]);
    assert_eq!(bench.left(&url), ("1".into(), "1".into()));
    bench.until(SECOND);
    assert!(bench.cloud.next_wakeup().is_none_or(|at| at >= 30 * SECOND));
    let id = bench.runs[0].id.clone();
    bench.end(&id, succeeds(&Value::Null));
    assert_eq!(bench.batches("f"), [["a"], ["b"]]);
}

#[test]
fn a_disabled_mapping_reads_nothing_and_a_deleted_one_still_ends_its_batch() {
    let mut bench = Bench::new();
    let (url, arn) = bench.queue("q", json!({}));
    bench.function("f", None, json!({}));
    let uuid = bench.mapping("f", &arn, json!({ "Enabled": false }));
    bench.send(&url, "a");
    bench.until(MINUTE);
    assert!(bench.runs.is_empty());
    bench.done("lambda", "UpdateEventSourceMapping", json!({ "UUID": uuid, "Enabled": true }));
    bench.until(MINUTE);
    assert_eq!(bench.batches("f"), [["a"]]);
    assert_eq!(
        bench.done("lambda", "DeleteEventSourceMapping", json!({ "UUID": uuid }))["State"],
        "Deleting"
    );
    let id = bench.runs[0].id.clone();
    bench.end(&id, succeeds(&Value::Null));
    assert_eq!(bench.left(&url), ("0".into(), "0".into()));
}

#[test]
fn a_mapping_that_cannot_work_is_refused() {
    let mut bench = Bench::new();
    let (_, arn) = bench.queue("q", json!({ "VisibilityTimeout": "5" }));
    bench.function("slow", None, json!({ "Timeout": 10 }));
    let gone = "arn:aws:sqs:us-east-1:123456789012:gone";
    let table = [
        (json!({ "EventSourceArn": arn }), "InvalidParameterValueException"),
        (json!({ "EventSourceArn": gone }), "InvalidParameterValueException"),
        (json!({ "EventSourceArn": arn, "BatchSize": 11 }), "InvalidParameterValueException"),
        (json!({ "EventSourceArn": arn, "FilterCriteria": { "Filters": [] } }), "NotModelled"),
        (json!({ "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s" }), "NotModelled"),
    ];
    for (mut input, expected) in table {
        input["FunctionName"] = json!("slow");
        assert_eq!(bench.refused("lambda", "CreateEventSourceMapping", input.clone()), expected, "{input}");
    }
}

#[test]
fn a_function_goes_by_its_name_and_by_any_arn_of_it() {
    let mut bench = Bench::new();
    let arn = bench.function("f", None, json!({}));
    let same = [
        "f",
        "f:$LATEST",
        "function:f",
        "123456789012:function:f",
        "us-east-1:123456789012:function:f",
        &arn,
    ];
    for reference in same {
        let got = bench.done("lambda", "GetFunctionConfiguration", json!({ "FunctionName": reference }));
        assert_eq!(got["FunctionArn"], arn.as_str(), "{reference}");
    }
    for (reference, expected) in [
        ("g", "ResourceNotFoundException"),
        ("f:live", "NotModelled"),
        ("210987654321:function:f", "ResourceNotFoundException"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", "ResourceNotFoundException"),
    ] {
        let input = json!({ "FunctionName": reference });
        assert_eq!(bench.refused("lambda", "GetFunctionConfiguration", input), expected, "{reference}");
    }
}

#[test]
fn what_a_function_cannot_have_here_or_on_aws_is_refused() {
    let mut bench = Bench::new();
    let zip = json!({ "ZipFile": STANDARD.encode("PK") });
    let large = "x".repeat(5_000);
    let table = [
        (json!({ "Runtime": "nodejs22.x" }), "NotModelled"),
        (json!({ "Runtime": "provided" }), "NotModelled"),
        (json!({ "PackageType": "Image" }), "NotModelled"),
        (json!({ "Code": { "S3Bucket": "bucket", "S3Key": "key" } }), "NotModelled"),
        (json!({ "Publish": true }), "NotModelled"),
        (json!({ "LoggingConfig": { "LogFormat": "JSON" } }), "NotModelled"),
        (json!({ "Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"] }), "NotModelled"),
        (json!({ "Code": { "ZipFile": STANDARD.encode("no zip") } }), "InvalidParameterValueException"),
        (json!({ "Timeout": 901 }), "InvalidParameterValueException"),
        (json!({ "Environment": { "Variables": { "AWS_REGION": "x" } } }), "InvalidParameterValueException"),
        (json!({ "Environment": { "Variables": { "LARGE": large } } }), "InvalidParameterValueException"),
        (
            json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:s3:::bucket" } }),
            "InvalidParameterValueException",
        ),
    ];
    for (more, expected) in table {
        let mut input = json!({
            "FunctionName": "f", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE, "Code": zip,
        });
        for (member, value) in more.as_object().unwrap() {
            input[member] = value.clone();
        }
        assert_eq!(bench.refused("lambda", "CreateFunction", input), expected, "{more}");
    }
    assert_eq!(
        bench.refused("lambda", "GetFunction", json!({ "FunctionName": "f" })),
        "ResourceNotFoundException"
    );
}

#[test]
fn a_run_leaves_its_lines_in_the_log_and_in_the_timeline() {
    let mut bench = Bench::new();
    bench.function("f", Some(fails), json!({ "Environment": { "Variables": { "STAGE": "test" } } }));
    bench.queued("f", &json!({}));
    let environment = &bench.runs[0].environment;
    assert!(environment.contains(&("STAGE".into(), "test".into())));
    let id = bench.runs[0].id.clone();
    let got = bench.done("logs", "FilterLogEvents", json!({ "logGroupName": "/aws/lambda/f" }));
    let lines: Vec<_> =
        got["events"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap()).collect();
    assert!(lines[0].starts_with(&format!("START RequestId: {id} Version: $LATEST")), "{lines:?}");
    assert!(lines.contains(&"[ERROR] Error: it broke"), "{lines:?}");
    assert!(lines.last().unwrap().starts_with(&format!("REPORT RequestId: {id}\tDuration: ")), "{lines:?}");
    assert!(bench.noted("f starts") && bench.noted("f fails: Error: it broke"));
}

#[test]
fn a_statement_names_its_principal_as_iam_writes_it() {
    let mut bench = Bench::new();
    bench.function("f", None, json!({}));
    let role = "arn:aws:iam::123456789012:role/deployer";
    let table = [
        ("123456789012", json!({ "AWS": "arn:aws:iam::123456789012:root" })),
        (role, json!({ "AWS": role })),
        ("sns.amazonaws.com", json!({ "Service": "sns.amazonaws.com" })),
        ("*", json!("*")),
    ];
    for (n, (principal, expected)) in table.into_iter().enumerate() {
        let input = json!({
            "FunctionName": "f", "StatementId": format!("s{n}"), "Action": "lambda:InvokeFunction",
            "Principal": principal,
        });
        let added = bench.done("lambda", "AddPermission", input)["Statement"].take();
        let statement: Value = serde_json::from_str(added.as_str().unwrap()).unwrap();
        assert_eq!(statement["Principal"], expected, "{principal}");
    }
}

#[test]
fn a_policy_is_what_was_added_to_it_and_a_stale_revision_changes_nothing() {
    let mut bench = Bench::new();
    bench.function("f", None, json!({}));
    assert_eq!(
        bench.refused("lambda", "GetPolicy", json!({ "FunctionName": "f" })),
        "ResourceNotFoundException"
    );
    let source = "arn:aws:events:us-east-1:123456789012:rule/r";
    bench.permit("f", "events.amazonaws.com", source);
    let got = bench.done("lambda", "GetPolicy", json!({ "FunctionName": "f" }));
    let policy: Value = serde_json::from_str(got["Policy"].as_str().unwrap()).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Principal"], json!({ "Service": "events.amazonaws.com" }));
    assert_eq!(statement["Condition"], json!({ "ArnLike": { "AWS:SourceArn": source } }));
    let remove = json!({ "FunctionName": "f", "StatementId": "one", "RevisionId": "stale" });
    assert_eq!(bench.refused("lambda", "RemovePermission", remove), "PreconditionFailedException");
    let remove = json!({ "FunctionName": "f", "StatementId": "one", "RevisionId": got["RevisionId"] });
    bench.done("lambda", "RemovePermission", remove);
    assert_eq!(
        bench.refused("lambda", "GetPolicy", json!({ "FunctionName": "f" })),
        "ResourceNotFoundException"
    );
}
