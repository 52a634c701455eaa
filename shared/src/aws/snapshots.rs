//! RDS: a snapshot of a database before something is done to it.

use anyhow::{Context as _, bail};
use aws_sdk_rds::types::Tag;
use futures_util::future::try_join;

use super::{Aws, Missing, failed};

#[derive(Debug, Clone)]
pub struct Snapshots(aws_sdk_rds::Client);

/// A snapshot to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// An Aurora or Multi-AZ cluster, or an instance.
    pub database: &'a str,
    /// What the snapshot is called; the same name is the same snapshot.
    pub name: &'a str,
    pub tags: &'a [(String, String)],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotState {
    Available,
    Creating,
    /// What RDS says of it.
    Failed(String),
}

/// Keys with their values.
type Tags = Vec<(String, String)>;

impl SnapshotState {
    fn of(status: &str) -> Self {
        match status {
            "available" => Self::Available,
            "creating" | "copying" | "pending" => Self::Creating,
            other => Self::Failed(other.to_owned()),
        }
    }
}

impl Snapshots {
    pub fn new(aws: &Aws) -> Self {
        Self(aws_sdk_rds::Client::from_conf(builder!(aws_sdk_rds, &aws.config).build()))
    }

    /// Takes a snapshot, or finds the one that was taken under this name.
    pub async fn take(&self, snapshot: &Snapshot<'_>) -> anyhow::Result<SnapshotState> {
        if let Some((state, _)) = self.find(snapshot.name).await? {
            return Ok(state);
        }
        let tags: Vec<_> =
            snapshot.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        if let Some(state) = self.of_cluster(snapshot, tags.clone()).await? {
            return Ok(state);
        }
        match self.of_instance(snapshot, tags).await? {
            Some(state) => Ok(state),
            None => bail!(
                "RDS has neither a cluster nor an instance '{}'; correct 'snapshot' in releases.yaml",
                snapshot.database
            ),
        }
    }

    /// A snapshot of a cluster or an instance, with its tags; none if there is no such.
    pub async fn find(&self, name: &str) -> anyhow::Result<Option<(SnapshotState, Tags)>> {
        let what = || format!("describing the snapshot {name}");
        let cluster = async {
            let call = self.0.describe_db_cluster_snapshots().db_cluster_snapshot_identifier(name);
            match call.send().await {
                Err(e)
                    if e.as_service_error().is_some_and(|e| e.is_db_cluster_snapshot_not_found_fault()) =>
                {
                    Ok(None)
                }
                other => {
                    let answer = other.map_err(failed(what()))?;
                    let found = answer.db_cluster_snapshots().first();
                    let found = found.and_then(|found| Some((found.status()?, found.tag_list())));
                    anyhow::Ok(found.map(|(status, tags)| (SnapshotState::of(status), pairs(tags))))
                }
            }
        };
        let instance = async {
            let call = self.0.describe_db_snapshots().db_snapshot_identifier(name);
            match call.send().await {
                Err(e) if e.as_service_error().is_some_and(|e| e.is_db_snapshot_not_found_fault()) => {
                    Ok(None)
                }
                other => {
                    let answer = other.map_err(failed(what()))?;
                    let found = answer.db_snapshots().first();
                    let found = found.and_then(|found| Some((found.status()?, found.tag_list())));
                    anyhow::Ok(found.map(|(status, tags)| (SnapshotState::of(status), pairs(tags))))
                }
            }
        };
        let (cluster, instance) = try_join(cluster, instance).await?;
        Ok(cluster.or(instance))
    }

    /// None if there is no such cluster.
    async fn of_cluster(
        &self,
        snapshot: &Snapshot<'_>,
        tags: Vec<Tag>,
    ) -> anyhow::Result<Option<SnapshotState>> {
        let call = self.0.create_db_cluster_snapshot().db_cluster_identifier(snapshot.database);
        let call = call.db_cluster_snapshot_identifier(snapshot.name).set_tags(Some(tags));
        let what = || format!("taking a snapshot of the cluster {}", snapshot.database);
        let answer = match call.send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_db_cluster_not_found_fault()) => {
                return Ok(None);
            }
            Err(e)
                if e.as_service_error().is_some_and(|e| e.is_db_cluster_snapshot_already_exists_fault()) =>
            {
                return Ok(Some(SnapshotState::Creating));
            }
            Err(e) if e.as_service_error().is_some_and(|e| e.is_invalid_db_cluster_state_fault()) => {
                return self.busy(snapshot.name, failed(what())(e)).await.map(Some);
            }
            other => other.map_err(failed(what()))?,
        };
        let made = answer.db_cluster_snapshot().and_then(|made| made.status());
        Ok(Some(SnapshotState::of(made.ok_or(Missing("Status")).with_context(what)?)))
    }

    /// None if there is no such instance.
    async fn of_instance(
        &self,
        snapshot: &Snapshot<'_>,
        tags: Vec<Tag>,
    ) -> anyhow::Result<Option<SnapshotState>> {
        let call = self.0.create_db_snapshot().db_instance_identifier(snapshot.database);
        let call = call.db_snapshot_identifier(snapshot.name).set_tags(Some(tags));
        let what = || format!("taking a snapshot of the instance {}", snapshot.database);
        let answer = match call.send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_db_instance_not_found_fault()) => {
                return Ok(None);
            }
            Err(e) if e.as_service_error().is_some_and(|e| e.is_db_snapshot_already_exists_fault()) => {
                return Ok(Some(SnapshotState::Creating));
            }
            Err(e) if e.as_service_error().is_some_and(|e| e.is_invalid_db_instance_state_fault()) => {
                return self.busy(snapshot.name, failed(what())(e)).await.map(Some);
            }
            other => other.map_err(failed(what()))?,
        };
        let made = answer.db_snapshot().and_then(|made| made.status());
        Ok(Some(SnapshotState::of(made.ok_or(Missing("Status")).with_context(what)?)))
    }

    /// A database takes no snapshot in the state that it is in: well if it is busy with this
    /// very one, which another delivery asked for, or this one whose answer was lost.
    async fn busy(&self, name: &str, refused: anyhow::Error) -> anyhow::Result<SnapshotState> {
        self.find(name).await?.map(|(state, _)| state).ok_or(refused)
    }

    /// The tags of a snapshot, by its ARN.
    pub async fn tags(&self, arn: &str) -> anyhow::Result<Tags> {
        let answer = self.0.list_tags_for_resource().resource_name(arn).send().await;
        let answer = answer.map_err(failed(format!("reading the tags of {arn}")))?;
        Ok(pairs(answer.tag_list()))
    }
}

fn pairs(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect()
}
