//! What must never happen.

use std::collections::BTreeMap;

use cloud::{MINUTE, Ms, SECOND};
use serde_json::{Value, json};

use super::READ;
use super::seen::{Became, Done, Seen, Start, tag};
use crate::account::{Account, BYSTANDER};
use crate::config::Checks;
use crate::step::Image;

type Holds = Result<(), String>;

/// Two sources of one moment may round it differently.
const ROUNDING: Ms = 2 * SECOND;

/// How long an older image may be live where ECS's handlers overtake each other.
const PUT_BACK: Ms = 5 * SECOND;

pub fn once(seen: &Seen, _: &Account) -> Holds {
    if seen.fresh_starts().is_empty() {
        return Ok(());
    }
    let mut count = BTreeMap::<(&str, &str), usize>::new();
    for (n, start) in seen.starts.iter().enumerate().filter(|(_, start)| start.takes_back.is_none()) {
        // ECS has no lock: what an older image replaced in the same moment is put back.
        let put_back = seen.starts[..n].iter().any(|other| {
            other.revision == start.revision && other.at + ROUNDING > start.at && start.service == "web"
        });
        if !put_back {
            *count.entry((&start.service, &start.digest)).or_default() += 1;
        }
    }
    match count.iter().find(|(_, count)| **count > 1) {
        Some(((service, digest), count)) => Err(format!("{digest} was started on {service} {count} times")),
        None => Ok(()),
    }
}

/// The bystander's name is in everything that is its own.
pub fn only_named(seen: &Seen, _: &Account) -> Holds {
    match seen.fresh().iter().find(|done| done.input.to_string().contains(BYSTANDER)) {
        Some(done) => Err(format!("{} of {} asks for {}", done.operation, done.function, done.input)),
        None => Ok(()),
    }
}

/// Neither as a release nor as what a release goes back to.
pub fn rejected_stays(seen: &Seen, _: &Account) -> Holds {
    for Start { at, function, service, digest, .. } in seen.fresh_starts() {
        let rejected = seen.rejected.get(&(service.clone(), digest.clone()));
        // A rejection may come between the reading and the start.
        if rejected.is_some_and(|rejected| rejected + READ < *at) {
            return Err(format!("{digest} was rejected before {function} started it on {service}"));
        }
    }
    Ok(())
}

pub fn never_older(seen: &Seen, account: &Account) -> Holds {
    let mut newest = BTreeMap::<&str, usize>::new();
    for start in seen.releases() {
        let pushed = &seen.pushed[Seen::repository(account, &start.service)];
        let Some(order) = pushed.iter().position(|pushed| pushed.digest == start.digest) else {
            return Err(format!("{} was never pushed for {}", start.digest, start.service));
        };
        if let Some(newer) = newest.get(start.service.as_str()).filter(|newer| **newer > order) {
            // The newer one was taken back: what was pushed before it may have its turn.
            let key = (start.service.clone(), pushed[*newer].digest.clone());
            if pushed[*newer].at / SECOND == pushed[order].at / SECOND {
                // Of one second: neither is older.
                continue;
            }
            // ECS has no lock: the older one's handler was overtaken between its last look and its
            // change, and puts the newer one back.
            let put_back = |other: &Start| {
                other.service == start.service
                    && other.digest == key.1
                    && (start.at..start.at + PUT_BACK).contains(&other.at)
            };
            let grace = if start.service == "web" { PUT_BACK } else { 0 };
            let is_put_back = start.service == "web" && seen.starts.iter().any(put_back);
            let was_rejected = seen.rejected.get(&key).is_some_and(|rejected| *rejected <= start.at);
            // That it failed may be noted after another handler went on.
            let had_failed = seen.releases().any(|other| {
                let own = seen.deployment_of(other).filter(|_| other.digest == key.1);
                own.is_some_and(|own| own.has_failed() && own.since <= start.at)
            });
            let may_have_its_turn = was_rejected || had_failed || is_put_back;
            if !may_have_its_turn && account.now() >= start.at + grace {
                return Err(format!(
                    "v{} of {} was started after push {newer}",
                    pushed[order].tag, start.service
                ));
            }
        }
        let known = newest.entry(&start.service).or_default();
        *known = order.max(*known);
    }
    Ok(())
}

pub fn only_images(seen: &Seen, account: &Account) -> Holds {
    for done in seen.fresh_of("RegisterTaskDefinition") {
        let family = done.input["family"].as_str().unwrap_or_default();
        let Some(serves) = done.moment.live.get(family) else {
            return Err(format!("{} registers a revision of {family}", done.function));
        };
        let Some(replaced) = tag(&done.input, "sluice:replaces") else {
            return Err("a revision does not say what it replaces".to_owned());
        };
        if replaced != serves && !moved_lately(seen, family, done) {
            return Err(format!("a revision replaces {replaced}, and {serves} serves"));
        }
        if replaced != serves && !may_have_served(seen, family, replaced, done) {
            return Err(format!("a revision replaces {replaced}, which was no longer live, or never"));
        }
        let input = json!({ "taskDefinition": replaced, "include": ["TAGS"] });
        let known = account.ask("ecs", "DescribeTaskDefinition", input).unwrap_or_default();
        let before = bare(&known["taskDefinition"], &known["tags"]);
        let after = bare(&done.input, &done.input["tags"]);
        if before != after {
            return Err(format!("{replaced} became another: {before} {after}"));
        }
        let image = done.input["containerDefinitions"][0]["image"].as_str().unwrap_or_default();
        if tag(&done.input, "sluice:digest").is_none_or(|digest| !image.ends_with(&format!("@{digest}"))) {
            return Err(format!("a revision is to run {image}, and is tagged {}", done.input["tags"]));
        }
    }
    Ok(())
}

/// It was live when it was read, a moment ago.
fn may_have_served(seen: &Seen, service: &str, revision: &str, done: &Done) -> bool {
    let digest = seen.revisions.get(revision).map(|known| known.digest.clone()).unwrap_or_default();
    let rejected = seen.rejected.get(&(service.to_owned(), digest));
    seen.served.contains(revision) && rejected.is_none_or(|at| at + READ >= done.at)
}

/// Somebody else made another revision live between the reading and this.
fn moved_lately(seen: &Seen, service: &str, done: &Done) -> bool {
    let since = done.at.saturating_sub(READ);
    let ours = seen.starts.iter().any(|start| start.service == service && start.at >= since);
    ours || seen.clear_since.get(service).is_some_and(|clear| *clear >= since)
}

/// A task definition without what Sluice or ECS may have put into it.
fn bare(definition: &Value, tags: &Value) -> Value {
    let by_ecs = [
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "tags",
    ];
    let mut bare = definition.clone();
    if let Some(members) = bare.as_object_mut() {
        members.retain(|name, _| !by_ecs.contains(&name.as_str()));
        for container in members["containerDefinitions"].as_array_mut().into_iter().flatten() {
            container["image"] = Value::Null;
        }
    }
    let theirs = |tag: &&Value| !tag["key"].as_str().unwrap_or_default().starts_with("sluice:");
    let tags: Vec<_> = tags.as_array().into_iter().flatten().filter(theirs).collect();
    bare["tags"] = json!(tags);
    bare
}

pub fn way_back(seen: &Seen, account: &Account) -> Holds {
    for start in seen.fresh_starts().iter().filter(|start| start.takes_back.is_none()) {
        let input = json!({ "taskDefinition": start.before, "include": ["TAGS"] });
        let serves = account.ask("ecs", "DescribeTaskDefinition", input).unwrap_or_default();
        if tag(&serves, "sluice:digest").is_none() {
            // The first release that replaces what is none of Sluice's may have none.
            continue;
        }
        let mut arn = start.revision.clone();
        let usable = loop {
            let input = json!({ "taskDefinition": arn, "include": ["TAGS"] });
            let known = account.ask("ecs", "DescribeTaskDefinition", input).unwrap_or_default();
            let Some(before) = tag(&known, "sluice:replaces") else { break false };
            before.clone_into(&mut arn);
            if is_usable(seen, account, start, &arn) {
                break true;
            }
        };
        if !usable {
            return Err(format!("{} started on {} without a way back", start.revision, start.service));
        }
    }
    Ok(())
}

fn is_usable(seen: &Seen, account: &Account, start: &Start, arn: &str) -> bool {
    let known = account.ask("ecs", "DescribeTaskDefinition", json!({ "taskDefinition": arn }));
    let definition = known.unwrap_or_default()["taskDefinition"].take();
    let image = definition["containerDefinitions"][0]["image"].as_str().unwrap_or_default();
    let digest = image.rsplit('@').next().unwrap_or_default();
    let lately = |at: &Ms| *at + READ >= start.at;
    let rejected = seen.rejected.get(&(start.service.clone(), digest.to_owned()));
    let gone = |pushed: &super::Pushed| pushed.digest == digest && pushed.deleted;
    definition["status"] == "ACTIVE"
        && rejected.is_none_or(lately)
        && !seen.pushed.values().flatten().any(gone)
}

pub fn alarms(seen: &Seen, _: &Account) -> Holds {
    for start in seen.fresh_starts().iter().filter(|start| start.takes_back.is_none()) {
        let red = seen.red_at(&start.service, start.at);
        if let Some((since, became)) = red.filter(|(since, _)| since + READ < start.at) {
            return Err(format!(
                "a release of {} started on an alarm {became:?} since {since}",
                start.service
            ));
        }
    }
    for done in seen.fresh_of("TagResource") {
        if tag(&done.input, "sluice:verdict") == Some("good") {
            good(seen, done)?;
        }
    }
    for done in seen.fresh_of("StopDeployment") {
        blamed(seen, done)?;
    }
    for start in seen.fresh_starts() {
        taken_back(seen, start)?;
    }
    Ok(())
}

/// What counts as good had no red alarm from its start to the end of its watch.
fn good(seen: &Seen, done: &Done) -> Holds {
    let arn = done.input["resourceArn"].as_str().unwrap_or_default();
    let Some(start) = seen.releases().find(|start| start.revision == arn) else {
        return Err(format!("{arn} was never released, and counts as good"));
    };
    let ended = seen.done.iter().rev().chain([done]).find_map(|known| {
        let here = known.operation == "TagResource" && known.input["resourceArn"] == arn;
        let text = tag(&known.input, "sluice:ended").filter(|_| here)?;
        let at: shared::ended::Ended = text.parse().ok()?;
        u64::try_from(at.at.as_millisecond()).ok()
    });
    let Some(ended) = ended else { return Err(format!("{arn} counts as good before it ended")) };
    if done.at + ROUNDING < ended + seen.watch {
        return Err(format!("{arn} counts as good before its watch has passed"));
    }
    // What CloudWatch says takes its time to be read.
    let until = (ended + seen.watch).min(done.at.saturating_sub(READ));
    let changes = seen.alarms.get(&start.service).map(Vec::as_slice).unwrap_or_default();
    let red = |(at, became): &&(Ms, Became)| {
        *became == Became::Red && (start.at + ROUNDING..until.saturating_sub(ROUNDING)).contains(at)
    };
    match changes.iter().find(red) {
        Some((at, _)) => Err(format!("{arn} counts as good, and its alarm went red at {at}")),
        None => Ok(()),
    }
}

/// Only an alarm that went red since the deployment began stops it, or a hook that is overdue.
fn blamed(seen: &Seen, done: &Done) -> Holds {
    let id = done.input["deploymentId"].as_str().unwrap_or_default();
    let Some(deployment) = seen.deployments.get(id) else { return Ok(()) };
    let overdue = done.function == "sweep" && done.at - deployment.began > 45 * MINUTE;
    let red = went_red(seen, "api", deployment.began, done.at);
    if red || overdue { Ok(()) } else { Err(format!("{} stops {id}, and no alarm went red", done.function)) }
}

fn taken_back(seen: &Seen, start: &Start) -> Holds {
    let Some(back) = &start.takes_back else { return Ok(()) };
    let (began, failed) = match seen.deployments.get(back) {
        Some(deployment) => (deployment.began, deployment.has_failed()),
        None => {
            let began = seen.starts.iter().rev().find(|other| other.revision == *back);
            // ECS's deployments are taken back by alarms alone, or where ECS gave up.
            (began.map_or(seen.began, |start| start.at), start.function != "alarm")
        }
    };
    if failed || went_red(seen, &start.service, began, start.at) {
        return Ok(());
    }
    Err(format!("{} takes {back} back, and no alarm went red", start.function))
}

fn went_red(seen: &Seen, service: &str, from: Ms, to: Ms) -> bool {
    let changes = seen.alarms.get(service).map(Vec::as_slice).unwrap_or_default();
    changes.iter().any(|(at, became)| *became == Became::Red && at + ROUNDING >= from && *at <= to)
}

pub fn verdicts(seen: &Seen, account: &Account) -> Holds {
    for done in seen.fresh_of("PutLifecycleEventHookExecutionStatus") {
        let id = done.input["deploymentId"].as_str().unwrap_or_default();
        let execution = &done.input["lifecycleEventHookExecutionId"];
        let same = |other: &&Done| {
            other.operation == done.operation && other.input["lifecycleEventHookExecutionId"] == *execution
        };
        if seen.done.iter().filter(same).count() > 1 {
            return Err(format!("{execution} has two verdicts"));
        }
        if done.input["status"] == "Succeeded" {
            passed(seen, account, id, done)?;
        }
    }
    Ok(())
}

/// The check of this hook finished, and passed.
fn passed(seen: &Seen, account: &Account, id: &str, done: &Done) -> Holds {
    let info = account.cloud.with(|world| crate::account::deployment(world, id));
    let digest = info["description"].as_str().and_then(shared::release::described);
    let Some((digest, _)) = digest else { return Ok(()) };
    let image = seen.pushed["api"].iter().find(|pushed| pushed.digest == digest.as_str());
    let image = image.map_or(Image::Good, |pushed| pushed.image);
    let event = done.moment.event.as_deref().unwrap_or_default();
    if event == "BeforeInstall" {
        let fails = image == Image::Unmigrated && account.config.checks == Checks::All;
        let task = migrated(seen, id, done.at);
        return if fails || !task {
            Err(format!("{id} passed its migration, which {}", if fails { "fails" } else { "did not run" }))
        } else {
            Ok(())
        };
    }
    let began = seen.deployments.get(id).map_or(0, |deployment| deployment.began);
    let answered = |(at, url, status): &&(Ms, String, u64)| {
        (began..=done.at).contains(at) && url.ends_with(":8081/orders") && *status == 200
    };
    if matches!(image, Image::Sick | Image::Hanging) {
        return Err(format!("{id} passed a check at {event} that it fails"));
    }
    if !seen.answers.iter().any(|answer| answered(&answer)) {
        return Err(format!("{id} passed at {event} without one good answer"));
    }
    Ok(())
}

/// A one-off task of this deployment was started, long enough ago to have ended.
fn migrated(seen: &Seen, id: &str, at: Ms) -> bool {
    let of = |done: &&Done| done.operation == "RunTask" && done.input.to_string().contains(id);
    seen.done.iter().find(of).is_some_and(|done| done.at + 5 * SECOND < at)
}

pub fn rollbacks(seen: &Seen, account: &Account) -> Holds {
    if let Some(done) = seen.fresh_of("DeregisterTaskDefinition").next() {
        return Err(format!("{} deregisters {}", done.function, done.input));
    }
    let is_rollback = |id: &str| {
        let info = account.cloud.with(|world| crate::account::deployment(world, id));
        let ours =
            info["description"].as_str().is_some_and(|text| shared::release::rolled_back(text).is_some());
        ours || info["creator"] == "codeDeployRollback"
    };
    for done in seen.fresh_of("StopDeployment") {
        let id = done.input["deploymentId"].as_str().unwrap_or_default();
        if is_rollback(id) {
            return Err(format!("{} stops {id}, which is a rollback", done.function));
        }
    }
    for Start { function, takes_back, .. } in seen.fresh_starts() {
        if let Some(back) = takes_back.as_ref().filter(|back| back.starts_with("d-") && is_rollback(back)) {
            return Err(format!("{function} takes back {back}, which is a rollback"));
        }
    }
    Ok(())
}
