//! Queues as a client sees them, through the API.

use serde_json::{Value, json};

use crate::http::Request;
use crate::{Answer, Cloud, Fault, MINUTE, Ms, SECOND, Settings, Ticket};

struct Bench {
    cloud: Cloud,
    now: Ms,
}

impl Bench {
    fn new() -> Self {
        Self { cloud: Cloud::new(Settings::default(), 0), now: 0 }
    }

    fn call(&mut self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call("sqs", operation, input, self.now)
    }

    fn queue(&mut self, name: &str, attributes: Value) -> String {
        let made = self.call("CreateQueue", json!({ "QueueName": name, "Attributes": attributes }));
        made.unwrap()["QueueUrl"].as_str().unwrap().to_owned()
    }

    fn send(&mut self, url: &str, body: &str) {
        self.call("SendMessage", json!({ "QueueUrl": url, "MessageBody": body })).unwrap();
    }

    /// Body and receipt handle of each message that one call gets.
    fn receive(&mut self, url: &str) -> Vec<(String, String)> {
        let input = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 });
        let messages = self.call("ReceiveMessage", input).unwrap()["Messages"].take();
        let text = |m: &Value, name: &str| m[name].as_str().unwrap().to_owned();
        let messages = messages.as_array().cloned().unwrap_or_default();
        messages.iter().map(|m| (text(m, "Body"), text(m, "ReceiptHandle"))).collect()
    }

    fn bodies(&mut self, url: &str) -> Vec<String> {
        self.receive(url).into_iter().map(|(body, _)| body).collect()
    }

    fn attribute(&mut self, url: &str, name: &str) -> String {
        let input = json!({ "QueueUrl": url, "AttributeNames": [name] });
        self.call("GetQueueAttributes", input).unwrap()["Attributes"][name].as_str().unwrap().to_owned()
    }

    /// A request over the wire, whose answer may have to be waited for.
    fn ask(&mut self, operation: &str, input: &Value) -> Answer {
        let credential =
            "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/sqs/aws4_request, Signature=0";
        let request = Request {
            method: "POST".into(),
            target: "/".into(),
            headers: vec![
                ("authorization".into(), credential.into()),
                ("x-amz-target".into(), format!("AmazonSQS.{operation}")),
            ],
            body: input.to_string().into_bytes(),
        };
        self.cloud.handle(&request, self.now)
    }

    fn poll(&mut self, url: &str) -> Ticket {
        match self.ask("ReceiveMessage", &json!({ "QueueUrl": url, "WaitTimeSeconds": 20 })) {
            Answer::Pending(ticket) => ticket,
            Answer::Ready(answer) => panic!("answered at once: {answer:?}"),
        }
    }

    fn taken(&mut self, ticket: Ticket) -> Option<Value> {
        self.cloud.advance(self.now);
        self.cloud.take(ticket).map(|answer| serde_json::from_slice(&answer.body).unwrap())
    }
}

fn shape(result: Result<Value, Fault>) -> String {
    result.unwrap_err().shape
}

#[test]
fn a_received_message_is_hidden_until_its_visibility_timeout_and_gone_once_deleted() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({ "VisibilityTimeout": "10" }));
    bench.send(&url, "one");
    assert_eq!(bench.bodies(&url), ["one"]);
    assert_eq!(bench.attribute(&url, "ApproximateNumberOfMessagesNotVisible"), "1");
    bench.now = 9 * SECOND;
    assert!(bench.receive(&url).is_empty());
    bench.now = 10 * SECOND;
    let handle = bench.receive(&url).remove(0).1;
    bench.call("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": handle })).unwrap();
    bench.now = MINUTE;
    assert!(bench.receive(&url).is_empty());
}

#[test]
fn visibility_is_changed_by_the_newest_handle_and_only_while_the_message_is_in_flight() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({ "VisibilityTimeout": "10" }));
    bench.send(&url, "one");
    let old = bench.receive(&url).remove(0).1;
    let change = |handle: &str, seconds: u64| json!({ "QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": seconds });
    bench.call("ChangeMessageVisibility", change(&old, 60)).unwrap();
    bench.now = 59 * SECOND;
    assert!(bench.receive(&url).is_empty());
    bench.now = 60 * SECOND;
    assert_eq!(shape(bench.call("ChangeMessageVisibility", change(&old, 5))), "MessageNotInflight");
    let new = bench.receive(&url).remove(0).1;
    assert_eq!(shape(bench.call("ChangeMessageVisibility", change(&old, 0))), "MessageNotInflight");
    assert!(bench.receive(&url).is_empty());
    bench.call("ChangeMessageVisibility", change(&new, 0)).unwrap();
    assert_eq!(bench.bodies(&url), ["one"]);
    let far = bench.call("ChangeMessageVisibility", change(&new, 43_201));
    assert_eq!(shape(far), "InvalidParameterValueException");
    assert_eq!(shape(bench.call("ChangeMessageVisibility", change("x", 1))), "ReceiptHandleIsInvalid");
}

#[test]
fn a_handle_from_before_the_timeout_does_not_delete_what_another_has_received() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({ "VisibilityTimeout": "10" }));
    bench.send(&url, "one");
    let old = bench.receive(&url).remove(0).1;
    bench.now = 10 * SECOND;
    assert_eq!(bench.bodies(&url), ["one"]);
    bench.call("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": old })).unwrap();
    bench.now = 20 * SECOND;
    assert_eq!(bench.bodies(&url), ["one"]);
}

#[test]
fn a_message_received_too_often_goes_to_the_dead_letter_queue_and_says_from_where() {
    let mut bench = Bench::new();
    let dead = bench.queue("dead", json!({}));
    let arn = bench.attribute(&dead, "QueueArn");
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 2 }).to_string();
    let url = bench.queue("q", json!({ "VisibilityTimeout": "0", "RedrivePolicy": policy }));
    bench.send(&url, "poison");
    assert_eq!(bench.bodies(&url), ["poison"]);
    assert_eq!(bench.bodies(&url), ["poison"]);
    assert!(bench.receive(&url).is_empty());
    let input = json!({ "QueueUrl": dead, "MessageSystemAttributeNames": ["All"] });
    let message = bench.call("ReceiveMessage", input).unwrap()["Messages"][0].take();
    assert_eq!(message["Body"], "poison");
    let source = bench.attribute(&url, "QueueArn");
    assert_eq!(message["Attributes"]["DeadLetterQueueSourceArn"], source.as_str());
    let sources = bench.call("ListDeadLetterSourceQueues", json!({ "QueueUrl": dead })).unwrap();
    assert_eq!(sources["queueUrls"], json!([url]));
}

#[test]
fn a_message_whose_dead_letter_queue_is_gone_is_not_lost() {
    let mut bench = Bench::new();
    let dead = bench.queue("dead", json!({}));
    let arn = bench.attribute(&dead, "QueueArn");
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 1 }).to_string();
    let url = bench.queue("q", json!({ "VisibilityTimeout": "0", "RedrivePolicy": policy }));
    bench.send(&url, "poison");
    bench.call("DeleteQueue", json!({ "QueueUrl": dead })).unwrap();
    assert_eq!(bench.bodies(&url), ["poison"]);
    assert_eq!(bench.bodies(&url), ["poison"]);
}

#[test]
fn a_dead_letter_queue_that_is_not_there_or_refuses_is_not_accepted() {
    let mut bench = Bench::new();
    let dead = bench.queue("dead", json!({ "RedriveAllowPolicy": "{\"redrivePermission\":\"denyAll\"}" }));
    let arn = bench.attribute(&dead, "QueueArn");
    for target in [arn, "arn:aws:sqs:us-east-1:123456789012:nothing".into()] {
        let policy = json!({ "deadLetterTargetArn": target, "maxReceiveCount": 1 }).to_string();
        let made = json!({ "QueueName": "q", "Attributes": { "RedrivePolicy": policy } });
        assert_eq!(shape(bench.call("CreateQueue", made)), "InvalidParameterValueException");
    }
}

#[test]
fn a_long_poll_is_answered_by_the_message_that_arrives_or_empty_when_its_time_is_over() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({}));
    let (first, second) = (bench.poll(&url), bench.poll(&url));
    bench.now = 5 * SECOND;
    assert_eq!(bench.taken(first), None);
    bench.send(&url, "one");
    assert_eq!(bench.taken(first).unwrap()["Messages"][0]["Body"], "one");
    bench.now = 20 * SECOND - 1;
    assert_eq!(bench.taken(second), None);
    bench.now = 20 * SECOND;
    assert_eq!(bench.taken(second), Some(json!({})));
}

#[test]
fn a_refused_receive_hides_nothing() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({}));
    bench.send(&url, "one");
    for (member, value) in [("WaitTimeSeconds", 21), ("MaxNumberOfMessages", 11), ("VisibilityTimeout", -1)] {
        let refused = bench.call("ReceiveMessage", json!({ "QueueUrl": url, member: value }));
        assert_eq!(shape(refused), "InvalidParameterValueException", "{member}");
    }
    assert_eq!(bench.bodies(&url), ["one"]);
}

#[test]
fn messages_are_delayed_and_expire() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({ "MessageRetentionPeriod": "60", "DelaySeconds": "5" }));
    bench.send(&url, "one");
    bench.now = 4 * SECOND;
    assert!(bench.receive(&url).is_empty());
    assert_eq!(bench.attribute(&url, "ApproximateNumberOfMessagesDelayed"), "1");
    bench.now = 60 * SECOND;
    assert_eq!(bench.attribute(&url, "ApproximateNumberOfMessages"), "0");
    assert!(bench.receive(&url).is_empty());
}

#[test]
fn each_entry_of_a_batch_has_its_own_outcome() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({}));
    let entries = json!([
        { "Id": "good", "MessageBody": "one" }, { "Id": "bad", "MessageBody": "two", "DelaySeconds": 901 },
    ]);
    let sent = bench.call("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).unwrap();
    assert_eq!(sent["Successful"][0]["Id"], "good");
    assert_eq!(sent["Failed"][0]["Id"], "bad");
    assert_eq!(sent["Failed"][0]["Code"], "InvalidParameterValue");
    assert_eq!(bench.bodies(&url), ["one"]);
    let twice = json!([{ "Id": "a", "MessageBody": "1" }, { "Id": "a", "MessageBody": "2" }]);
    let refused = bench.call("SendMessageBatch", json!({ "QueueUrl": url, "Entries": twice }));
    assert_eq!(shape(refused), "BatchEntryIdsNotDistinct");
    let dotted = json!([{ "Id": "a.b", "MessageBody": "1" }]);
    let refused = bench.call("SendMessageBatch", json!({ "QueueUrl": url, "Entries": dotted }));
    assert_eq!(shape(refused), "InvalidBatchEntryId");
}

#[test]
fn a_queue_is_made_once_and_another_by_its_name_is_refused() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({ "DelaySeconds": "5" }));
    assert_eq!(url, "http://127.0.0.1/123456789012/q");
    for same in
        [json!({}), json!({ "DelaySeconds": "5", "VisibilityTimeout": "30", "SqsManagedSseEnabled": "true" })]
    {
        assert_eq!(bench.queue("q", same), url);
    }
    let other = json!({ "QueueName": "q", "Attributes": { "DelaySeconds": "6" } });
    assert_eq!(shape(bench.call("CreateQueue", other)), "QueueNameExists");
    let fifo = json!({ "QueueName": "q.fifo", "Attributes": { "FifoQueue": "true" } });
    assert_eq!(shape(bench.call("CreateQueue", fifo)), "NotModelled");
}

#[test]
fn a_queue_that_is_not_there_has_the_code_that_clients_know() {
    let mut bench = Bench::new();
    bench.queue("q", json!({}));
    for url in ["http://127.0.0.1/123456789012/nothing", "http://127.0.0.1/210987654321/q"] {
        let Answer::Ready(answer) = bench.ask("ReceiveMessage", &json!({ "QueueUrl": url })) else {
            panic!("waits for {url}");
        };
        let header = answer.headers.iter().find(|(name, _)| name == "x-amzn-query-error").unwrap();
        assert_eq!(
            (answer.status, header.1.as_str()),
            (400, "AWS.SimpleQueueService.NonExistentQueue;Sender")
        );
    }
}

#[test]
fn a_queue_is_purged_once_a_minute() {
    let mut bench = Bench::new();
    let url = bench.queue("q", json!({}));
    bench.send(&url, "one");
    bench.call("PurgeQueue", json!({ "QueueUrl": url })).unwrap();
    assert!(bench.receive(&url).is_empty());
    assert_eq!(shape(bench.call("PurgeQueue", json!({ "QueueUrl": url }))), "PurgeQueueInProgress");
    bench.now = MINUTE;
    bench.call("PurgeQueue", json!({ "QueueUrl": url })).unwrap();
}
