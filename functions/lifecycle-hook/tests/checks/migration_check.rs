//! What the SQL of a migration, read from a task's log, does to a deployment.

use serde_json::{Value, json};

use crate::scene::Stage;

/// A check whose task prints these lines; each is quoted for YAML.
fn printing(lines: &[&str], more: &str) -> String {
    let said: String = lines.iter().map(|line| format!(", --log, '{}'", line.replace('\'', "''"))).collect();
    format!(
        "before-install:
- migration-check: {{ container: app, command: [sample-task, --after, '1000'{said}], dialect: postgresql{more} }}"
    )
}

/// How the deployment of an image ends whose migration prints this.
async fn checked(lines: &[&str], more: &str) -> (Stage, String) {
    let stage = Stage::new();
    stage.answer(stage.function(&printing(lines, more)));
    stage.rules();
    let digest = stage.push("v2", &[]);
    let id = stage.deploy(&digest, &["BeforeInstall"]);
    let (status, _) = stage.ended(&id).await;
    (stage, status)
}

/// What the revision that was deployed last says that its migration took away.
fn contracted(stage: &Stage) -> Option<Value> {
    let listed = stage.call("ecs", "ListTaskDefinitions", json!({ "sort": "DESC" }));
    let revision = listed["taskDefinitionArns"][0].clone();
    let tags = stage.call("ecs", "ListTagsForResource", json!({ "resourceArn": revision }));
    let tags = tags["tags"].as_array().cloned().unwrap_or_default();
    tags.into_iter().find(|tag| tag["key"] == "sluice:contracted").map(|tag| tag["value"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_only_adds_passes() {
    let lines = [
        "CREATE TABLE parcels (",
        "  id bigint PRIMARY KEY",
        ");",
        "ALTER TABLE orders ADD COLUMN note text;",
    ];
    let (stage, status) = checked(&lines, "").await;
    assert_eq!(status, "Succeeded", "{}", stage.told());
    assert!(stage.reason().contains("2 statements, 0 of them allowed"), "{}", stage.reason());
    assert_eq!(contracted(&stage), None);
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_breaks_the_serving_version_fails_with_rule_line_and_way_out() {
    let lines = ["BEGIN;", "ALTER TABLE orders", "  DROP COLUMN region;", "COMMIT;"];
    let (stage, status) = checked(&lines, "").await;
    assert_eq!(status, "Failed");
    let reason = stage.reason();
    let told =
        "drop-column in line 2 (ALTER TABLE orders DROP COLUMN region): the serving version may read it";
    assert!(reason.contains(told), "{reason}");
    assert_eq!(stage.verdicts(), ["Failed"]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_read_does_not_pass_and_says_so() {
    let (stage, status) = checked(&["Applying 3 migrations", "CALL tidy_up();"], "").await;
    assert_eq!(status, "Failed");
    let reason = stage.reason();
    assert!(reason.contains("not everything can be read: line 1 (Applying 3 migrations CALL"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_contraction_that_is_allowed_is_written_on_the_revision() {
    let lines =
        ["-- sluice: allow drop-table nobody reads it", "DROP TABLE baskets;", "ALTER TABLE a RENAME TO b;"];
    let (stage, status) = checked(&lines, ", allow: [rename-table]").await;
    assert_eq!(status, "Succeeded", "{}", stage.told());
    assert_eq!(contracted(&stage), Some(json!("drop-table rename-table")));
}

#[tokio::test(start_paused = true)]
async fn what_is_about_locks_alone_is_allowed_and_no_contraction() {
    let (stage, status) = checked(&["CREATE INDEX i ON orders (a);"], ", allow: [create-index]").await;
    assert_eq!(status, "Succeeded", "{}", stage.told());
    assert_eq!(contracted(&stage), None);
}
