//! Functions: their code and configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Function, arn, function, invalid, local, named, page, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::tags;
use crate::time::iso_offset;

/// Runtimes whose functions are programs that speak the Runtime API themselves.
const RUNTIMES: &[&str] = &["provided.al2023", "provided.al2"];

/// Settings that would change how a function runs, and that nothing here honours.
const NOT_HERE: &[&str] = &[
    "FileSystemConfigs",
    "CodeSigningConfigArn",
    "ImageConfig",
    "TenancyConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "RuntimeConfig",
    "AcceleratorConfig",
    "PublishTo",
];

/// Variables that Lambda sets itself.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

pub fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = local(cloud, text(input, "FunctionName"))?;
    if name.len() > 64 {
        return Err(Fault::new(
            "ValidationException",
            format!(
                "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"
            ),
        ));
    }
    if cloud.state.lambda.functions.contains_key(&name) {
        let message = format!("Function already exist: {name}");
        return Err(Fault::new("ResourceConflictException", message).with("Type", "User"));
    }
    if text(input, "PackageType") == "Image" {
        return Err(Fault::not_modelled("lambda functions as images; use a zip with 'bootstrap'"));
    }
    if input["Publish"] == true {
        return Err(Fault::not_modelled("lambda versions (Publish)"));
    }
    let code = package(cloud, &input["Code"])?;
    let mut made = Function {
        runtime: String::new(),
        role: text(input, "Role").to_owned(),
        handler: String::new(),
        description: String::new(),
        timeout_seconds: 3,
        memory_mb: 128,
        architectures: architectures(input),
        environment: BTreeMap::new(),
        dead_letter: None,
        tracing: "PassThrough".into(),
        code_sha256: code.0,
        code_size: code.1,
        modified: cloud.now,
        revision: cloud.ids.uuid(),
        tags: tags::from_map(&input["Tags"]),
        policy: Vec::new(),
        reserved_concurrency: None,
        invoke_config: None,
        ephemeral_storage_mb: 512,
        kms_key: None,
    };
    check_logging(&name, &input["LoggingConfig"])?;
    configure(&mut made, input)?;
    if made.runtime.is_empty() || made.handler.is_empty() {
        return Err(invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    cloud.state.lambda.functions.insert(name.clone(), made);
    shown(cloud, &name)
}

fn architectures(input: &Value) -> Vec<String> {
    let given: Vec<_> =
        input["Architectures"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if given.is_empty() { vec!["x86_64".into()] } else { given.into_iter().map(str::to_owned).collect() }
}

/// Keeps a deployment package. Gives its sha256 and size.
fn package(cloud: &mut Cloud, code: &Value) -> Result<(String, usize), Fault> {
    let Some(zip) = code["ZipFile"].as_str() else {
        return Err(Fault::not_modelled("lambda code from S3 or an image; give the package as ZipFile"));
    };
    let bytes = STANDARD.decode(zip).map_err(|e| invalid(format!("ZipFile is not base64: {e}")))?;
    if !bytes.starts_with(b"PK") {
        return Err(invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ));
    }
    let sha256 = STANDARD.encode(Sha256::digest(&bytes));
    let size = bytes.len();
    cloud.state.lambda.packages.insert(sha256.clone(), Arc::from(bytes));
    Ok((sha256, size))
}

/// Takes over what an input sets.
fn configure(function: &mut Function, input: &Value) -> Result<(), Fault> {
    if let Some(setting) = NOT_HERE.iter().find(|setting| !input[**setting].is_null()) {
        return Err(Fault::not_modelled(format!("lambda functions with {setting}")));
    }
    if input["Layers"].as_array().is_some_and(|layers| !layers.is_empty()) {
        return Err(Fault::not_modelled("lambda layers; put the files into the package"));
    }
    if input["VpcConfig"]["SubnetIds"].as_array().is_some_and(|subnets| !subnets.is_empty()) {
        return Err(Fault::not_modelled("lambda functions in a VPC"));
    }
    if input["SnapStart"]["ApplyOn"].as_str().is_some_and(|on| on != "None") {
        return Err(Fault::not_modelled("lambda SnapStart"));
    }
    if let Some(runtime) = input["Runtime"].as_str() {
        if !RUNTIMES.contains(&runtime) {
            return Err(Fault::not_modelled(format!(
                "lambda runtime {runtime}; there are {}",
                RUNTIMES.join(", ")
            )));
        }
        function.runtime = runtime.to_owned();
    }
    let texts = [
        ("Role", &mut function.role),
        ("Handler", &mut function.handler),
        ("Description", &mut function.description),
    ];
    for (member, field) in texts {
        if let Some(given) = input[member].as_str() {
            given.clone_into(field);
        }
    }
    if let Some(mode) = input["TracingConfig"]["Mode"].as_str() {
        mode.clone_into(&mut function.tracing);
    }
    function.timeout_seconds = input["Timeout"].as_u64().unwrap_or(function.timeout_seconds);
    if function.timeout_seconds > 900 {
        return Err(invalid("Timeout must be at most 900 seconds"));
    }
    function.memory_mb = input["MemorySize"].as_u64().unwrap_or(function.memory_mb);
    function.ephemeral_storage_mb =
        input["EphemeralStorage"]["Size"].as_u64().unwrap_or(function.ephemeral_storage_mb);
    if let Some(key) = input["KMSKeyArn"].as_str() {
        function.kms_key = (!key.is_empty()).then(|| key.to_owned());
    }
    if !input["Environment"].is_null() {
        function.environment = environment(&input["Environment"]["Variables"])?;
    }
    if !input["DeadLetterConfig"].is_null() {
        function.dead_letter = dead_letter(text(&input["DeadLetterConfig"], "TargetArn"))?;
    }
    Ok(())
}

fn environment(variables: &Value) -> Result<BTreeMap<String, String>, Fault> {
    const PREFIX: &str = "Lambda was unable to configure your environment variables because the environment variables you have provided";
    let variables = tags::from_map(variables);
    let reserved: Vec<_> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "{PREFIX} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let written = json!(variables).to_string();
    if written.len() > 4_096 {
        return Err(invalid(format!("{PREFIX} exceeded the 4KB limit. String measured: {written}")));
    }
    Ok(variables)
}

fn dead_letter(target: &str) -> Result<Option<String>, Fault> {
    match target.split(':').nth(2) {
        None if target.is_empty() => Ok(None),
        Some("sqs" | "sns") => Ok(Some(target.to_owned())),
        _ => Err(invalid(format!("The provided dead-letter target {target} is neither a queue nor a topic"))),
    }
}

/// The log group and format are Lambda's own: the host writes there, and as text.
fn check_logging(name: &str, config: &Value) -> Result<(), Fault> {
    let others = [
        config["LogFormat"].as_str().filter(|format| *format != "Text"),
        config["LogGroup"].as_str().filter(|group| *group != format!("/aws/lambda/{name}")),
        config["ApplicationLogLevel"].as_str(),
        config["SystemLogLevel"].as_str(),
    ];
    match others.into_iter().flatten().next() {
        Some(other) => Err(Fault::not_modelled(format!(
            "lambda LoggingConfig with {other}; logs are text in /aws/lambda/{name}"
        ))),
        None => Ok(()),
    }
}

pub fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    let endpoint = cloud.settings.endpoint.clone();
    let found = function(cloud, &name)?;
    let path = found.code_sha256.replace('+', "-").replace('/', "_");
    let (tags, concurrency) = (found.tags.clone(), found.reserved_concurrency);
    Ok(json!({
        "Configuration": shown(cloud, &name)?,
        "Code": { "RepositoryType": "S3", "Location": format!("{endpoint}/_cloud/packages/{path}") },
        "Tags": if tags.is_empty() { Value::Null } else { json!(tags) },
        "Concurrency": concurrency.map(|n| json!({ "ReservedConcurrentExecutions": n })),
    }))
}

pub fn configuration(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    shown(cloud, &name)
}

pub fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let names: Vec<_> = cloud.state.lambda.functions.keys().cloned().collect();
    let rows = names.iter().map(|name| shown(cloud, name)).collect::<Result<_, _>>()?;
    page(rows, "Functions", input)
}

pub fn update_code(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    if input["Publish"] == true || !input["PublishTo"].is_null() {
        return Err(Fault::not_modelled("lambda versions (Publish)"));
    }
    same_revision(cloud, &name, input)?;
    let (code_sha256, code_size) = package(cloud, input)?;
    if input["DryRun"] != true {
        let (now, revision) = (cloud.now, cloud.ids.uuid());
        let changed = function(cloud, &name)?;
        (changed.code_sha256, changed.code_size) = (code_sha256, code_size);
        (changed.modified, changed.revision) = (now, revision);
        if !input["Architectures"].is_null() {
            changed.architectures = architectures(input);
        }
    }
    shown(cloud, &name)
}

pub fn update_configuration(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    same_revision(cloud, &name, input)?;
    let (now, revision) = (cloud.now, cloud.ids.uuid());
    let mut changed = function(cloud, &name)?.clone();
    check_logging(&name, &input["LoggingConfig"])?;
    configure(&mut changed, input)?;
    (changed.modified, changed.revision) = (now, revision);
    *function(cloud, &name)? = changed;
    shown(cloud, &name)
}

pub fn same_revision(cloud: &mut Cloud, name: &str, input: &Value) -> Result<(), Fault> {
    let current = &function(cloud, name)?.revision;
    match input["RevisionId"].as_str() {
        Some(given) if given != current => Err(Fault::new(
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId",
        )),
        _ => Ok(()),
    }
}

/// What runs goes on to its end.
pub fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = named(cloud, input)?;
    cloud.state.lambda.functions.remove(&name);
    Ok(json!({ "StatusCode": 204 }))
}

/// As GetFunctionConfiguration gives it.
pub fn shown(cloud: &mut Cloud, name: &str) -> Result<Value, Fault> {
    let arn = arn(cloud, name);
    let function = function(cloud, name)?;
    let environment =
        (!function.environment.is_empty()).then(|| json!({ "Variables": function.environment }));
    Ok(json!({
        "FunctionName": name,
        "FunctionArn": arn,
        "Runtime": function.runtime,
        "Role": function.role,
        "Handler": function.handler,
        "CodeSize": function.code_size,
        "Description": function.description,
        "Timeout": function.timeout_seconds,
        "MemorySize": function.memory_mb,
        "LastModified": iso_offset(function.modified),
        "CodeSha256": function.code_sha256,
        "Version": "$LATEST",
        "DeadLetterConfig": function.dead_letter.as_ref().map(|arn| json!({ "TargetArn": arn })),
        "Environment": environment,
        "TracingConfig": { "Mode": function.tracing },
        "RevisionId": function.revision,
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": function.architectures,
        "EphemeralStorage": { "Size": function.ephemeral_storage_mb },
        "KMSKeyArn": function.kms_key,
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
        "LoggingConfig": { "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") },
    }))
}
