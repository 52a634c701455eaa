//! Manual snapshots. A database takes one at a time.

use serde_json::{Map, Value, json};

use super::databases::set_status;
use super::form::Form;
use super::notify::{Moment, notify};
use super::{Database, Snapshot, SnapshotStatus, Status, Timer, combination, filters, identifier, invalid};
use super::{next_number, page, tags, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags as tag_lists;
use crate::time::{SECOND, timestamp};

/// What a snapshot shows of its database.
const SHOWN: &[&str] = &["AllocatedStorage", "Engine", "EngineVersion", "MasterUsername"];

/// The types that there are; all but the first have none here.
const TYPES: &[&str] = &["manual", "automated", "shared", "public", "awsbackup"];

impl SnapshotStatus {
    fn text(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::Failed => "failed",
        }
    }
}

pub fn create(cloud: &mut Cloud, form: Form, input: &Value) -> Result<Value, Fault> {
    let name = identifier(input, &form.snapshot_identifier(), form.longest_snapshot_name())?;
    let given = tags::checked(input)?;
    let wanted = text(input, &form.identifier());
    let database = form.arn(cloud, wanted);
    let source = cloud.state.rds.databases.get(&database).ok_or_else(|| form.not_found(wanted))?;
    if source.cluster().is_some() {
        return Err(invalid(
            "The specified instance is a member of a cluster and a snapshot cannot be created directly. \
             Please use the CreateDBClusterSnapshot API instead.",
        ));
    }
    // Whether AWS looks at the state or at the name first is not known: a caller that
    // survives this order survives the other one.
    if source.status != Status::Available {
        return Err(unavailable(form, wanted));
    }
    let arn = form.snapshot_arn(cloud, &name);
    if cloud.state.rds.snapshots.contains_key(&arn) {
        return Err(form.snapshot_exists(&name));
    }
    let (seconds, fails) = tags::steering(&source.tags);
    let copies = source.given.get("CopyTagsToSnapshot") == Some(&json!(true));
    let mut tags = if copies { source.tags.clone() } else { tag_lists::Tags::new() };
    tags.extend(given);
    let (of, duration) = (known_of(source), seconds * SECOND);
    let (number, began) = (next_number(cloud), cloud.now);
    let status = SnapshotStatus::Creating;
    let snapshot =
        Snapshot { form, name, number, database: database.clone(), of, began, duration, fails, status, tags };
    cloud.state.rds.snapshots.insert(arn.clone(), snapshot);
    set_status(cloud, &database, Status::BackingUp);
    cloud.after(duration, Timer::Taken { arn: arn.clone(), number });
    notify(cloud, &arn, Moment::Begun);
    Ok(json!({ form.snapshot_word(): shown(cloud, &arn) }))
}

fn unavailable(form: Form, database: &str) -> Fault {
    let what = if form == Form::Instance { "database instance" } else { "database cluster" };
    form.invalid_state(format!(
        "Cannot create a snapshot because the {what} {database} is not currently in the available state."
    ))
}

fn known_of(database: &Database) -> Map<String, Value> {
    let form = database.form;
    let given = database.given.iter().filter(|(name, _)| SHOWN.contains(&name.as_str()));
    let mut known: Map<_, _> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    let encrypted = if form == Form::Instance { "Encrypted" } else { "StorageEncrypted" };
    known.insert(encrypted.into(), json!(database.given.get("StorageEncrypted") == Some(&json!(true))));
    known.insert(form.identifier(), json!(database.name));
    known.insert(form.resource_id().into(), json!(database.resource_id));
    known.insert(form.create_time().into(), timestamp(database.created));
    known
}

/// The time of a snapshot is over: it is there, or it failed.
pub fn taken(cloud: &mut Cloud, arn: &str, number: u64) {
    let Some(snapshot) = cloud.state.rds.snapshots.get_mut(arn).filter(|s| s.number == number) else {
        return;
    };
    snapshot.status = if snapshot.fails { SnapshotStatus::Failed } else { SnapshotStatus::Available };
    let (database, fails) = (snapshot.database.clone(), snapshot.fails);
    set_status(cloud, &database, Status::Available);
    notify(cloud, arn, if fails { Moment::Failed } else { Moment::Done });
}

pub fn describe(cloud: &Cloud, form: Form, input: &Value) -> Result<Value, Fault> {
    let (of, named) = (text(input, &form.identifier()), text(input, &form.snapshot_identifier()));
    if !of.is_empty() && !named.is_empty() {
        let (a, b) = (form.identifier(), form.snapshot_identifier());
        return Err(combination(format!("You can't specify {a} together with {b}.")));
    }
    let kind = text(input, "SnapshotType");
    if !kind.is_empty() && !TYPES.contains(&kind) {
        return Err(invalid(format!("Invalid snapshot type: {kind}")));
    }
    let names = [
        "db-instance-id",
        "db-cluster-id",
        "db-snapshot-id",
        "db-cluster-snapshot-id",
        "dbi-resource-id",
        "snapshot-type",
        "engine",
    ];
    let filters = filters(input, &names)?;
    let arn = if named.starts_with("arn:") { named.to_owned() } else { form.snapshot_arn(cloud, named) };
    if !named.is_empty() && !cloud.state.rds.snapshots.get(&arn).is_some_and(|s| s.form == form) {
        return Err(form.snapshot_not_found(named));
    }
    let resource = text(input, form.resource_id());
    let fits = |(known, snapshot): &(&String, &Snapshot)| {
        let is = |member: &str, wanted: &str| {
            wanted.is_empty() || text_of(snapshot, member).eq_ignore_ascii_case(wanted)
        };
        snapshot.form == form
            && (named.is_empty() || **known == arn)
            && is(&form.identifier(), of)
            && is(form.resource_id(), resource)
            && matches!(kind, "" | "manual")
            && filters.iter().all(|(filter, values)| values.contains(&filtered(snapshot, filter)))
    };
    let rows = cloud.state.rds.snapshots.iter().filter(fits).map(|(arn, _)| shown(cloud, arn));
    page(rows.collect(), &format!("{}s", form.snapshot_word()), input)
}

fn text_of<'a>(snapshot: &'a Snapshot, member: &str) -> &'a str {
    snapshot.of.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// What a filter looks at.
fn filtered<'a>(snapshot: &'a Snapshot, filter: &str) -> &'a str {
    match filter {
        "snapshot-type" => "manual",
        "engine" => text_of(snapshot, "Engine"),
        "dbi-resource-id" => text_of(snapshot, snapshot.form.resource_id()),
        "db-snapshot-id" | "db-cluster-snapshot-id" => &snapshot.name,
        _ => text_of(snapshot, &snapshot.form.identifier()),
    }
}

pub fn delete(cloud: &mut Cloud, form: Form, input: &Value) -> Result<Value, Fault> {
    let name = text(input, &form.snapshot_identifier());
    let arn = form.snapshot_arn(cloud, name);
    let snapshot = cloud.state.rds.snapshots.get(&arn).ok_or_else(|| form.snapshot_not_found(name))?;
    if snapshot.status == SnapshotStatus::Creating {
        let message =
            format!("Cannot delete the snapshot {name} because it is not currently in the available state.");
        return Err(form.invalid_snapshot_state(message));
    }
    let mut last = shown(cloud, &arn);
    last["Status"] = json!("deleted");
    notify(cloud, &arn, Moment::Deleted);
    cloud.state.rds.snapshots.remove(&arn);
    Ok(json!({ form.snapshot_word(): last }))
}

fn shown(cloud: &Cloud, arn: &str) -> Value {
    let Some(snapshot) = cloud.state.rds.snapshots.get(arn) else { return Value::Null };
    let form = snapshot.form;
    let mut shown = snapshot.of.clone();
    let facts = [
        (form.snapshot_identifier(), json!(snapshot.name)),
        (format!("{}Arn", form.snapshot_word()), json!(arn)),
        ("SnapshotType".to_owned(), json!("manual")),
        ("SnapshotCreateTime".to_owned(), timestamp(snapshot.began)),
        ("Status".to_owned(), json!(snapshot.status.text())),
        ("PercentProgress".to_owned(), json!(progress(snapshot, cloud.now))),
        ("TagList".to_owned(), tag_lists::to_list(&snapshot.tags)),
    ];
    shown.extend(facts);
    Value::Object(shown)
}

fn progress(snapshot: &Snapshot, now: u64) -> u64 {
    let part = (now - snapshot.began).min(snapshot.duration) * 100 / snapshot.duration.max(1);
    match snapshot.status {
        SnapshotStatus::Available => 100,
        SnapshotStatus::Creating | SnapshotStatus::Failed => part.min(99),
    }
}
