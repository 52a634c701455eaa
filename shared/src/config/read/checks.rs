//! The checks of a service in `releases.yaml`: what runs in which lifecycle event.

use std::time::Duration;

use super::super::cursor::{Fields, Once, Value};
use super::super::values;
use super::super::{Check, Checks, Migrate, MigrationCheck, OneOff, Reach};
use super::{name_in, smoke};
use crate::migration_rule::{Dialect, Rule};

const MIGRATE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// It only prints.
const MIGRATION_CHECK_TIMEOUT: Duration = Duration::from_secs(5 * 60);

pub(super) fn checks(value: Value<'_>) -> Option<Checks> {
    let fields = value.fields(&[
        "before-install",
        "after-install",
        "after-allow-test-traffic",
        "before-allow-traffic",
        "after-allow-traffic",
    ])?;
    let of = |event: &str| fields.or(event, Vec::new(), |value| in_event(event, value));
    let before_install = of("before-install");
    let after_install = of("after-install");
    let after_allow_test_traffic = of("after-allow-test-traffic");
    let before_allow_traffic = of("before-allow-traffic");
    let after_allow_traffic = of("after-allow-traffic");
    Some(Checks {
        before_install: before_install?,
        after_install: after_install?,
        after_allow_test_traffic: after_allow_test_traffic?,
        before_allow_traffic: before_allow_traffic?,
        after_allow_traffic: after_allow_traffic?,
    })
}

/// Checks that the event is the time for: one that could only pass is worse than none.
fn in_event(event: &str, value: Value<'_>) -> Option<Vec<Check>> {
    let mut migrated = Vec::new();
    value.list(|item| {
        let check = check(event, item)?;
        match &check {
            Check::Migrate(migrate) if event == "before-install" => {
                migrated.push(migrate.task.container.clone())
            }
            Check::MigrationCheck(check) if migrated.contains(&check.task.container) => {
                item.fault("comes after the migration that it checks; move it before migrate");
            }
            Check::Smoke(smoke) if event == "after-install" && matches!(smoke.reach, Reach::BaseUrl(_)) => {
                item.fault(
                    "comes too early for a base-url: no listener leads to the new tasks yet; \
                     write tasks: {} instead, or move it to after-allow-test-traffic",
                );
            }
            Check::Migrate(_) | Check::MigrationCheck(_) | Check::Smoke(_) => {}
        }
        Some(check)
    })
}

fn check(event: &str, value: Value<'_>) -> Option<Check> {
    const KEYS: [&str; 3] = ["migrate", "migration-check", "smoke"];
    let fields = value.fields(&KEYS)?;
    let (key, check) = match fields.present(&KEYS)[..] {
        [only] => only,
        [] if fields.is_empty() => {
            value.fault("is an empty check; write migrate:, migration-check: or smoke:");
            return None;
        }
        [] => return None,
        [..] => {
            value.fault("is more than one check; start each with a dash of its own");
            return None;
        }
    };
    if let Some(why) = misplaced(event, key) {
        check.fault(why);
    }
    match key {
        "migrate" => migrate(check).map(Check::Migrate),
        "migration-check" => migration_check(check).map(Check::MigrationCheck),
        _ => smoke::smoke(check).map(Check::Smoke),
    }
}

fn misplaced(event: &str, check: &str) -> Option<&'static str> {
    match (event, check) {
        ("before-install", "smoke") => Some(
            "comes too early: there is no new task yet; move it to a later event, \
             such as before-allow-traffic",
        ),
        ("before-install", _) | (_, "smoke") => None,
        (_, "migrate") => {
            Some("comes too late: the new version runs already, unmigrated; move it to before-install")
        }
        _ => Some("comes too late: the new version runs already; move it to before-install, before migrate"),
    }
}

fn migrate(value: Value<'_>) -> Option<Migrate> {
    let fields = value.fields(&["container", "command", "timeout", "snapshot"])?;
    let task = one_off(&fields, MIGRATE_TIMEOUT);
    let snapshot = fields.or("snapshot", None, |value| value.parsed(values::rds_identifier).map(Some));
    Some(Migrate { task: task?, snapshot: snapshot? })
}

fn migration_check(value: Value<'_>) -> Option<MigrationCheck> {
    let fields = value.fields(&["container", "command", "timeout", "dialect", "allow"])?;
    let task = one_off(&fields, MIGRATION_CHECK_TIMEOUT);
    let dialect = fields.required_as("dialect", "is missing; write postgresql or mysql");
    let dialect = dialect.and_then(|value| {
        let names = ("dialect", "dialects");
        value.parsed(|text| values::one_of(names, &Dialect::ALL, Dialect::as_str, text))
    });
    let allow = fields.or("allow", Vec::new(), allow);
    Some(MigrationCheck { task: task?, dialect: dialect?, allow: allow? })
}

fn allow(value: Value<'_>) -> Option<Vec<Rule>> {
    let mut once = Once::new();
    value.list(|item| {
        let rule = item.parsed(|text| values::one_of(("rule", "rules"), &Rule::ALL, Rule::as_str, text))?;
        once.check(rule, item, |line| format!("stands on line {line} already; name each rule once"));
        Some(rule)
    })
}

fn one_off(fields: &Fields<'_>, usual: Duration) -> Option<OneOff> {
    let container = name_in(fields, "container");
    let command = fields.required_as("command", "is missing; write it as a list, as in [node, migrate.js]");
    // Only the program must be there; `--label ''` is an argument, too.
    let command = command.and_then(|value| value.filled_list(|item| item.text().map(str::to_owned)));
    let timeout = fields.or("timeout", usual, |value| {
        value.up_to(55, "a hook must answer within an hour", value.duration_above_zero()?)
    });
    Some(OneOff { container: container?, command: command?, timeout: timeout? })
}
