//! Tests of `releases.yaml`'s reader and schema against each other.

mod cases;
mod check_cases;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::migration_rule::{Dialect, Rule};

const EXAMPLE: &str = include_str!("../../../tests/releases.yaml");
/// Every key of checks.
const CHECKS: &str = include_str!("tests/checks.yaml");
const SCHEMA: &str = include_str!("../../releases.schema.json");

use cases::{ByReaderOnly, BySchemaToo, CASES, Case, InTheYaml};
use check_cases::CHECK_CASES;

fn faults(text: &str) -> String {
    Releases::parse(text, "f").map(|_| "none".to_owned()).unwrap_or_else(|faults| faults.to_string())
}

fn changed(from: &str, to: &str) -> String {
    changed_in(EXAMPLE, from, to)
}

fn changed_in(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// Each with the text that it makes.
fn all_cases() -> impl Iterator<Item = (String, &'static Case)> {
    let of = |text: &'static str, cases: &'static [Case]| {
        cases.iter().map(move |case| (changed_in(text, case.1, case.2), case))
    };
    of(EXAMPLE, CASES).chain(of(CHECKS, CHECK_CASES))
}

fn as_json(text: &str) -> Option<serde_json::Value> {
    let root = tree::parse(text).ok()??;
    let context = cursor::Context::default();
    let json = cursor::Value::root(&root, &context).json();
    if context.into_faults().is_empty() { json } else { None }
}

/// Every key that there is.
fn complete() -> serde_json::Value {
    let checks = as_json(CHECKS).unwrap()["services"]["api"]["checks"].take();
    let smoke = &checks["before-allow-traffic"];
    json!({ "services": {
        "api": {
            "cluster": "c",
            "service": "s",
            "images": [{ "repository": "r", "container": "c", "tags": ".*" }],
            "deploy": { "codedeploy": { "application": "a", "group": "g" } },
            "checks": {
                "before-install": checks["before-install"],
                "after-install": checks["after-install"],
                "after-allow-test-traffic": smoke,
                "before-allow-traffic": smoke,
                "after-allow-traffic": smoke,
            },
            "alarms": ["a"],
            "watch": "0s",
            "gates": {
                "scan": { "block": Severity::ALL.map(Severity::as_str), "wait": "90s" },
                "freeze": ["fri 16:00 - mon 08:00 UTC"],
            },
            "notify": { "slack": "#s", "alarms": "#a", "unwatched-alarms": true },
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

fn get(path: &str) -> SmokeRequest {
    SmokeRequest {
        method: Method::Get,
        path: path.into(),
        headers: Vec::new(),
        body: None,
        status: vec![200..=200],
        response_headers: Vec::new(),
        json: Vec::new(),
        response_body: None,
        max_time: Duration::from_secs(10),
        repeat: None,
        follow_redirects: false,
        version: None,
    }
}

/// The checks of the example's first service.
fn checks() -> Checks {
    let health = JsonTest {
        path: JsonPath::new("status").unwrap(),
        test: Test { tests: vec![Comparison::Equals(json!("healthy"))] },
    };
    let secret = SecretRef { name: "api/smoke-token".into(), field: None };
    let token = Text { plain: String::new(), secret: Some(secret) };
    let task = OneOff {
        container: "api".into(),
        command: vec!["node".into(), "migrate.js".into()],
        timeout: minutes(30),
    };
    let migrate = Migrate { task, snapshot: None };
    let smoke = Smoke {
        reach: Reach::BaseUrl("https://api.internal:8443".into()),
        within: minutes(1),
        concurrency: 4,
        requests: vec![
            SmokeRequest { json: vec![health], ..get("/health") },
            SmokeRequest { headers: vec![("authorization".into(), token)], ..get("/me") },
        ],
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
        notify: Notify { slack: Some("#deploys".into()), alarms: Some("#ops".into()), unwatched: false },
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
fn every_key_of_checks_is_read_as_it_is_written() {
    let releases = Releases::parse(CHECKS, "f").unwrap();
    let checks = &releases.services()[0].checks;
    let task = |arguments: &[&str], timeout| OneOff {
        container: "api".into(),
        command: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        timeout: minutes(timeout),
    };
    let check = MigrationCheck {
        task: task(&["node", "migrate.js", "--print"], 5),
        dialect: Dialect::Postgresql,
        allow: vec![Rule::DropColumn],
    };
    let migrate = Migrate { task: task(&["node", "migrate.js"], 55), snapshot: Some("api-db".into()) };
    assert_eq!(checks.before_install, [Check::MigrationCheck(check), Check::Migrate(migrate)]);
    let tasks = Smoke {
        reach: Reach::Tasks { port: Some(8080) },
        within: minutes(2),
        concurrency: 8,
        requests: vec![orders(), SmokeRequest { method: Method::Head, ..get("/") }],
    };
    assert_eq!(checks.after_install, [Check::Smoke(tasks)]);
    let Check::Smoke(smoke) = &checks.before_allow_traffic[0] else { panic!() };
    let text = Text::parse("Hello secret:api/token").unwrap();
    let version = Some(Version::Json(JsonPath::new("$.version").unwrap()));
    let put = SmokeRequest { method: Method::Put, body: Some(Body::Text(text)), version, ..get("/") };
    let version = Some(Version::Body(Pattern::new("v ([^ ]+)").unwrap()));
    assert_eq!(smoke.requests, [put, SmokeRequest { version, ..get("/") }]);
}

/// The first request of `checks.yaml`.
fn orders() -> SmokeRequest {
    let json = |path: &str, tests| JsonTest { path: JsonPath::new(path).unwrap(), test: Test { tests } };
    let pattern = |text: &str| Pattern::new(text).unwrap();
    SmokeRequest {
        method: Method::Post,
        headers: vec![("authorization".into(), Text::parse("Bearer secret:api/token#field").unwrap())],
        body: Some(Body::Json(
            json!({ "key": "secret:api/key", "more": ["secret:api/other", "no secret:x", 1] }),
        )),
        status: vec![200..=204, 302..=302],
        response_headers: vec![("content-type".into(), pattern("application/json.*"))],
        json: vec![
            json("status", vec![Comparison::Equals(json!("healthy"))]),
            json("$.queue.depth", vec![Comparison::AtLeast(0.0), Comparison::AtMost(10.5)]),
            json("$.build", vec![Comparison::Matches(pattern("v[0-9]+"))]),
        ],
        response_body: Some(pattern("welcome")),
        max_time: Duration::from_millis(500),
        repeat: Some(Repeat { times: 50, failures: 1, p95: Some(Duration::from_millis(300)) }),
        follow_redirects: true,
        version: Some(Version::Header("x-version".into())),
        ..get("/orders")
    }
}

#[test]
fn a_method_is_what_its_key_says() {
    for method in Method::ALL {
        let key = method.as_str().to_lowercase();
        let releases = Releases::parse(&changed_in(CHECKS, "head: /", &format!("{key}: /")), "f").unwrap();
        let Check::Smoke(smoke) = &releases.services()[0].checks.after_install[0] else { panic!() };
        assert_eq!(smoke.requests[1].method, method);
    }
}

#[test]
fn the_secrets_of_all_checks_are_told_once_each() {
    let releases = Releases::parse(CHECKS, "f").unwrap();
    let secrets: Vec<_> = releases.services()[0].checks.secrets().iter().map(SecretRef::to_string).collect();
    assert_eq!(secrets, ["secret:api/key", "secret:api/other", "secret:api/token", "secret:api/token#field"]);
}

#[test]
fn what_checks_leave_out_has_its_default() {
    let text = changed_in(CHECKS, "            timeout: 5m\n", "")
        .replace(", timeout: 55m", "")
        .replace("{ port: 8080 }", "{}")
        .replace(", failures: 1, p95: 300ms", "")
        .replace("            within: 2m\n            concurrency: 8\n", "");
    let releases = Releases::parse(&text, "f").unwrap();
    let checks = &releases.services()[0].checks;
    let [Check::MigrationCheck(check), Check::Migrate(migrate)] = &checks.before_install[..] else {
        panic!()
    };
    assert_eq!((check.task.timeout, migrate.task.timeout), (minutes(5), minutes(30)));
    let [Check::Smoke(smoke)] = &checks.after_install[..] else { panic!() };
    assert_eq!(
        (&smoke.reach, smoke.within, smoke.concurrency),
        (&Reach::Tasks { port: None }, minutes(1), 4)
    );
    assert_eq!(smoke.requests[0].repeat, Some(Repeat { times: 50, failures: 0, p95: None }));
}

#[test]
fn services_that_ecs_rolls_may_have_checks_too() {
    let deploy = "codedeploy: { application: a, group: g }";
    assert_eq!(faults(&changed_in(CHECKS, deploy, "ecs: {}")), "none");
}

#[test]
fn an_alias_is_read_as_what_it_names() {
    let text = changed("notify: {", "notify: &notify {") + "    notify: *notify\n";
    let releases = Releases::parse(&text, "f").unwrap();
    assert_eq!(releases.services()[1].notify, releases.services()[0].notify);
}

#[test]
fn each_fault_is_told_with_its_place_and_the_way_out() {
    for (text, (_, from, to, told)) in all_cases() {
        assert_eq!(faults(&text), *told, "'{from}' as '{to}'");
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
    let found = [
        releases.by_name("p7"),
        releases.by_service("api-cluster", "s7"),
        releases.deployed_by("api-deploy", "p7"),
    ];
    assert_eq!(found.map(|service| service.map(|service| service.name.as_str())), [Some("p7"); 3]);
    let missing = [
        releases.by_name("s7"),
        releases.by_service("s7", "api-cluster"),
        releases.deployed_by("api-deploy", "p1000"),
    ];
    assert_eq!(missing, [None; 3]);
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
    for (text, (found, from, to, _)) in all_cases() {
        let by_schema = as_json(&text).map(|document| !schema.is_valid(&document));
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
    let before_install = "/services/api/checks/before-install";
    let smoke = "/services/api/checks/after-install/0/smoke";
    for (place, of) in [
        ("", ""),
        ("/services/api", "/$defs/Service"),
        ("/services/api/images/0", "/$defs/Image"),
        ("/services/api/deploy", "/$defs/Deploy"),
        ("/services/api/deploy/codedeploy", "/$defs/CodeDeploy"),
        ("/services/api/checks", "/$defs/Checks"),
        (&format!("{before_install}/0"), "/$defs/Check"),
        (&format!("{before_install}/0/migration-check"), "/$defs/MigrationCheck"),
        (&format!("{before_install}/1/migrate"), "/$defs/Migrate"),
        (smoke, "/$defs/Smoke"),
        (&format!("{smoke}/tasks"), "/$defs/Tasks"),
        (&format!("{smoke}/requests/0"), "/$defs/Request"),
        (&format!("{smoke}/requests/0/json/$.queue.depth"), "/$defs/Comparison"),
        (&format!("{smoke}/requests/0/repeat"), "/$defs/Repeat"),
        (&format!("{smoke}/requests/0/version"), "/$defs/Version"),
        ("/services/api/gates", "/$defs/Gates"),
        ("/services/api/gates/scan", "/$defs/Scan"),
        ("/services/api/notify", "/$defs/Notify"),
    ] {
        let mut document = complete();
        document.pointer_mut(place).unwrap()["unheard-of-key"] = json!(1);
        let told = faults(&document.to_string());
        let (_, known) = told.split_once("; the keys here are ").unwrap();
        let described = schema.pointer(of).unwrap();
        let choices = described["oneOf"].as_array().into_iter().flatten();
        let keys: BTreeSet<_> = choices
            .chain([described])
            .filter_map(|choice| choice["properties"].as_object())
            .flat_map(|properties| properties.keys())
            .collect();
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
    fn no_slip_in_an_example_makes_the_reader_panic(
        (example, at) in prop::sample::select(&[EXAMPLE, CHECKS][..]).prop_flat_map(|text| (Just(text), 0..text.len())),
        lost in 0..30_usize,
        new in "([a-z0-9:#&*!|>'\"{}$?@,~. \n-]|\\[|\\]){0,8}",
    ) {
        let lost = example.get(at..(at + lost).min(example.len())).unwrap_or_default();
        let text = format!("{}{new}{}", &example[..at], &example[at + lost.len()..]);
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
fn the_readmes_files_are_right() {
    let readme = include_str!("../../../README.md");
    let files: Vec<_> =
        readme.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    for file in &files {
        assert_eq!(faults(file), "none", "{file}");
    }
    let misspelt = files[0].replacen("cluster", "clustr", 1);
    let fault = Releases::parse(&misspelt, "releases.yaml").unwrap_err().to_string();
    assert!(readme.contains(fault.trim()), "{fault}");
}

/// Its second file is about checks.
#[test]
fn the_readme_documents_every_key_of_checks() {
    let readme = include_str!("../../../README.md");
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    for of in ["Check", "Migrate", "MigrationCheck", "Smoke", "Tasks", "Request", "Comparison", "Repeat"] {
        let described = &schema["$defs"][of];
        let choices = described["oneOf"].as_array().into_iter().flatten().chain([described]);
        let properties = choices.filter_map(|choice| choice["properties"].as_object());
        for key in properties.flat_map(|properties| properties.keys()) {
            assert!(readme.contains(&format!("`{key}`")), "{of}: {key}");
        }
    }
}
