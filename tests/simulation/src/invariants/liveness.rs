//! What must happen, and until when.

use cloud::{MINUTE, Ms};
use serde_json::json;

use super::seen::{Became, Seen, Start};
use super::soon;
use crate::account::{Account, SERVICES};
use crate::step::Image;

type Holds = Result<(), String>;

/// A sweep comes within this time, and the next one.
const FAIR: Ms = 15 * MINUTE;

/// How often the rollback that an alarm asks for was given the time of a canary and the end
/// of the old tasks.
const ROLLED: Ms = 15 * MINUTE;

pub fn in_time(seen: &Seen, _: &Account) -> Holds {
    let late = |error: &str| error.contains("within one hour");
    // Where its event is lost and sweeps are kept from AWS as well, nobody can report.
    let fair = |since: Ms| seen.fair_since + FAIR < since;
    let mut deployments = seen.deployments.iter();
    match deployments.find(|(_, deployment)| late(&deployment.error) && fair(deployment.since)) {
        Some((id, deployment)) => Err(format!("{id}: {}", deployment.error)),
        None => Ok(()),
    }
}

/// An alarm that went red during a release, or within its watch, has ended it, or somebody was
/// told.
pub fn taken_back(seen: &Seen, account: &Account) -> Holds {
    let now = account.now();
    for start in seen.releases() {
        let changes = seen.alarms.get(&start.service).map(Vec::as_slice).unwrap_or_default();
        let red = changes.iter().find(|(at, became)| {
            *became == Became::Red && *at > start.at + super::READ && *at < until(seen, start)
        });
        let Some((red, _)) = red else { continue };
        let due = (*red).max(seen.fair_since) + soon(account) + ROLLED;
        if now < due || serves_other(seen, start) || superseded(seen, start) || told(seen, *red) {
            continue;
        }
        return Err(format!(
            "{} of {} serves, and its alarm went red at {red}",
            start.revision, start.service
        ));
    }
    Ok(())
}

/// Until when an alarm counts against a release.
fn until(seen: &Seen, start: &Start) -> Ms {
    match seen.deployment_of(start) {
        Some(deployment) if deployment.is_active() => Ms::MAX,
        Some(deployment) if deployment.status == "Succeeded" => {
            (deployment.since + seen.watch).saturating_sub(5_000)
        }
        Some(deployment) => deployment.since,
        // ECS tells no end: at least so long.
        None => start.at + seen.watch.min(60_000),
    }
}

fn serves_other(seen: &Seen, start: &Start) -> bool {
    let live = seen.live.get(start.service.as_str()).map(String::as_str).unwrap_or_default();
    live != start.revision
}

/// Something newer was started since, which the alarm did not hold back.
fn superseded(seen: &Seen, start: &Start) -> bool {
    seen.starts.iter().any(|other| other.service == start.service && other.at > start.at)
}

/// People were called since then: nothing is there to go back to, or it failed, or the alarm is
/// another's fault.
fn told(seen: &Seen, since: Ms) -> bool {
    let kinds = ["no-way-back", "rollback-failed", "alarm-red-before", "alarm-during-rollback"];
    let published = seen.done.iter().rev().take_while(|done| done.at >= since);
    published.filter(|done| done.operation == "Publish").any(|done| {
        let message = done.input["Message"].as_str().unwrap_or_default();
        kinds.iter().any(|kind| message.contains(kind))
    })
}

/// What was pushed last, and nothing stands against, is started soon.
pub fn nothing_waits(seen: &Seen, account: &Account) -> Holds {
    let now = account.now();
    for service in SERVICES {
        let repository = Seen::repository(account, service);
        let Some(pushed) = seen.pushed[repository].last() else { continue };
        let clear = seen.clear_since[service].max(pushed.at);
        let waits = now > clear + soon(account);
        if !waits || pushed.deleted || pushed.image.findings().is_some_and(|_| gated(account)) {
            continue;
        }
        let began = seen.starts.iter().any(|start| start.service == service && start.digest == pushed.digest);
        let rejected = seen.rejected.contains_key(&(service.to_owned(), pushed.digest.clone()));
        // Where nothing but people can go on, or the service cannot be released any more.
        let stuck = seen.stuck(account, service);
        if began || rejected || stuck || pushed.image == Image::Unscanned || pushed.tag == 1 {
            continue;
        }
        return Err(format!("{repository}:v{} waits for {service} since {clear}", pushed.tag));
    }
    Ok(())
}

/// Where no call fails, no handler does, but for one that asks for its event again, and one that
/// had to let another go first for too long.
pub fn nothing_fails(seen: &Seen, account: &Account) -> Holds {
    let waited =
        |failed: &&String| account.calls.turns.met() && failed.contains("within the function's time");
    seen.failed.iter().find(|failed| !waited(failed)).map_or(Ok(()), |failed| Err(failed.clone()))
}

fn gated(account: &Account) -> bool {
    account.config.gate == crate::config::Gate::Scan
}

pub fn at_rest(_: &Seen, account: &Account) -> Holds {
    for service in SERVICES {
        if let Some(id) = crate::run::active(account, service) {
            return Err(format!("{id} of {service} has not ended"));
        }
    }
    Ok(())
}

/// Slack has heard all, however long it was down, and nothing was given up.
pub fn all_told(_: &Seen, account: &Account) -> Holds {
    for queue in ["notify", "notify-dead"] {
        let held = held(account, queue);
        if held != "0 and 0" {
            return Err(format!("{queue} holds {held} messages"));
        }
    }
    Ok(())
}

/// Whether messages are still to be told.
pub fn is_telling(account: &Account) -> bool {
    held(account, "notify") != "0 and 0"
}

/// How many messages a queue has, and how many of it are being handled.
fn held(account: &Account, queue: &str) -> String {
    let known = account.ask("sqs", "GetQueueUrl", json!({ "QueueName": queue })).unwrap_or_default();
    let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    let input = json!({ "QueueUrl": known["QueueUrl"], "AttributeNames": names });
    let known = account.ask("sqs", "GetQueueAttributes", input).unwrap_or_default()["Attributes"].take();
    names.map(|name| known[name].as_str().unwrap_or("?").to_owned()).join(" and ")
}
