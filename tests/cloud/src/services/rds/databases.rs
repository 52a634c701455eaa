//! Instances and clusters: there, under way, or gone.

use serde_json::{Value, json};

use super::form::Form;
use super::members;
use super::{
    Database, Status, Timer, combination, filters, identifier, invalid, next_number, page, tags, text,
};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags as tag_lists;
use crate::time::{MINUTE, Ms, timestamp};

const CREATION: Ms = 3 * MINUTE;
const DELETION: Ms = MINUTE;

/// How many characters a database's name may have.
const LONGEST_NAME: usize = 63;

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::BackingUp => "backing-up",
            Self::Deleting => "deleting",
        }
    }
}

impl Database {
    /// The cluster that an instance is a member of.
    pub fn cluster(&self) -> Option<&str> {
        self.given.get("DBClusterIdentifier").and_then(Value::as_str).filter(|_| self.form == Form::Instance)
    }
}

pub fn create(cloud: &mut Cloud, form: Form, input: &Value) -> Result<Value, Fault> {
    let name = identifier(input, &form.identifier(), LONGEST_NAME)?;
    let tags = tags::checked(input)?;
    let given = members::given(form, input)?;
    match form {
        Form::Instance => check_instance(cloud, input)?,
        Form::Cluster => check_master(input)?,
    }
    let arn = form.arn(cloud, &name);
    if cloud.state.rds.databases.contains_key(&arn) {
        return Err(form.exists());
    }
    let (number, created) = (next_number(cloud), cloud.now);
    let prefix = if form == Form::Instance { "db" } else { "cluster" };
    let resource_id = format!("{prefix}-{}", cloud.ids.upper(26));
    let database =
        Database { form, name, number, resource_id, created, status: Status::Creating, given, tags };
    cloud.state.rds.databases.insert(arn.clone(), database);
    cloud.after(CREATION, Timer::Created { arn: arn.clone(), number });
    Ok(json!({ form.word(): shown(cloud, &arn) }))
}

/// An instance belongs to a cluster, or has what a database of its own needs.
fn check_instance(cloud: &Cloud, input: &Value) -> Result<(), Fault> {
    let cluster = text(input, "DBClusterIdentifier");
    if !cluster.is_empty() {
        let found = cloud.state.rds.databases.get(&Form::Cluster.arn(cloud, cluster));
        let found = found.ok_or_else(|| Form::Cluster.not_found(cluster))?;
        if found.given.get("Engine") != input.get("Engine") {
            return Err(combination(
                "The engine name requested for your DB instance doesn't match the engine name of your DB cluster.",
            ));
        }
        return Ok(());
    }
    if text(input, "Engine").starts_with("aurora") {
        return Err(combination("DBClusterIdentifier is required for instances of an Aurora engine."));
    }
    if input["AllocatedStorage"].is_null() {
        return Err(invalid("The parameter AllocatedStorage must be provided and must not be blank."));
    }
    check_master(input)
}

fn check_master(input: &Value) -> Result<(), Fault> {
    let missing = ["MasterUsername", "MasterUserPassword"].into_iter().find(|m| text(input, m).is_empty());
    match missing {
        Some(member) => {
            Err(invalid(format!("The parameter {member} must be provided and must not be blank.")))
        }
        None => Ok(()),
    }
}

pub fn describe(cloud: &Cloud, form: Form, input: &Value) -> Result<Value, Fault> {
    let identifier = text(input, &form.identifier());
    let wanted = filters(input, &["db-instance-id", "db-cluster-id", "engine"])?;
    let arn =
        if identifier.starts_with("arn:") { identifier.to_owned() } else { form.arn(cloud, identifier) };
    let all = cloud.state.rds.databases.iter().filter(|(_, database)| database.form == form);
    let of_name = all.filter(|(known, _)| identifier.is_empty() || **known == arn);
    let found: Vec<_> = of_name.collect();
    if found.is_empty() && !identifier.is_empty() {
        return Err(form.not_found(identifier));
    }
    let fits = |database: &Database| {
        wanted.iter().all(|(filter, values)| {
            let value = match (*filter, form) {
                ("engine", _) => database.given.get("Engine").and_then(Value::as_str).unwrap_or_default(),
                ("db-cluster-id", Form::Instance) => database.cluster().unwrap_or_default(),
                _ => &database.name,
            };
            values.contains(&value)
        })
    };
    let rows = found.into_iter().filter(|(_, database)| fits(database)).map(|(arn, _)| shown(cloud, arn));
    page(rows.collect(), &format!("{}s", form.word()), input)
}

pub fn delete(cloud: &mut Cloud, form: Form, input: &Value) -> Result<Value, Fault> {
    let name = text(input, &form.identifier());
    let arn = form.arn(cloud, name);
    let database = cloud.state.rds.databases.get(&arn).ok_or_else(|| form.not_found(name))?;
    if database.given.get("DeletionProtection") == Some(&json!(true)) {
        return Err(combination(format!(
            "Cannot delete protected {}, please disable deletion protection and try again.",
            if form == Form::Instance { "DB Instance" } else { "Cluster" }
        )));
    }
    if !input["FinalDBSnapshotIdentifier"].is_null() {
        return Err(Fault::not_modelled(format!("rds:Delete{} with a final snapshot", form.word())));
    }
    if input["SkipFinalSnapshot"] != true && database.cluster().is_none() {
        return Err(combination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        ));
    }
    if database.status != Status::Available {
        return Err(form.invalid_state(format!("{name} is currently {}.", database.status.text())));
    }
    let (number, members) = (database.number, members_of(cloud, &database.name));
    if form == Form::Cluster && members.iter().any(|member| member.status != Status::Deleting) {
        let message = "Cluster cannot be deleted, it still contains DB instances in non-deleting state.";
        return Err(form.invalid_state(message));
    }
    set_status(cloud, &arn, Status::Deleting);
    cloud.after(DELETION, Timer::Deleted { arn: arn.clone(), number });
    Ok(json!({ form.word(): shown(cloud, &arn) }))
}

pub fn created(cloud: &mut Cloud, arn: &str, number: u64) {
    let is_it = |database: &Database| database.number == number && database.status == Status::Creating;
    if cloud.state.rds.databases.get(arn).is_some_and(is_it) {
        set_status(cloud, arn, Status::Available);
    }
}

pub fn deleted(cloud: &mut Cloud, arn: &str, number: u64) {
    if cloud.state.rds.databases.get(arn).is_some_and(|database| database.number == number) {
        cloud.state.rds.databases.remove(arn);
    }
}

pub fn set_status(cloud: &mut Cloud, arn: &str, status: Status) {
    if let Some(database) = cloud.state.rds.databases.get_mut(arn) {
        database.status = status;
    }
}

/// A cluster's instances, the first one made of which writes.
fn members_of<'a>(cloud: &'a Cloud, cluster: &str) -> Vec<&'a Database> {
    let all = cloud.state.rds.databases.values();
    let is_member =
        |database: &&Database| database.cluster().is_some_and(|c| c.eq_ignore_ascii_case(cluster));
    let mut members: Vec<_> = all.filter(is_member).collect();
    members.sort_by_key(|database| database.number);
    members
}

fn shown(cloud: &Cloud, arn: &str) -> Value {
    let Some(database) = cloud.state.rds.databases.get(arn) else { return Value::Null };
    let form = database.form;
    let mut shown = database.given.clone();
    let facts = [
        (form.identifier(), json!(database.name)),
        (format!("{}Arn", form.word()), json!(arn)),
        (form.resource_id().to_owned(), json!(database.resource_id)),
        (form.create_time().to_owned(), timestamp(database.created)),
        (form.status().to_owned(), json!(database.status.text())),
        ("TagList".to_owned(), tag_lists::to_list(&database.tags)),
    ];
    shown.extend(facts);
    if form == Form::Cluster {
        let members = members_of(cloud, &database.name).into_iter().enumerate();
        let members = members
            .map(|(n, member)| json!({ "DBInstanceIdentifier": member.name, "IsClusterWriter": n == 0 }));
        shown.insert("DBClusterMembers".into(), members.collect());
    }
    Value::Object(shown)
}
