//! What leads to the functions: rules on AWS's events, and the way of messages from the topic
//! through a queue to `notify`.

use serde_json::{Value, json};

use crate::functions::{ALARM, FUNCTION, HOOK, NOTIFY, STATE, TIMEOUT};
use crate::scene::Scene;

/// Where messages go.
pub struct Messages {
    pub topic: Value,
    /// Name of the secret with Slack's token.
    pub secret: &'static str,
    queue: Value,
}

pub const QUEUE: &str = "sluice-messages";
pub const UNDELIVERABLE: &str = "sluice-undeliverable";

/// The topic, the queue that subscribes to it, its dead-letter queue, and Slack's token.
pub fn messages(scene: &mut Scene) -> anyhow::Result<Messages> {
    let secret = "sluice/slack";
    let token = json!({ "token": cloud::slack::TOKEN }).to_string();
    let created = json!({
        "Name": secret, "SecretString": token, "ClientRequestToken": "7d3c1f6e-52a8-4b0e-9c47-1e6a0f2b8d95",
    });
    scene.call("secretsmanager", "CreateSecret", created)?;
    let dead = queue(scene, UNDELIVERABLE, &json!({}))?;
    let redrive = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": 600 });
    // As README says: six times the function's timeout, which is real time, on the cloud's clock.
    let visibility = (6.0 * f64::from(TIMEOUT) * scene.speed).round();
    let attributes = json!({
        "VisibilityTimeout": format!("{visibility}"), "RedrivePolicy": redrive.to_string(),
    });
    let queue = queue(scene, QUEUE, &attributes)?;
    let topic = scene.call("sns", "CreateTopic", json!({ "Name": "sluice" }))?["TopicArn"].clone();
    let subscribed = json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue });
    scene.call("sns", "Subscribe", subscribed)?;
    Ok(Messages { topic, secret, queue })
}

/// Gives its ARN.
fn queue(scene: &mut Scene, name: &str, attributes: &Value) -> anyhow::Result<Value> {
    scene.call("sqs", "CreateQueue", json!({ "QueueName": name, "Attributes": attributes }))?;
    scene.attribute(name, "QueueArn")
}

impl Messages {
    pub fn lead_to_notify(&self, scene: &mut Scene) -> anyhow::Result<()> {
        one_at_a_time(scene, NOTIFY)?;
        let mapping = json!({
            "FunctionName": NOTIFY, "EventSourceArn": self.queue,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        });
        scene.call("lambda", "CreateEventSourceMapping", mapping).map(drop)
    }
}

/// Later events wait: Lambda tries them again after one second, two, four.
fn one_at_a_time(scene: &mut Scene, function: &str) -> anyhow::Result<()> {
    let one = json!({ "FunctionName": function, "ReservedConcurrentExecutions": 1 });
    scene.call("lambda", "PutFunctionConcurrency", one).map(drop)
}

/// Each function is woken by the events that it is for.
pub fn rules(scene: &mut Scene) -> anyhow::Result<()> {
    // The end of a release and that of its rollback are two seconds apart, less than the function
    // takes on this clock: handled side by side, both would be counted.
    one_at_a_time(scene, STATE)?;
    let pushed = json!({
        "source": ["aws.ecr"], "detail-type": ["ECR Image Action"],
        "detail": { "action-type": ["PUSH"], "result": ["SUCCESS"] },
    });
    let scanned = json!({ "source": ["aws.ecr"], "detail-type": ["ECR Image Scan"] });
    let check_ended = json!({
        "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
        "detail": { "lastStatus": ["STOPPED"], "startedBy": [{ "prefix": "sluice/" }] },
    });
    let red = json!({
        "source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"],
        "detail": { "state": { "value": ["ALARM"] } },
    });
    let by_codedeploy = json!({
        "source": ["aws.codedeploy"], "detail-type": ["CodeDeploy Deployment State-change Notification"],
    });
    let by_ecs = json!({ "source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"] });
    rule(scene, "pushed", &pushed, FUNCTION)?;
    rule(scene, "scanned", &scanned, FUNCTION)?;
    rule(scene, "check-ended", &check_ended, HOOK)?;
    rule(scene, "alarm-red", &red, ALARM)?;
    rule(scene, "codedeploy-state", &by_codedeploy, STATE)?;
    rule(scene, "ecs-state", &by_ecs, STATE)
}

fn rule(scene: &mut Scene, name: &str, pattern: &Value, function: &str) -> anyhow::Result<()> {
    let known = scene.call("lambda", "GetFunction", json!({ "FunctionName": function }))?;
    let rule = json!({ "Name": name, "EventPattern": pattern.to_string() });
    let rule = scene.call("events", "PutRule", rule)?["RuleArn"].clone();
    let permission = json!({
        "FunctionName": function, "StatementId": name, "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com", "SourceArn": rule,
    });
    scene.call("lambda", "AddPermission", permission)?;
    let target = json!({ "Id": function, "Arn": known["Configuration"]["FunctionArn"] });
    let answer = scene.call("events", "PutTargets", json!({ "Rule": name, "Targets": [target] }))?;
    anyhow::ensure!(answer["FailedEntryCount"] == 0, "the rule {name} has no target: {answer}");
    Ok(())
}
