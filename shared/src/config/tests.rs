//! Tests of `releases.yaml`'s reader and schema against each other.

mod cases;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const EXAMPLE: &str = include_str!("../../../tests/releases.yaml");
const SCHEMA: &str = include_str!("../../releases.schema.json");

use cases::{ByReaderOnly, BySchemaToo, CASES, InTheYaml};

fn faults(text: &str) -> String {
    Releases::parse(text, "f").map(|_| "none".to_owned()).unwrap_or_else(|faults| faults.to_string())
}

fn changed(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    EXAMPLE.replacen(from, to, 1)
}

fn as_json(text: &str) -> Option<serde_json::Value> {
    let root = tree::parse(text).ok()??;
    let context = cursor::Context::default();
    let json = cursor::Value::root(&root, &context).json();
    if context.into_faults().is_empty() { json } else { None }
}

/// Every key that there is.
fn complete() -> serde_json::Value {
    let checks = json!([
        { "migrate": { "container": "api", "command": ["node", ""], "timeout": "1h 30m" } },
        { "smoke": { "base-url": "http://api", "requests": [
            { "get": "/", "headers": { "x-a": "b" }, "status": 204, "json": { "a": [1, null, true] } },
        ] } },
    ]);
    json!({ "services": {
        "api": {
            "cluster": "c",
            "service": "s",
            "images": [{ "repository": "r", "container": "c", "tags": ".*" }],
            "deploy": { "codedeploy": { "application": "a", "group": "g" } },
            "checks": {
                "before-install": checks,
                "after-install": checks,
                "after-allow-test-traffic": checks,
                "before-allow-traffic": checks,
                "after-allow-traffic": checks,
            },
            "alarms": ["a"],
            "watch": "0s",
            "gates": {
                "scan": { "block": Severity::ALL.map(Severity::as_str), "wait": "90s" },
                "freeze": ["fri 16:00 - mon 08:00 UTC"],
            },
            "notify": { "slack": "#s", "alarms": "#a" },
        },
        "worker": {
            "cluster": "c",
            "service": "t",
            "images": [{ "repository": "r", "container": "c", "tags": ".*" }],
            "deploy": { "ecs": {} },
        },
    } })
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

fn image(repository: &str, container: &str, tags: &str) -> ImageRule {
    let tags = TagPattern::new(tags).unwrap();
    ImageRule { repository: repository.into(), container: container.into(), tags }
}

/// The checks of the example's first service.
fn checks() -> Checks {
    let get = |path: &str| SmokeRequest {
        get: path.into(),
        headers: Vec::new(),
        status: 200,
        json: serde_json::Map::new(),
    };
    let json = json!({ "status": "healthy" }).as_object().unwrap().clone();
    let headers = vec![("authorization".into(), "secret:api/smoke-token".into())];
    let migrate = Migrate {
        container: "api".into(),
        command: vec!["node".into(), "migrate.js".into()],
        timeout: minutes(30),
    };
    let smoke = Smoke {
        base_url: "https://api.internal:8443".into(),
        requests: vec![SmokeRequest { json, ..get("/health") }, SmokeRequest { headers, ..get("/me") }],
    };
    Checks {
        before_install: vec![Check::Migrate(migrate)],
        before_allow_traffic: vec![Check::Smoke(smoke)],
        ..Checks::default()
    }
}

#[test]
fn the_example_is_read_as_it_is_written() {
    let worker = Service {
        name: "worker".into(),
        cluster: "api-cluster".into(),
        service: "worker".into(),
        images: vec![image("worker", "worker", "v[0-9]+[.][0-9]+[.][0-9]+")],
        engine: Engine::Ecs,
        checks: Checks::default(),
        alarms: Vec::new(),
        watch: Duration::ZERO,
        scan: None,
        freeze: Vec::new(),
        notify: Notify::default(),
    };
    let api = Service {
        name: "api-production".into(),
        service: "api-service".into(),
        images: vec![image("api-service", "api", "[0-9a-f]{40}")],
        engine: Engine::CodeDeploy { application: "api-deploy".into(), group: "api-production".into() },
        checks: checks(),
        alarms: vec!["api-5xx-green".into(), "api-latency".into()],
        watch: minutes(30),
        scan: Some(ScanGate { block: vec![Severity::Critical, Severity::High], wait: minutes(10) }),
        freeze: vec![Freeze::parse("fri 16:00 - mon 08:00 Europe/Dublin").unwrap()],
        notify: Notify { slack: Some("#deploys".into()), alarms: Some("#ops".into()) },
        ..worker.clone()
    };
    assert_eq!(Releases::parse(EXAMPLE, "releases.yaml").unwrap().services(), [api, worker]);
}

#[test]
fn what_is_not_written_has_its_default() {
    let text = changed(", timeout: 30m", "").replace(", wait: 10m", "").replace(", status: 200", "");
    let (read, example) = (Releases::parse(&text, "f").unwrap(), Releases::parse(EXAMPLE, "f").unwrap());
    assert_eq!(read.services(), example.services());
}

#[test]
fn an_alias_is_read_as_what_it_names() {
    let text = changed("notify: {", "notify: &notify {") + "    notify: *notify\n";
    let releases = Releases::parse(&text, "f").unwrap();
    assert_eq!(releases.services()[1].notify, releases.services()[0].notify);
}

#[test]
fn each_fault_is_told_with_its_place_and_the_way_out() {
    for (_, from, to, told) in CASES {
        assert_eq!(faults(&changed(from, to)), *told, "'{from}' as '{to}'");
    }
}

#[test]
fn all_faults_of_a_file_are_told_at_once_in_its_order() {
    let text = "\
services:
  a:
    service: 1
    images: [{ repository: r, tags: '(' }, 5]
    deploy: {}
    watch: -1s
    notify: { slack: x, slak: y }
  b:
    cluster: c
";
    assert_eq!(
        faults(text),
        "\
f:2:3: services.a.cluster: is missing
f:3:14: services.a.service: is a number; put it in quotes if it is meant as text
f:4:14: services.a.images[0].container: is missing
f:4:37: services.a.images[0].tags: is not a regular expression: found open group without closing ')'
f:4:44: services.a.images[1]: is a number; write a mapping, as in { key: value }
f:5:13: services.a.deploy: has neither codedeploy nor ecs; write codedeploy: { application: ..., group: ... } or ecs: {}
f:6:12: services.a.watch: is negative; write a duration like 30m, 1h 30m or 90s
f:7:22: services.a.notify.slack: 'x' is not a Slack channel; write it with its #, as in '#deploys'
f:7:25: services.a.notify: unknown key 'slak'; did you mean 'slack'?
f:8:3: services.b.service: is missing
f:8:3: services.b.images: is missing
f:8:3: services.b.deploy: is missing; write { codedeploy: { application: ..., group: ... } } or { ecs: {} }"
    );
}

#[test]
fn a_hundred_alarms_are_the_most() {
    let alarms = |n| (0..n).map(|i| format!("a{i}")).collect::<Vec<_>>().join(", ");
    assert_eq!(faults(&changed("api-5xx-green, api-latency", &alarms(100))), "none");
    assert_eq!(
        faults(&changed("api-5xx-green, api-latency", &alarms(101))),
        "f:20:13: services.api-production.alarms: names 101 alarms; keep 100 or fewer, perhaps with a composite alarm"
    );
}

#[test]
fn a_file_that_is_no_document_is_told_as_such() {
    let empty = "is empty; write services: and an entry per service under it";
    for (text, told) in [
        ("", format!("f: {empty}")),
        ("# later\n", format!("f: {empty}")),
        ("---\n", format!("f:2:1: {empty}")),
        ("services", "f:1:1: is text; write a mapping, as in { key: value }".into()),
        ("- a", "f:1:1: is a list; write a mapping, as in { key: value }".into()),
        ("services: {}", "f:1:11: services: names no service; write at least one".into()),
        ("a: [", "f:2:1: is not valid YAML: ".into()),
    ] {
        assert!(faults(text).starts_with(&told), "{text}: {}", faults(text));
    }
    let missing = Releases::load(Path::new("no/such/releases.yaml")).unwrap_err().to_string();
    assert!(missing.starts_with("no/such/releases.yaml: can't be read: "), "{missing}");
}

#[test]
fn a_thousand_services_load_and_are_found() {
    let (head, entry) = EXAMPLE.split_at("services:\n".len());
    let entry = &entry[..entry.find("\n\n").unwrap() + 1];
    let entries = (0..1000)
        .map(|i| entry.replace("api-production", &format!("p{i}")).replace("api-service", &format!("s{i}")));
    let text = head.to_owned() + &entries.collect::<String>();
    let releases = Releases::parse(&text, "f").unwrap();
    assert_eq!(releases.services().len(), 1000);
    for i in [0, 500, 999] {
        let (service, rule) = releases.taking(&format!("s{i}")).next().unwrap();
        assert_eq!((service.name.as_str(), rule.container.as_str()), (format!("p{i}").as_str(), "api"));
    }
    assert_eq!(releases.taking("s1000").count(), 0);
}

#[test]
fn the_published_schema_is_the_generated_one() {
    assert_eq!(SCHEMA, schema::text(), "write what `sluice schema` prints to shared/releases.schema.json");
}

#[test]
fn reader_and_schema_come_to_the_same_verdict() {
    let schema = serde_json::from_str(SCHEMA).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    assert!(schema.is_valid(&as_json(EXAMPLE).unwrap()) && schema.is_valid(&complete()));
    assert_eq!(faults(&complete().to_string()), "none");
    for (found, from, to, _) in CASES {
        let by_schema = as_json(&changed(from, to)).map(|document| !schema.is_valid(&document));
        let expected = match found {
            BySchemaToo => Some(true),
            ByReaderOnly => Some(false),
            InTheYaml => None,
        };
        assert_eq!(by_schema, expected, "'{from}' as '{to}'");
    }
}

/// The reader names its keys where it meets one that it does not know.
#[test]
fn reader_and_schema_know_the_same_keys() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let smoke = "/services/api/checks/after-install/1/smoke";
    for (place, of) in [
        ("", ""),
        ("/services/api", "/$defs/Service"),
        ("/services/api/images/0", "/$defs/Image"),
        ("/services/api/deploy", "/$defs/Deploy"),
        ("/services/api/deploy/codedeploy", "/$defs/CodeDeploy"),
        ("/services/api/checks", "/$defs/Checks"),
        ("/services/api/checks/after-install/0", "/$defs/Check"),
        ("/services/api/checks/after-install/0/migrate", "/$defs/Migrate"),
        (smoke, "/$defs/Smoke"),
        (&format!("{smoke}/requests/0"), "/$defs/Request"),
        ("/services/api/gates", "/$defs/Gates"),
        ("/services/api/gates/scan", "/$defs/Scan"),
        ("/services/api/notify", "/$defs/Notify"),
    ] {
        let mut document = complete();
        document.pointer_mut(place).unwrap()["unheard-of-key"] = json!(1);
        let told = faults(&document.to_string());
        let (_, known) = told.split_once("; the keys here are ").unwrap();
        let described = schema.pointer(of).unwrap();
        let choices = described["oneOf"].as_array().cloned().unwrap_or_else(|| vec![described.clone()]);
        let keys: BTreeSet<_> =
            choices.iter().flat_map(|c| c["properties"].as_object().unwrap().keys()).collect();
        assert_eq!(
            known.lines().next().unwrap().split(", ").collect::<BTreeSet<_>>(),
            keys.iter().map(|k| k.as_str()).collect(),
            "{of}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "([a-c:#&*!|>'\"\\[\\]{},?%<~. \n\t-]|- |: |\n  |&a |\\*a |<<: ){0,60}") {
        let read = Releases::parse(&text, "f");
        prop_assert!(read.is_err_and(|faults| faults.iter().len() > 0));
    }

    #[test]
    fn no_slip_in_the_example_makes_the_reader_panic(
        at in 0..EXAMPLE.len(),
        lost in 0..30_usize,
        new in "([a-z0-9:#&*!|>'\"{},~. \n-]|\\[|\\]){0,8}",
    ) {
        let lost = EXAMPLE.get(at..(at + lost).min(EXAMPLE.len())).unwrap_or_default();
        let text = format!("{}{new}{}", &EXAMPLE[..at], &EXAMPLE[at + lost.len()..]);
        match Releases::parse(&text, "f") {
            Ok(releases) => prop_assert!(!releases.services().is_empty()),
            Err(faults) => {
                prop_assert!(faults.to_string().lines().count() == faults.iter().len());
                prop_assert!(!faults.to_string().contains("please report it"));
            }
        }
    }
}

#[test]
fn the_readmes_first_file_is_one() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("```yaml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let releases = Releases::parse(text, "README.md").unwrap();
    assert_eq!(releases.services()[0].name, "api-production");
    let misspelt = text.replacen("cluster", "clustr", 1);
    let fault = Releases::parse(&misspelt, "releases.yaml").unwrap_err().to_string();
    assert!(readme.contains(fault.trim()), "{fault}");
}
