//! The schema's part on checks.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::migration_rule::Rule;

/// The checks of each lifecycle event of a deployment, in the order in which they run.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Checks {
    /// Before the new tasks start: migrations and what is checked of them.
    pub before_install: Option<Vec<Check>>,
    /// After the new tasks have started: smoke checks that reach the tasks themselves.
    pub after_install: Option<Vec<Check>>,
    /// With the test listener on the new tasks.
    pub after_allow_test_traffic: Option<Vec<Check>>,
    /// Before the first of production's traffic reaches the new tasks.
    pub before_allow_traffic: Option<Vec<Check>>,
    /// With all of production's traffic on the new tasks.
    pub after_allow_traffic: Option<Vec<Check>>,
}

/// One check.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Check {
    /// A one-off task of the new revision that must end with exit code 0; before-install only.
    Migrate(Migrate),
    /// A one-off task that prints the migration's SQL, which must not break the version that
    /// still serves; before-install only.
    MigrationCheck(MigrationCheck),
    /// Requests that must be answered as said; not in before-install.
    Smoke(Smoke),
}

/// A one-off task of the new revision.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Migrate {
    /// The container that runs the command.
    #[schemars(length(min = 1))]
    pub container: String,
    /// Program and arguments, each in an item of its own.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// How long it may take, 55m at most; 30m unless given.
    #[schemars(length(min = 1))]
    pub timeout: Option<String>,
    /// The RDS cluster or instance of which a snapshot is taken first.
    #[schemars(length(max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$"))]
    pub snapshot: Option<String>,
}

/// A one-off task of the new revision that prints SQL and runs none.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct MigrationCheck {
    /// The container that runs the command.
    #[schemars(length(min = 1))]
    pub container: String,
    /// Program and arguments, each in an item of its own.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// How long it may take, 55m at most; 5m unless given.
    #[schemars(length(min = 1))]
    pub timeout: Option<String>,
    /// Whose SQL it is.
    pub dialect: Dialect,
    /// Rules that this migration may break; each once.
    #[schemars(extend("items" = { "type": "string", "enum": Rule::ALL.map(Rule::as_str) }))]
    pub allow: Option<Vec<String>>,
}

/// The database whose SQL it is.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Dialect {
    Postgresql,
    Mysql,
}

/// Requests to one place, or to each of the new tasks.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    rename_all = "kebab-case",
    extend("oneOf" = one_required(&["base-url", "tasks"]))
)]
pub struct Smoke {
    /// Scheme, host and perhaps port of the test listener, such as https://api.internal:8443; no path.
    #[schemars(regex(pattern = r"^https?://[^/?#@]+$"))]
    pub base_url: Option<String>,
    /// Each new task at its own address, by plain HTTP.
    pub tasks: Option<Tasks>,
    /// How long the service may take to be ready, 10m at most; 1m unless given.
    #[schemars(length(min = 1))]
    pub within: Option<String>,
    /// How many requests run side by side; 4 unless given.
    #[schemars(range(min = 1, max = 32))]
    pub concurrency: Option<u16>,
    /// What is sent.
    #[schemars(length(min = 1))]
    pub requests: Vec<Request>,
}

/// The tasks' own addresses.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tasks {
    /// The port behind the load balancer unless given.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
}

/// A request, of which one method names the path, and its answer.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    rename_all = "kebab-case",
    extend("oneOf" = one_required(&["get", "head", "post", "put", "patch", "delete", "options"]))
)]
pub struct Request {
    /// The path, from / on.
    #[schemars(regex(pattern = r"^/[^#]*$"))]
    pub get: Option<String>,
    /// The path, from / on. Its answer has no body.
    #[schemars(regex(pattern = r"^/[^#]*$"))]
    pub head: Option<String>,
    /// The path, from / on.
    #[schemars(regex(pattern = r"^/[^#]*$"))]
    pub post: Option<String>,
    /// The path, from / on.
    #[schemars(regex(pattern = r"^/[^#]*$"))]
    pub put: Option<String>,
    /// The path, from / on.
    #[schemars(regex(pattern = r"^/[^#]*$"))]
    pub patch: Option<String>,
    /// The path, from / on.
    #[schemars(regex(pattern = r"^/[^#]*$"))]
    pub delete: Option<String>,
    /// The path, from / on.
    #[schemars(regex(pattern = r"^/[^#]*$"))]
    pub options: Option<String>,
    /// Headers to send. A value may end in a secret: 'Bearer secret:name' or secret:name#field.
    pub headers: Option<BTreeMap<String, String>>,
    /// Text, which may end in a secret, or a mapping or list that is sent as JSON, in which a
    /// whole string may be one.
    pub body: Option<Body>,
    /// The status that the answer must have, a range such as '200-299', or a list of these; 200
    /// unless given.
    pub status: Option<Status>,
    /// Headers that the answer must have, each with a regular expression for the whole value.
    pub response_headers: Option<BTreeMap<String, String>>,
    /// What the answer's JSON must be: members at its top with these values, and JSONPaths, which
    /// begin with $, with values or comparisons.
    pub json: Option<JsonTests>,
    /// A regular expression to be found anywhere in the answer's body.
    #[schemars(length(min = 1))]
    pub response_body: Option<String>,
    /// An answer later than this fails; 10s unless given, 10m at most.
    #[schemars(length(min = 1))]
    pub max_time: Option<String>,
    /// To be sent more than once.
    pub repeat: Option<Repeat>,
    /// Whether redirects within the same origin are followed; false unless given.
    pub follow_redirects: Option<bool>,
    /// Where the answer shows its version, which must be what is being deployed.
    pub version: Option<Version>,
}

/// Text, or what is sent as JSON.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Body {
    Text(String),
    Members(Map<String, Value>),
    Items(Vec<Value>),
}

/// One status, a range, or a list of these.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Status {
    One(OneStatus),
    Any(#[schemars(length(min = 1))] Vec<OneStatus>),
}

/// A status such as 200, or a range such as '200-299'.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum OneStatus {
    Code(#[schemars(range(min = 100, max = 599))] u16),
    Range(#[schemars(regex(pattern = r"^[1-5][0-9]{2}-[1-5][0-9]{2}$"))] String),
}

/// Values and comparisons by the names of members and by JSONPaths.
pub struct JsonTests(pub BTreeMap<String, Comparison>);

/// No derive: only the paths' values may be comparisons.
impl JsonSchema for JsonTests {
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let comparison = generator.subschema_for::<Comparison>();
        let literal = json!({ "not": { "type": "object" } });
        json_schema!({
            "type": "object",
            "patternProperties": { "^\\$": { "anyOf": [literal, comparison] } },
        })
    }
}

/// What a JSONPath finds is compared; all of these must hold.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case", extend("minProperties" = 1))]
pub struct Comparison {
    /// Deeply the same.
    pub equals: Option<Value>,
    /// A regular expression for the whole string.
    #[schemars(length(min = 1))]
    pub matches: Option<String>,
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
    pub above: Option<f64>,
    pub below: Option<f64>,
}

/// The same request several times.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Repeat {
    /// How often it is sent.
    #[schemars(range(min = 2, max = 1000))]
    pub times: u16,
    /// How many may fail, less than times; 0 unless given.
    #[schemars(range(max = 999))]
    pub failures: Option<u16>,
    /// Within this, 95 of a hundred answers came.
    #[schemars(length(min = 1))]
    pub p95: Option<String>,
}

/// Where an answer shows its version.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Version {
    /// In the header of this name.
    Header(#[schemars(length(min = 1))] String),
    /// Where this JSONPath leads.
    Json(#[schemars(length(min = 1))] String),
    /// Where this regular expression is found in the body: its first group, or the whole match.
    Body(#[schemars(length(min = 1))] String),
}

fn one_required(keys: &[&str]) -> Value {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}
