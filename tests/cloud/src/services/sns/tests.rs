//! Topics at work: who gets a message, in what form, and what happens to what cannot arrive.

use serde_json::{Value, json};

use crate::services::lambda::bench::{Bench, succeeds};

fn sample(name: &str) -> Value {
    let path = format!("{}/../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn names(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

impl Bench {
    fn topic(&mut self) -> String {
        self.done("sns", "CreateTopic", json!({ "Name": "t" }))["TopicArn"].as_str().unwrap().to_owned()
    }

    fn subscribed(&mut self, topic: &str, protocol: &str, endpoint: &str, attributes: Value) -> String {
        let input = json!({ "TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint, "Attributes": attributes });
        self.done("sns", "Subscribe", input)["SubscriptionArn"].as_str().unwrap().to_owned()
    }

    fn publish(&mut self, topic: &str, more: Value) {
        let mut input = json!({ "TopicArn": topic, "Message": "hello" });
        for (member, value) in more.as_object().into_iter().flatten() {
            input[member] = value.clone();
        }
        self.done("sns", "Publish", input);
        self.until(self.now);
    }
}

fn attribute(kind: &str, value: &str) -> Value {
    json!({ "DataType": kind, "StringValue": value })
}

#[test]
fn a_queue_gets_the_envelope_letter_by_letter_as_sns_writes_it() {
    let mut bench = Bench::new();
    let (topic, (url, queue)) = (bench.topic(), bench.queue("q", json!({})));
    let subscription = bench.subscribed(&topic, "sqs", &queue, json!({}));
    bench.publish(&topic, json!({ "Message": "{\"a\": \"b\"}" }));
    let got = bench.messages(&url).remove(0)["Body"].as_str().unwrap().to_owned();
    let real = sample("sqs-sns-envelope")["Records"][0]["body"].as_str().unwrap().to_owned();
    // What stands before each value is the same text, line by line.
    let frame = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(" : ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(frame(&got), frame(&real));
    let parsed: Value = serde_json::from_str(&got).unwrap();
    assert_eq!(parsed["Message"], "{\"a\": \"b\"}");
    assert!(parsed["UnsubscribeURL"].as_str().unwrap().ends_with(&subscription));
}

#[test]
fn subject_and_attributes_are_in_the_envelope_where_they_are_given() {
    let mut bench = Bench::new();
    let (topic, (url, queue)) = (bench.topic(), bench.queue("q", json!({})));
    bench.subscribed(&topic, "sqs", &queue, json!({}));
    let attributes = json!({ "one": attribute("String", "1"), "two": attribute("Number", "2") });
    bench.publish(&topic, json!({ "Subject": "about", "MessageAttributes": attributes }));
    let body = bench.bodies(&url).remove(0);
    assert_eq!(body["Subject"], "about");
    let expected =
        json!({ "one": { "Type": "String", "Value": "1" }, "two": { "Type": "Number", "Value": "2" } });
    assert_eq!(body["MessageAttributes"], expected);
}

#[test]
fn raw_delivery_gives_the_message_and_its_attributes_bare() {
    let mut bench = Bench::new();
    let (topic, (url, queue)) = (bench.topic(), bench.queue("q", json!({})));
    bench.subscribed(&topic, "sqs", &queue, json!({ "RawMessageDelivery": "true" }));
    bench.publish(&topic, json!({ "MessageAttributes": { "kind": attribute("String", "x") } }));
    let message = bench.messages(&url).remove(0);
    assert_eq!(message["Body"], "hello");
    assert_eq!(message["MessageAttributes"]["kind"]["StringValue"], "x");
}

#[test]
fn a_function_gets_a_record_if_its_policy_lets_the_topic_and_nothing_without() {
    let mut bench = Bench::new();
    let topic = bench.topic();
    let (dead, dead_arn) = bench.queue("dead", json!({}));
    let function = bench.function("f", Some(succeeds), json!({}));
    let redrive = json!({ "deadLetterTargetArn": dead_arn }).to_string();
    let subscription = bench.subscribed(&topic, "lambda", &function, json!({ "RedrivePolicy": redrive }));
    bench.publish(&topic, json!({}));
    assert!(bench.runs.is_empty());
    assert!(bench.noted("no permission: the policy of function f does not let sns.amazonaws.com"));
    assert_eq!(bench.bodies(&dead).remove(0)["Message"], "hello");
    bench.permit("f", "sns.amazonaws.com", &topic);
    bench.publish(&topic, json!({}));
    assert!(bench.messages(&dead).is_empty());
    let record = &bench.runs[0].payload["Records"][0];
    let real = &sample("sns-cloudwatch-alarm-single-metric")["Records"][0];
    assert_eq!(record["EventSubscriptionArn"], subscription.as_str());
    assert_eq!(names(record), names(real));
    let lower = |value: &Value| {
        names(value).iter().map(|name| name.to_lowercase()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(lower(&record["Sns"]), lower(&real["Sns"]));
    assert_eq!((&record["Sns"]["Subject"], &record["Sns"]["MessageAttributes"]), (&Value::Null, &json!({})));
}

#[test]
fn filters_let_through_what_they_name_by_attributes_or_by_the_body() {
    let by_attributes = json!({ "store": ["a"], "price": [{ "numeric": [">", 10] }] }).to_string();
    let by_body = json!({ "state": { "value": ["ALARM"] } }).to_string();
    let attributes = |store: &str, price: &str| json!({ "MessageAttributes": { "store": attribute("String", store), "price": attribute("Number", price) } });
    let any_of = json!({ "MessageAttributes": {
        "store": attribute("String.Array", "[\"x\", \"a\"]"), "price": attribute("Number", "11"),
    }});
    let table = [
        (json!({ "FilterPolicy": by_attributes }), attributes("a", "11"), true),
        (json!({ "FilterPolicy": by_attributes }), attributes("a", "10"), false),
        (json!({ "FilterPolicy": by_attributes }), attributes("b", "11"), false),
        (json!({ "FilterPolicy": by_attributes }), any_of, true),
        (json!({ "FilterPolicy": by_attributes }), json!({}), false),
        (
            json!({ "FilterPolicy": by_body, "FilterPolicyScope": "MessageBody" }),
            json!({ "Message": "{\"state\": {\"value\": \"ALARM\"}}" }),
            true,
        ),
        (
            json!({ "FilterPolicy": by_body, "FilterPolicyScope": "MessageBody" }),
            json!({ "Message": "{\"state\": {\"value\": \"OK\"}}" }),
            false,
        ),
        (
            json!({ "FilterPolicy": by_body, "FilterPolicyScope": "MessageBody" }),
            json!({ "Message": "no JSON" }),
            false,
        ),
    ];
    for (filter, message, expected) in table {
        let mut bench = Bench::new();
        let (topic, (url, queue)) = (bench.topic(), bench.queue("q", json!({})));
        bench.subscribed(&topic, "sqs", &queue, filter.clone());
        bench.publish(&topic, message.clone());
        assert_eq!(bench.messages(&url).len(), usize::from(expected), "{filter} {message}");
    }
}

#[test]
fn each_protocol_gets_its_own_text_and_mail_is_seen_in_the_timeline() {
    let mut bench = Bench::new();
    let (topic, (url, queue)) = (bench.topic(), bench.queue("q", json!({})));
    bench.subscribed(&topic, "sqs", &queue, json!({ "RawMessageDelivery": "true" }));
    bench.subscribed(&topic, "email", "ops@example.com", json!({}));
    let texts = json!({ "default": "for all", "email": "for mail" }).to_string();
    bench.publish(&topic, json!({ "Message": texts, "MessageStructure": "json", "Subject": "about" }));
    assert_eq!(bench.messages(&url).remove(0)["Body"], "for all");
    let mail = bench.cloud.timeline().iter().find(|entry| entry.text.starts_with("mail to")).unwrap();
    assert_eq!(mail.data, json!({ "to": "ops@example.com", "subject": "about", "text": "for mail" }));
    let bare = json!({ "TopicArn": topic, "Message": "{\"email\": \"x\"}", "MessageStructure": "json" });
    assert_eq!(bench.refused("sns", "Publish", bare), "InvalidParameterException");
}

#[test]
fn posts_go_to_this_machine_and_to_no_other() {
    let mut bench = Bench::new();
    let topic = bench.topic();
    bench.subscribed(&topic, "http", "http://127.0.0.1:9000/hook", json!({}));
    bench.publish(&topic, json!({ "Subject": "about" }));
    let (url, headers, body) = bench.posts.remove(0);
    assert_eq!(url, "http://127.0.0.1:9000/hook");
    assert!(headers.contains(&("x-amz-sns-message-type".into(), "Notification".into())));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["Subject"], "about");
    for endpoint in
        ["http://example.com/hook", "http://127.0.0.1.example.com/", "http://localhost@example.com/"]
    {
        let input = json!({ "TopicArn": topic, "Protocol": "http", "Endpoint": endpoint });
        assert_eq!(bench.refused("sns", "Subscribe", input), "NotModelled", "{endpoint}");
    }
}

#[test]
fn whoever_has_unsubscribed_gets_nothing_more() {
    let mut bench = Bench::new();
    let (topic, (url, queue)) = (bench.topic(), bench.queue("q", json!({})));
    let arn = bench.subscribed(&topic, "sqs", &queue, json!({}));
    assert_eq!(bench.subscribed(&topic, "sqs", &queue, json!({})), arn);
    bench.publish(&topic, json!({}));
    assert_eq!(bench.messages(&url).len(), 1);
    bench.done("sns", "Unsubscribe", json!({ "SubscriptionArn": arn }));
    bench.publish(&topic, json!({}));
    assert!(bench.messages(&url).is_empty());
}

#[test]
fn what_a_topic_or_subscription_cannot_have_is_refused_and_changes_nothing() {
    let mut bench = Bench::new();
    let (topic, (_, queue)) = (bench.topic(), bench.queue("q", json!({})));
    let fifo = json!({ "Name": "t.fifo", "Attributes": { "FifoTopic": "true" } });
    assert_eq!(bench.refused("sns", "CreateTopic", fifo), "NotModelled");
    let arn = bench.subscribed(&topic, "sqs", &queue, json!({}));
    for (name, value, expected) in [
        ("FilterPolicy", "{\"a\": \"x\"}", "InvalidParameterException"),
        ("FilterPolicy", "{\"a\": {\"b\": [\"x\"]}}", "InvalidParameterException"),
        ("RawMessageDelivery", "yes", "InvalidParameterException"),
        ("RedrivePolicy", "{\"deadLetterTargetArn\": \"arn:aws:sns:a:b:c\"}", "InvalidParameterException"),
        ("DeliveryPolicy", "{}", "NotModelled"),
    ] {
        let input = json!({ "SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value });
        assert_eq!(bench.refused("sns", "SetSubscriptionAttributes", input), expected, "{name} {value}");
    }
    let got = bench.done("sns", "GetSubscriptionAttributes", json!({ "SubscriptionArn": arn }));
    assert_eq!(got["Attributes"]["RawMessageDelivery"], "false");
    assert_eq!(got["Attributes"].get("FilterPolicy"), None);
    let got = bench.done("sns", "GetTopicAttributes", json!({ "TopicArn": topic }));
    assert_eq!(got["Attributes"]["SubscriptionsConfirmed"], "1");
    assert!(got["Attributes"]["Policy"].as_str().unwrap().contains("SNS:Publish"));
    let message = "x".repeat(262_145);
    let input = json!({ "TopicArn": topic, "Message": message });
    assert_eq!(bench.refused("sns", "Publish", input), "InvalidParameterException");
}
