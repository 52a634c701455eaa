//! RDS: databases that only have a state, and their manual snapshots, which take time.
//!
//! How a database's snapshots go is said by its tags: `sluice.cloud/snapshot-seconds` is how
//! long one takes, and with `sluice.cloud/snapshot-fails` = `true` it ends as `failed`.

mod databases;
mod form;
mod members;
mod notify;
mod snapshots;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::cloud::{Call, Cloud, Reply};
use crate::fault::Fault;
use crate::services::paging;
use crate::services::tags::Tags;
use crate::time::Ms;

use form::Form;

#[derive(Debug, Clone, Default, Serialize)]
pub struct State {
    /// Both by ARN.
    databases: BTreeMap<String, Database>,
    snapshots: BTreeMap<String, Snapshot>,
    /// Things made so far.
    count: u64,
}

#[derive(Debug, Clone, Serialize)]
struct Database {
    form: Form,
    name: String,
    /// Tells this one's timers from those of an earlier one of its name.
    number: u64,
    resource_id: String,
    created: Ms,
    status: Status,
    /// Members of the request that are shown as they were given.
    given: Map<String, Value>,
    tags: Tags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Status {
    Creating,
    Available,
    BackingUp,
    Deleting,
}

#[derive(Debug, Clone, Serialize)]
struct Snapshot {
    form: Form,
    name: String,
    number: u64,
    /// ARN of the database, which may be gone.
    database: String,
    /// What is known of it: name, engine and so on as they were.
    of: Map<String, Value>,
    began: Ms,
    duration: Ms,
    fails: bool,
    status: SnapshotStatus,
    tags: Tags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum SnapshotStatus {
    Creating,
    Available,
    Failed,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Timer {
    /// A database is there.
    Created { arn: String, number: u64 },
    /// A database is gone.
    Deleted { arn: String, number: u64 },
    /// A snapshot has taken its time.
    Taken { arn: String, number: u64 },
}

pub(crate) fn call(cloud: &mut Cloud, call: &Call) -> Result<Reply, Fault> {
    let input = call.input;
    let answer = match call.operation {
        "CreateDBInstance" => databases::create(cloud, Form::Instance, input),
        "DescribeDBInstances" => databases::describe(cloud, Form::Instance, input),
        "DeleteDBInstance" => databases::delete(cloud, Form::Instance, input),
        "CreateDBCluster" => databases::create(cloud, Form::Cluster, input),
        "DescribeDBClusters" => databases::describe(cloud, Form::Cluster, input),
        "DeleteDBCluster" => databases::delete(cloud, Form::Cluster, input),
        "CreateDBSnapshot" => snapshots::create(cloud, Form::Instance, input),
        "DescribeDBSnapshots" => snapshots::describe(cloud, Form::Instance, input),
        "DeleteDBSnapshot" => snapshots::delete(cloud, Form::Instance, input),
        "CreateDBClusterSnapshot" => snapshots::create(cloud, Form::Cluster, input),
        "DescribeDBClusterSnapshots" => snapshots::describe(cloud, Form::Cluster, input),
        "DeleteDBClusterSnapshot" => snapshots::delete(cloud, Form::Cluster, input),
        "AddTagsToResource" => tags::add(cloud, input),
        "RemoveTagsFromResource" => tags::remove(cloud, input),
        "ListTagsForResource" => tags::list(cloud, input),
        other => Err(Fault::not_modelled(format!("rds:{other}"))),
    };
    Ok(answer?.into())
}

pub(crate) fn fire(cloud: &mut Cloud, timer: Timer) {
    match timer {
        Timer::Created { arn, number } => databases::created(cloud, &arn, number),
        Timer::Deleted { arn, number } => databases::deleted(cloud, &arn, number),
        Timer::Taken { arn, number } => snapshots::taken(cloud, &arn, number),
    }
}

fn text<'a>(input: &'a Value, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValue", message)
}

fn combination(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterCombination", message)
}

/// The number of what is made next.
fn next_number(cloud: &mut Cloud) -> u64 {
    cloud.state.rds.count += 1;
    cloud.state.rds.count
}

/// A name as RDS takes and keeps it: in lower case.
fn identifier(input: &Value, member: &str, most: usize) -> Result<String, Fault> {
    let name = text(input, member).to_lowercase();
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if begins_well && letters && !name.ends_with('-') && !name.contains("--") && name.len() <= most {
        return Ok(name);
    }
    Err(invalid(format!(
        "The parameter {member} is not a valid identifier. Identifiers must begin with a letter; must \
         contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two \
         consecutive hyphens."
    )))
}

/// What filters ask for, `(name, values)`, each of a name that is known here.
fn filters<'a>(input: &'a Value, known: &[&str]) -> Result<Vec<(&'a str, Vec<&'a str>)>, Fault> {
    let given = input["Filters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let read = given.iter().map(|filter| {
        let name = text(filter, "Name");
        if !known.contains(&name) {
            return Err(invalid(format!("Unrecognized filter name: {name}")));
        }
        let values = filter["Values"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok((name, values.iter().filter_map(Value::as_str).collect()))
    });
    read.collect()
}

/// One page of rows as `{<member>: [...], Marker}`.
fn page(rows: Vec<Value>, member: &str, input: &Value) -> Result<Value, Fault> {
    let most = paging::size(&input["MaxRecords"], 100);
    if !input["MaxRecords"].is_null() && !(20..=100).contains(&most) {
        return Err(invalid("Invalid value for MaxRecords. Must be between 20 and 100"));
    }
    let refused = |marker: &str| invalid(format!("The marker '{marker}' is not valid"));
    let (rows, next) = paging::page(rows, input["Marker"].as_str(), most, refused)?;
    Ok(json!({ member: rows, "Marker": next }))
}
