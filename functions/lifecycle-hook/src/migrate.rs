//! The check `migrate`: a snapshot if one is asked for, then the migration as a one-off task.

use shared::aws::{Snapshot, SnapshotState};
use shared::config::Migrate;
use shared::one_off::snapshot_name;

use crate::LifecycleHook;
use crate::decide::Outcome;
use crate::hook::Hook;
use crate::one_off::{id, tags};

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
