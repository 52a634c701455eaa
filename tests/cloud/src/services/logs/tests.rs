//! Logs as `aws logs` and its pagers read them.

use serde_json::{Value, json};

use super::append;
use crate::services::ecr::kit::Kit;
use crate::time::{DAY, HOUR, SECOND};

impl Kit {
    fn logs(&mut self, operation: &str, mut input: Value) -> Value {
        input["logGroupName"] = json!("/app");
        self.ok("logs", operation, &input)
    }

    fn logs_fault(&mut self, operation: &str, mut input: Value) -> String {
        input["logGroupName"] = json!("/app");
        self.fault("logs", operation, &input)
    }

    /// A group with a stream `s` of these messages, a second apart.
    fn with_events(messages: &[&str]) -> Self {
        let mut kit = Self::new();
        kit.logs("CreateLogGroup", json!({}));
        kit.logs("CreateLogStream", json!({ "logStreamName": "s" }));
        for message in messages {
            let event = json!({ "timestamp": kit.now, "message": message });
            kit.logs("PutLogEvents", json!({ "logStreamName": "s", "logEvents": [event] }));
            kit.wait(SECOND);
        }
        kit
    }
}

fn messages(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect()
}

#[test]
fn reading_on_at_the_end_gives_the_same_token_until_something_new_comes() {
    let mut kit = Kit::with_events(&["a", "b", "c"]);
    let ask = |token: &Value| json!({ "logStreamName": "s", "limit": 2, "startFromHead": true, "nextToken": token });
    let first = kit.logs("GetLogEvents", ask(&Value::Null));
    assert_eq!(messages(&first), ["a", "b"]);
    let second = kit.logs("GetLogEvents", ask(&first["nextForwardToken"]));
    assert_eq!(messages(&second), ["c"]);
    let end = kit.logs("GetLogEvents", ask(&second["nextForwardToken"]));
    assert!(messages(&end).is_empty());
    assert_eq!(end["nextForwardToken"], second["nextForwardToken"]);
    append(&mut kit.cloud, "/app", "s", &["d".into(), String::new()]);
    assert_eq!(messages(&kit.logs("GetLogEvents", ask(&end["nextForwardToken"]))), ["d"]);
    // And back over all of it.
    let back = kit.logs("GetLogEvents", ask(&end["nextBackwardToken"]));
    assert_eq!(messages(&back), ["b", "c"]);
    let start = kit.logs("GetLogEvents", ask(&back["nextBackwardToken"]));
    assert_eq!(messages(&start), ["a"]);
    let before = kit.logs("GetLogEvents", ask(&start["nextBackwardToken"]));
    assert_eq!((messages(&before).len(), &before["nextBackwardToken"]), (0, &start["nextBackwardToken"]));
}

#[test]
fn without_start_from_head_the_newest_come_first_in_their_order() {
    let mut kit = Kit::with_events(&["a", "b", "c"]);
    let newest = kit.logs("GetLogEvents", json!({ "logStreamName": "s", "limit": 2 }));
    assert_eq!(messages(&newest), ["b", "c"]);
    let back = json!({ "logStreamName": "s", "nextToken": newest["nextBackwardToken"] });
    assert_eq!(messages(&kit.logs("GetLogEvents", back)), ["a"]);
    let start = kit.now - 2 * SECOND;
    let range = json!({ "logStreamName": "s", "startTime": start, "endTime": start + SECOND });
    assert_eq!(messages(&kit.logs("GetLogEvents", range)), ["b"]);
}

#[test]
fn filters_are_terms_phrases_alternatives_and_exclusions() {
    let mut kit = Kit::with_events(&["ERROR one", "WARN two", "ERROR three: disk full"]);
    append(&mut kit.cloud, "/app", "t", &["error four".into()]);
    for (pattern, found) in [
        ("", vec!["ERROR one", "WARN two", "ERROR three: disk full", "error four"]),
        ("ERROR", vec!["ERROR one", "ERROR three: disk full"]),
        ("ERROR \"disk full\"", vec!["ERROR three: disk full"]),
        ("?WARN ?four", vec!["WARN two", "error four"]),
        ("ERROR -disk", vec!["ERROR one"]),
    ] {
        let answer = kit.logs("FilterLogEvents", json!({ "filterPattern": pattern }));
        assert_eq!(messages(&answer), found, "{pattern}");
    }
    assert_eq!(kit.logs_fault("FilterLogEvents", json!({ "filterPattern": "{ $.a = 1 }" })), "NotModelled");
    assert_eq!(
        kit.logs_fault("FilterLogEvents", json!({ "filterPattern": "a:b" })),
        "InvalidParameterException"
    );
    let first = kit.logs("FilterLogEvents", json!({ "limit": 3, "logStreamNamePrefix": "s" }));
    assert_eq!((messages(&first).len(), first.get("nextToken")), (3, None));
    let first = kit.logs("FilterLogEvents", json!({ "limit": 3 }));
    let rest = kit.logs("FilterLogEvents", json!({ "limit": 3, "nextToken": first["nextToken"] }));
    assert_eq!((messages(&rest), rest.get("nextToken")), (vec!["error four"], None));
}

#[test]
fn events_out_of_time_are_rejected_one_by_one_and_a_batch_out_of_order_whole() {
    let mut kit = Kit::with_events(&[]);
    let now = kit.now;
    let put = |times: &[u64]| {
        let events: Vec<_> = times.iter().map(|at| json!({ "timestamp": at, "message": "m" })).collect();
        json!({ "logStreamName": "s", "logEvents": events })
    };
    let answer = kit.logs("PutLogEvents", put(&[now, now + 3 * HOUR]));
    assert_eq!(answer["rejectedLogEventsInfo"], json!({ "tooNewLogEventStartIndex": 1 }));
    let answer = kit.logs("PutLogEvents", put(&[now - 14 * DAY - 1, now - 14 * DAY]));
    assert_eq!(answer["rejectedLogEventsInfo"], json!({ "tooOldLogEventEndIndex": 1 }));
    assert_eq!(kit.logs_fault("PutLogEvents", put(&[now, now - 1])), "InvalidParameterException");
    assert_eq!(kit.logs_fault("PutLogEvents", put(&[now - 2 * DAY, now])), "InvalidParameterException");
    let read = kit.logs("GetLogEvents", json!({ "logStreamName": "s" }));
    assert_eq!(messages(&read).len(), 2);
}

#[test]
fn what_outlives_its_retention_is_gone() {
    let mut kit = Kit::with_events(&["old"]);
    assert_eq!(
        kit.logs_fault("PutRetentionPolicy", json!({ "retentionInDays": 2 })),
        "InvalidParameterException"
    );
    kit.logs("PutRetentionPolicy", json!({ "retentionInDays": 3 }));
    kit.wait(2 * DAY);
    append(&mut kit.cloud, "/app", "s", &["new".into()]);
    assert_eq!(messages(&kit.logs("FilterLogEvents", json!({}))), ["old", "new"]);
    kit.wait(DAY);
    assert_eq!(messages(&kit.logs("FilterLogEvents", json!({}))), ["new"]);
    let groups = kit.ok("logs", "DescribeLogGroups", &json!({ "logGroupNamePrefix": "/a" }));
    assert_eq!(groups["logGroups"][0]["storedBytes"], 29);
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 3);
}

#[test]
fn streams_are_listed_by_name_or_last_event_in_pages() {
    let mut kit = Kit::with_events(&[]);
    for stream in ["b", "a"] {
        append(&mut kit.cloud, "/app", stream, &["x".into()]);
        kit.wait(SECOND);
    }
    let names = |answer: &Value| -> Vec<String> {
        let streams = answer["logStreams"].as_array().unwrap();
        streams.iter().map(|s| s["logStreamName"].as_str().unwrap().to_owned()).collect()
    };
    let by_time =
        kit.logs("DescribeLogStreams", json!({ "orderBy": "LastEventTime", "descending": true, "limit": 2 }));
    assert_eq!(names(&by_time)[0], "a");
    let rest = json!({ "orderBy": "LastEventTime", "descending": true, "nextToken": by_time["nextToken"] });
    assert_eq!(names(&kit.logs("DescribeLogStreams", rest)).len(), 1);
    assert_eq!(names(&kit.logs("DescribeLogStreams", json!({}))), ["a", "b", "s"]);
    assert_eq!(
        kit.logs_fault("CreateLogStream", json!({ "logStreamName": "s" })),
        "ResourceAlreadyExistsException"
    );
    assert_eq!(kit.logs_fault("GetLogEvents", json!({ "logStreamName": "z" })), "ResourceNotFoundException");
    kit.logs("DeleteLogGroup", json!({}));
    assert_eq!(kit.logs_fault("DescribeLogStreams", json!({})), "ResourceNotFoundException");
}
