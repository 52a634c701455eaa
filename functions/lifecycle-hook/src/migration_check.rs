//! The check `migration-check`: a one-off task prints the SQL that is about to be applied,
//! and what would break the version that still serves is refused.

use std::time::Duration;

use shared::config::MigrationCheck;
use shared::revision::short_arn;

use crate::LifecycleHook;
use crate::decide::Outcome;
use crate::hook::Hook;
use crate::one_off::id;
use crate::sql::{self, Finding, Report};

/// Written on a revision whose migration took something away that older versions may need,
/// and on the one that serves meanwhile: nothing older may serve again.
const CONTRACTED: &str = "sluice:contracted";
const OLDEST: &str = "sluice:oldest";

/// CloudWatch may show a line some moments after it was written: the log is read until it
/// was the same twice.
const SETTLE: Duration = Duration::from_secs(3);

/// How many findings the verdict names; the log has all.
const TOLD: usize = 3;

impl LifecycleHook {
    pub(crate) async fn migration_check(
        &self,
        hook: &Hook<'_>,
        n: usize,
        check: &MigrationCheck,
    ) -> anyhow::Result<Outcome> {
        let task = match self.one_off(hook, n, &check.task).await? {
            Ok(task) => task,
            Err(outcome) => return Ok(outcome),
        };
        let Some((group, stream)) = self.log_of(&task, &check.task.container).await? else {
            return Ok(Outcome::Inconclusive(format!(
                "the SQL of {} cannot be read: container '{}' has no log of the driver awslogs with a group \
                 and a stream prefix",
                id(&task.arn),
                check.task.container
            )));
        };
        let Some(printed) = self.settled(&group, &stream).await? else {
            return Ok(Outcome::Inconclusive(format!("there is no log {group} {stream}")));
        };
        let report = sql::check(&printed, check.dialect, &check.allow);
        log(&report);
        let outcome = judged(&report);
        if let Outcome::Passed(_) = outcome {
            self.record(hook, &report).await?;
        }
        Ok(outcome)
    }

    /// The whole log once it no longer grows; none if it does not exist.
    async fn settled(&self, group: &str, stream: &str) -> anyhow::Result<Option<String>> {
        let mut before = None;
        loop {
            let lines = self.logs.lines(group, stream).await?;
            if before.as_ref() == Some(&lines) {
                return Ok(lines.map(|lines| lines.join("\n")));
            }
            before = Some(lines);
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// Before the migration runs: a rollback to what lies further back than what serves now is
    /// no longer safe, even if this deployment fails.
    async fn record(&self, hook: &Hook<'_>, report: &Report) -> anyhow::Result<()> {
        let mut rules: Vec<_> =
            report.allowed.iter().map(|f| f.rule).filter(|rule| sql::contracts(*rule)).collect();
        rules.sort();
        rules.dedup();
        if rules.is_empty() {
            return Ok(());
        }
        let text = rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let by = format!("the migration of {}: {text}", short_arn(hook.revision));
        self.aws.tag(&hook.ecs.revision, &[(OLDEST, by)]).await?;
        self.aws.tag(hook.revision, &[(CONTRACTED, text)]).await
    }
}

fn log(report: &Report) {
    for Finding { rule, line, statement, reason } in &report.refused {
        let why = reason.as_deref().unwrap_or_default();
        tracing::warn!(rule = rule.as_str(), line, why, "refused: {statement}; {}", sql::way_out(*rule));
    }
    for Finding { rule, line, statement, reason } in &report.allowed {
        let why = reason.as_deref().unwrap_or_default();
        tracing::info!(rule = rule.as_str(), line, why, "allowed: {statement}");
    }
    for unparsable in &report.unparsable {
        tracing::warn!(line = unparsable.line, "unparsable: {}: {}", unparsable.statement, unparsable.why);
    }
}

/// What is refused fails; what nobody could read is inconclusive, and does not pass either.
fn judged(report: &Report) -> Outcome {
    let more =
        |count: usize| if count > TOLD { format!("; and {} more", count - TOLD) } else { String::new() };
    if !report.refused.is_empty() {
        let told = report.refused.iter().take(TOLD).map(|Finding { rule, line, statement, .. }| {
            format!("{rule} in line {line} ({statement}): {}", sql::way_out(*rule))
        });
        let told: Vec<_> = told.collect();
        return Outcome::Failed(format!("{}{}", told.join("; "), more(report.refused.len())));
    }
    if !report.unparsable.is_empty() {
        let told = report.unparsable.iter().take(TOLD);
        let told: Vec<_> = told.map(|u| format!("line {} ({}): {}", u.line, u.statement, u.why)).collect();
        return Outcome::Inconclusive(format!(
            "not everything can be read: {}{}",
            told.join("; "),
            more(report.unparsable.len())
        ));
    }
    Outcome::Passed(format!("{} statements, {} of them allowed", report.statements, report.allowed.len()))
}
