//! The check `migrate`: a snapshot if one is asked for, then the migration as a one-off task.

use sha2::{Digest as _, Sha256};
use shared::aws::{Snapshot, SnapshotState};
use shared::config::Migrate;

use crate::LifecycleHook;
use crate::decide::Outcome;
use crate::hook::Hook;
use crate::one_off::{id, tags};

/// The longest name that RDS takes for a cluster's snapshot.
const NAME: usize = 63;

impl LifecycleHook {
    pub(crate) async fn migrate(
        &self,
        hook: &Hook<'_>,
        n: usize,
        migrate: &Migrate,
    ) -> anyhow::Result<Outcome> {
        if let Some(database) = &migrate.snapshot {
            let name = snapshot_name(database, hook.deployment);
            let snapshot = Snapshot { database, name: &name, tags: &tags(hook) };
            match self.snapshots.take(&snapshot).await? {
                SnapshotState::Available => tracing::info!(snapshot = name, "{database} has a snapshot"),
                SnapshotState::Creating => {
                    return Ok(Outcome::Pending(format!("the snapshot {name} is taken")));
                }
                SnapshotState::Failed(status) => {
                    return Ok(Outcome::Failed(format!("the snapshot {name} of {database} is {status}")));
                }
            }
        }
        Ok(match self.one_off(hook, n, &migrate.task).await? {
            Ok(task) => Outcome::Passed(format!("{} ended with exit code 0", id(&task.arn))),
            Err(outcome) => outcome,
        })
    }
}

/// The same for one deployment: letters, digits and single hyphens.
fn snapshot_name(database: &str, deployment: &str) -> String {
    let hash: String = Sha256::digest(deployment).iter().map(|byte| format!("{byte:02x}")).collect();
    let deployment = deployment.rsplit('/').next().unwrap_or_default();
    let name = format!("sluice-{database}-{deployment}");
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-").to_lowercase();
    if name.len() <= NAME {
        return name;
    }
    let start: String = name.chars().take(NAME - 13).collect();
    format!("{}-{}", start.trim_end_matches('-'), &hash[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshots_name_is_one_that_rds_takes() {
        assert_eq!(snapshot_name("api-db", "d-ABC123XYZ"), "sluice-api-db-d-abc123xyz");
        let long = "a-".repeat(100);
        for (database, deployment) in
            [(&long[..], "d-1"), ("db", "arn:aws:ecs:eu-west-1:1:service-deployment/c/s/EZe5RN_VLH6--x")]
        {
            let name = snapshot_name(database, deployment);
            let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            assert!(name.len() <= NAME && letters && !name.contains("--") && !name.ends_with('-'), "{name}");
        }
        assert_ne!(snapshot_name(&long, "d-1"), snapshot_name(&long, "d-2"));
    }
}
