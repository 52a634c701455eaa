//! ListDeployments, which may lag behind CreateDeployment.

use serde_json::{Value, json};

use super::page::page;
use super::{text, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, from_timestamp};

/// Newest first; AWS documents no order.
pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let group = match (text(input, "applicationName"), text(input, "deploymentGroupName")) {
        (None, None) => None,
        (Some(application), Some(group)) => {
            Some(cloud.state.codedeploy.group(application, group)?.id.clone())
        }
        (Some(_), None) => {
            return Err(Fault::new(
                "DeploymentGroupNameRequiredException",
                "The deployment group name must be specified with the application name",
            ));
        }
        (None, Some(_)) => {
            return Err(Fault::new(
                "ApplicationNameRequiredException",
                "The application name must be specified with the deployment group name",
            ));
        }
    };
    let (start, end) = range(&input["createTimeRange"])?;
    let statuses = texts(input, "includeOnlyStatuses");
    // No deployment here is linked to an external resource.
    let linked = input.get("externalId").is_some();
    let lag = cloud.settings.list_deployments_lag;
    let mut rows: Vec<_> = cloud
        .state
        .codedeploy
        .deployments
        .values()
        .filter(|d| !linked && d.created + lag <= cloud.now)
        .filter(|d| group.as_ref().is_none_or(|group| d.group_id == *group))
        .filter(|d| statuses.is_empty() || statuses.contains(&d.status.name()))
        .filter(|d| (start..=end).contains(&d.created))
        .map(|d| (format!("{:020}", u64::MAX - d.number), d.id.clone()))
        .collect();
    rows.sort();
    let (deployments, next) = page(cloud, rows, input)?;
    Ok(json!({ "deployments": deployments, "nextToken": next }))
}

fn range(range: &Value) -> Result<(Ms, Ms), Fault> {
    let start = range.get("start").and_then(from_timestamp).unwrap_or(0);
    let end = range.get("end").and_then(from_timestamp).unwrap_or(Ms::MAX);
    if start > end {
        return Err(Fault::new("InvalidTimeRangeException", "The start of the time range is after its end"));
    }
    Ok((start, end))
}
