//! What a database may be made with.

use serde_json::{Map, Value};

use super::form::Form;
use super::text;
use crate::fault::Fault;

/// Kept, and shown again. What they say of a database changes nothing here, where none runs.
const GIVEN: &[&str] = &[
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DBClusterIdentifier",
    "DBClusterInstanceClass",
    "DBInstanceClass",
    "DBName",
    "DatabaseName",
    "DeletionProtection",
    "Engine",
    "EngineVersion",
    "MasterUsername",
    "PubliclyAccessible",
    "StorageEncrypted",
    "StorageType",
];

/// Taken, and nowhere to be seen again.
const SILENT: &[&str] = &["DBInstanceIdentifier", "MasterUserPassword", "Tags"];

const ENGINES: &[&str] = &["aurora-mysql", "aurora-postgresql", "mariadb", "mysql", "postgres"];

/// The members that are kept of a request, if all of it can be honoured.
pub fn given(form: Form, input: &Value) -> Result<Map<String, Value>, Fault> {
    let what = format!("rds:Create{}", form.word());
    let members = input.as_object().into_iter().flatten();
    let mut given = Map::new();
    for (name, value) in members {
        if GIVEN.contains(&name.as_str()) {
            given.insert(name.clone(), value.clone());
        } else if !SILENT.contains(&name.as_str()) {
            return Err(Fault::not_modelled(format!("{what} with {name}")));
        }
    }
    let engine = text(input, "Engine");
    if !ENGINES.contains(&engine) || (form == Form::Cluster && engine == "mariadb") {
        return Err(Fault::not_modelled(format!("{what} with the engine '{engine}'")));
    }
    // Of a cluster it is its own name.
    if form == Form::Cluster {
        given.remove("DBClusterIdentifier");
    }
    given.entry("CopyTagsToSnapshot").or_insert(Value::Bool(false));
    given.entry("DeletionProtection").or_insert(Value::Bool(false));
    Ok(given)
}
