//! What RDS tells of its snapshots through EventBridge, and what it doesn't.
//!
//! The events are those of the lists of event messages in the user guides of RDS and Aurora.
//! Neither has one for a manual snapshot that failed, nor for a cluster's snapshot that was
//! deleted.

use serde_json::{Value, json};

use super::Snapshot;
use super::form::Form;
use crate::cloud::Cloud;
use crate::services::events;
use crate::time::iso;
use crate::timeline::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Begun,
    Done,
    Failed,
    Deleted,
}

/// Category, id and message of the event.
fn told(form: Form, moment: Moment) -> Option<(&'static str, &'static str, &'static str)> {
    match (form, moment) {
        (Form::Instance, Moment::Begun) => Some(("creation", "RDS-EVENT-0040", "Creating manual snapshot")),
        (Form::Instance, Moment::Done) => Some(("creation", "RDS-EVENT-0042", "Manual snapshot created")),
        (Form::Instance, Moment::Deleted) => Some(("deletion", "RDS-EVENT-0041", "Deleted manual snapshot")),
        (Form::Cluster, Moment::Begun) => {
            Some(("backup", "RDS-EVENT-0074", "Creating manual cluster snapshot"))
        }
        (Form::Cluster, Moment::Done) => {
            Some(("backup", "RDS-EVENT-0075", "Manual cluster snapshot created"))
        }
        (Form::Cluster, Moment::Deleted) | (_, Moment::Failed) => None,
    }
}

pub fn notify(cloud: &mut Cloud, arn: &str, moment: Moment) {
    let Some(snapshot) = cloud.state.rds.snapshots.get(arn) else { return };
    let Some((category, id, message)) = told(snapshot.form, moment) else {
        let text = format!("snapshot {}: {moment:?}, which no event tells", snapshot.name);
        cloud.note(Kind::Database, text, json!({ "arn": arn }));
        return;
    };
    let detail = detail(snapshot, arn, (category, id, message), cloud.now);
    let detail_type = match snapshot.form {
        Form::Instance => "RDS DB Snapshot Event",
        Form::Cluster => "RDS DB Cluster Snapshot Event",
    };
    events::publish(cloud, "aws.rds", detail_type, &[arn.to_owned()], detail);
}

fn detail(snapshot: &Snapshot, arn: &str, (category, id, message): (&str, &str, &str), now: u64) -> Value {
    let source = match snapshot.form {
        Form::Instance => "SNAPSHOT",
        Form::Cluster => "CLUSTER_SNAPSHOT",
    };
    json!({
        "EventCategories": [category],
        "SourceType": source,
        "SourceArn": arn,
        "Date": iso(now),
        "Message": message,
        "SourceIdentifier": snapshot.name,
        "EventID": id,
        "Tags": snapshot.tags,
    })
}
