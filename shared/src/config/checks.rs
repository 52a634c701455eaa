//! The checks of a service in `releases.yaml`: what runs in which lifecycle event.

use std::time::Duration;

use super::cursor::{Fields, Value};
use super::values;
use super::{Check, Checks, Migrate, Smoke, SmokeRequest};

const MIGRATE_TIMEOUT: Duration = Duration::from_secs(30 * 60);

pub(super) fn checks(value: Value<'_>) -> Option<Checks> {
    let fields = value.fields(&[
        "before-install",
        "after-install",
        "after-allow-test-traffic",
        "before-allow-traffic",
        "after-allow-traffic",
    ])?;
    let of = |event: &str| fields.or(event, Vec::new(), |value| value.list(check));
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

fn check(value: Value<'_>) -> Option<Check> {
    let fields = value.fields(&["migrate", "smoke"])?;
    match (fields.optional("migrate"), fields.optional("smoke")) {
        (Some(value), None) => migrate(value).map(Check::Migrate),
        (None, Some(value)) => smoke(value).map(Check::Smoke),
        (Some(_), Some(_)) => {
            value.fault("is two checks; start each with a dash of its own");
            None
        }
        (None, None) => {
            if fields.is_empty() {
                value.fault("is an empty check; write migrate: or smoke:");
            }
            None
        }
    }
}

fn migrate(value: Value<'_>) -> Option<Migrate> {
    let fields = value.fields(&["container", "command", "timeout"])?;
    let container = fields.required("container").and_then(|value| value.name());
    let command = fields.required_as("command", "is missing; write it as a list, as in [node, migrate.js]");
    // Only the program must be there; `--label ''` is an argument, too.
    let command = command.and_then(|value| value.filled_list(|item| item.text().map(str::to_owned)));
    let timeout = fields.or("timeout", MIGRATE_TIMEOUT, |value| value.duration_above_zero());
    Some(Migrate { container: container?.to_owned(), command: command?, timeout: timeout? })
}

fn smoke(value: Value<'_>) -> Option<Smoke> {
    let fields = value.fields(&["base-url", "requests"])?;
    let base_url = fields.required("base-url").and_then(|value| value.parsed(values::base_url));
    let requests = fields.required("requests").and_then(|value| value.filled_list(request));
    Some(Smoke { base_url: base_url?, requests: requests? })
}

fn request(value: Value<'_>) -> Option<SmokeRequest> {
    let fields = value.fields(&["get", "headers", "status", "json"])?;
    let get = fields.required("get").and_then(|value| value.parsed(values::path));
    let headers = headers(&fields);
    let status = fields.or("status", 200, |value| value.number(100, 599));
    let json = fields.or("json", serde_json::Map::new(), |value| value.json_object());
    Some(SmokeRequest { get: get?, headers: headers?, status: status?, json: json? })
}

fn headers(fields: &Fields<'_>) -> Option<Vec<(String, String)>> {
    let Some(value) = fields.optional("headers") else { return Some(Vec::new()) };
    value.mapping()?.each(|name, value| {
        let valid = values::header_name(name).map_err(|what| value.fault(what)).ok();
        let text =
            value.text().and_then(|text| values::header_value(text).map_err(|what| value.fault(what)).ok());
        valid?;
        Some((name.to_owned(), text?))
    })
}
