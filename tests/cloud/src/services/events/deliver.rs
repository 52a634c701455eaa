//! From the bus to the targets.

use serde_json::{Value, json};

use super::{arn, pattern, rules, transform};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{lambda, logs, sns, sqs};
use crate::time::iso_seconds;
use crate::timeline::Kind;

/// Gives an event to every target of every rule that takes it, in the order of their names.
pub fn arrived(cloud: &mut Cloud, event: &Value) {
    let rules = cloud.state.events.rules.iter();
    let taking = rules.filter(|(_, rule)| {
        rule.enabled && rule.pattern.as_ref().is_some_and(|p| pattern::matches(p, event))
    });
    let work: Vec<_> =
        taking.flat_map(|(name, rule)| rule.targets.iter().map(|t| (name.clone(), t.clone()))).collect();
    for (rule, target) in work {
        deliver(cloud, &rule, &target, event);
    }
}

pub fn due(cloud: &mut Cloud, name: &str, version: u64) {
    let rule = cloud.state.events.rules.get(name).filter(|rule| rule.version == version && rule.enabled);
    let Some(targets) = rule.map(|rule| rule.targets.clone()) else { return };
    let event = json!({
        "version": "0",
        "id": cloud.ids.uuid(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": cloud.settings.account,
        "time": iso_seconds(cloud.now),
        "region": cloud.region(),
        "resources": [arn(cloud, name)],
        "detail": {},
    });
    cloud.note(Kind::Event, format!("Scheduled Event {name}"), event.clone());
    for target in targets {
        deliver(cloud, name, &target, &event);
    }
    rules::schedule_next(cloud, name);
}

fn deliver(cloud: &mut Cloud, rule: &str, target: &Value, event: &Value) {
    let to = target["Arn"].as_str().unwrap_or_default().to_owned();
    let source = arn(cloud, rule);
    let text = transform::input(target, event, &transform::Rule { name: rule, arn: &source });
    let service = to.split(':').nth(2).unwrap_or_default();
    let outcome = match service {
        "lambda" => {
            let payload = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
            lambda::invoke_async(cloud, &to, "events.amazonaws.com", Some(&source), payload)
        }
        "sqs" => sqs::send(cloud, &to, &text).map(drop),
        "sns" => sns::publish(cloud, &to, None, &text).map(drop),
        _ => {
            let group = to.split(":log-group:").nth(1).unwrap_or_default().trim_end_matches(":*").to_owned();
            let stream = event["id"].as_str().unwrap_or_default().to_owned();
            logs::append(cloud, &group, &stream, std::slice::from_ref(&text));
            Ok(())
        }
    };
    if let Err(fault) = outcome {
        undelivered(cloud, rule, target, &to, event, &fault);
    }
}

/// To the target's dead-letter queue with the attributes that EventBridge adds, or lost.
///
/// Nothing here fails for a while only: a target or a permission is there or not, and these
/// EventBridge does not retry (user guide, "Using dead-letter queues"). So a target's
/// `RetryPolicy` has nothing to say.
fn undelivered(cloud: &mut Cloud, rule: &str, target: &Value, to: &str, event: &Value, fault: &Fault) {
    let code = match fault.shape.as_str() {
        "AccessDeniedException" => "NO_PERMISSIONS",
        "ResourceNotFoundException" | "QueueDoesNotExist" | "NotFoundException" => "NO_RESOURCE",
        other => other,
    };
    let text = |value: &str| json!({ "DataType": "String", "StringValue": value });
    let attributes = json!({
        "RULE_ARN": text(&arn(cloud, rule)), "TARGET_ARN": text(to), "ERROR_CODE": text(code),
        "ERROR_MESSAGE": text(&fault.message),
    });
    let queue = target["DeadLetterConfig"]["Arn"].as_str();
    let fate = match queue.map(|queue| sqs::send_with(cloud, queue, &event.to_string(), attributes)) {
        Some(Ok(_)) => "it is in the dead-letter queue".to_owned(),
        Some(Err(fault)) => format!("it is lost, for its dead-letter queue does not take it: {fault}"),
        None => "it is lost, for the target has no dead-letter queue".to_owned(),
    };
    let kept = fate.ends_with("in the dead-letter queue");
    let line = format!("rule {rule}: not delivered to {to}: {}; {fate}", fault.message);
    cloud.note(Kind::Event, line, json!({ "rule": rule, "target": to, "error": code, "kept": kept }));
}
