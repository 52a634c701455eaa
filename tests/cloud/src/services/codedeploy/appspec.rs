//! The AppSpec of an ECS deployment, in JSON or YAML: which task definition, which container
//! behind the load balancer, and the Lambda function of each hook.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::lifecycle::Event;
use crate::fault::Fault;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct AppSpec {
    pub task_definition: String,
    pub container: String,
    pub port: u64,
    pub platform_version: Option<String>,
    /// As ECS's CreateTaskSet takes it.
    pub network: Option<Value>,
    /// As ECS's CreateTaskSet takes it.
    pub capacity_providers: Option<Value>,
    pub hooks: BTreeMap<Event, String>,
}

/// Reads an AppSpec; its keys are taken in any case, as CodeDeploy takes them.
pub(super) fn parse(content: &str) -> Result<AppSpec, Fault> {
    let spec = value(content)?;
    let spec = object(&spec, "The AppSpec")?;
    check_version(get(spec, "version"))?;
    let service = target_service(get(spec, "Resources"))?;
    if get(service, "Type").and_then(Value::as_str) != Some("AWS::ECS::Service") {
        return Err(invalid("The type of the AppSpec's target service must be AWS::ECS::Service"));
    }
    let properties = get(service, "Properties").ok_or_else(|| missing("Properties"))?;
    let properties = object(properties, "Properties")?;
    let balancer = get(properties, "LoadBalancerInfo").ok_or_else(|| missing("LoadBalancerInfo"))?;
    let balancer = object(balancer, "LoadBalancerInfo")?;
    let network = get(properties, "NetworkConfiguration");
    let providers = get(properties, "CapacityProviderStrategy");
    Ok(AppSpec {
        task_definition: string(properties, "TaskDefinition")?,
        container: string(balancer, "ContainerName")?,
        port: get(balancer, "ContainerPort")
            .and_then(Value::as_u64)
            .filter(|port| (1..=65_535).contains(port))
            .ok_or_else(|| invalid("ContainerPort must be a number between 1 and 65535"))?,
        platform_version: match get(properties, "PlatformVersion") {
            None | Some(Value::Null) => None,
            Some(_) => Some(string(properties, "PlatformVersion")?),
        },
        network: network.filter(|v| !v.is_null()).map(network_configuration).transpose()?,
        capacity_providers: providers.filter(|v| !v.is_null()).map(capacity_providers).transpose()?,
        hooks: hooks(get(spec, "Hooks"))?,
    })
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault::new("InvalidRevisionException", text)
}

fn missing(key: &str) -> Fault {
    invalid(format!("The AppSpec is missing the required key {key}"))
}

fn value(content: &str) -> Result<Value, Fault> {
    if content.trim_start().starts_with('{') {
        return serde_json::from_str(content)
            .map_err(|e| invalid(format!("The AppSpec is not well-formed JSON: {e}")));
    }
    serde_saphyr::from_str(content).map_err(|e| invalid(format!("The AppSpec is not well-formed YAML: {e}")))
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, Fault> {
    value.as_object().ok_or_else(|| invalid(format!("{what} must be a map")))
}

fn get<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

fn string(object: &Map<String, Value>, key: &str) -> Result<String, Fault> {
    match get(object, key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) => Err(invalid(format!("{key} must be a string that is not empty"))),
        None => Err(missing(key)),
    }
}

fn check_version(version: Option<&Value>) -> Result<(), Fault> {
    let fits = match version {
        None => return Err(missing("version")),
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::String(text)) => text == "0.0",
        Some(_) => false,
    };
    if fits { Ok(()) } else { Err(invalid("The version of the AppSpec must be 0.0")) }
}

fn target_service(resources: Option<&Value>) -> Result<&Map<String, Value>, Fault> {
    let resources = resources.ok_or_else(|| missing("Resources"))?;
    let resources = resources.as_array().map_or(&[][..], Vec::as_slice);
    let [resource] = resources else {
        return Err(invalid("Resources must be a list of exactly one target service"));
    };
    let mut services = object(resource, "The target service")?.values();
    match (services.next(), services.next()) {
        (Some(service), None) => object(service, "The target service"),
        _ => Err(invalid("Resources must be a list of exactly one target service")),
    }
}

/// `{AwsvpcConfiguration: {Subnets, SecurityGroups, AssignPublicIp}}`
fn network_configuration(value: &Value) -> Result<Value, Fault> {
    let network = object(value, "NetworkConfiguration")?;
    let vpc = get(network, "AwsvpcConfiguration").ok_or_else(|| missing("AwsvpcConfiguration"))?;
    let vpc = object(vpc, "AwsvpcConfiguration")?;
    let subnets = get(vpc, "Subnets").filter(|v| v.is_array()).ok_or_else(|| missing("Subnets"))?;
    Ok(json!({ "awsvpcConfiguration": {
        "subnets": subnets,
        "securityGroups": get(vpc, "SecurityGroups").cloned().unwrap_or(json!([])),
        "assignPublicIp": get(vpc, "AssignPublicIp").cloned().unwrap_or(json!("DISABLED")),
    }}))
}

/// `[{CapacityProvider, Base, Weight}]`
fn capacity_providers(value: &Value) -> Result<Value, Fault> {
    let items = value.as_array().ok_or_else(|| invalid("CapacityProviderStrategy must be a list"))?;
    let item = |value: &Value| {
        let item = object(value, "An item of CapacityProviderStrategy")?;
        let number = |key: &str| get(item, key).and_then(Value::as_u64).unwrap_or(0);
        Ok(json!({
            "capacityProvider": string(item, "CapacityProvider")?,
            "base": number("Base"),
            "weight": number("Weight"),
        }))
    };
    items.iter().map(item).collect()
}

/// A list of maps with one key each: the lifecycle event.
fn hooks(value: Option<&Value>) -> Result<BTreeMap<Event, String>, Fault> {
    let mut hooks = BTreeMap::new();
    let Some(value) = value.filter(|v| !v.is_null()) else { return Ok(hooks) };
    let entries =
        value.as_array().ok_or_else(|| invalid("Hooks must be a list of maps with one key each"))?;
    for entry in entries {
        let entry = object(entry, "A hook")?;
        let (name, function) = match (entry.iter().next(), entry.len()) {
            (Some(hook), 1) => hook,
            _ => return Err(invalid("Hooks must be a list of maps with one key each")),
        };
        let event = Event::with_hook(name)
            .ok_or_else(|| invalid(format!("{name} is not a lifecycle event that can have a hook")))?;
        let function = function
            .as_str()
            .filter(|f| !f.is_empty())
            .ok_or_else(|| invalid(format!("The hook {name} must name one Lambda function")))?;
        if hooks.insert(event, function.to_owned()).is_some() {
            return Err(invalid(format!("The hook {name} is specified twice")));
        }
    }
    Ok(hooks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "\
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7
        LoadBalancerInfo:
          ContainerName: web
          ContainerPort: 8080
        PlatformVersion: 1.4.0
        NetworkConfiguration:
          AwsvpcConfiguration:
            Subnets: [subnet-1]
        CapacityProviderStrategy:
          - CapacityProvider: FARGATE
            Base: 1
            Weight: 2
Hooks:
  - BeforeInstall: before
  - AfterAllowTestTraffic: arn:aws:lambda:eu-west-1:123456789012:function:smoke
";

    fn refused(content: &str) -> String {
        let fault = parse(content).unwrap_err();
        assert_eq!(fault.shape, "InvalidRevisionException");
        fault.message
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = parse(YAML).unwrap();
        let json = value(YAML).unwrap().to_string();
        assert_eq!(parse(&json).unwrap(), yaml);
        assert_eq!(yaml.port, 8080);
        assert_eq!(yaml.platform_version.as_deref(), Some("1.4.0"));
        assert_eq!(yaml.network.unwrap()["awsvpcConfiguration"]["subnets"], json!(["subnet-1"]));
        assert_eq!(
            yaml.capacity_providers.unwrap(),
            json!([{ "capacityProvider": "FARGATE", "base": 1, "weight": 2 }])
        );
        assert_eq!(yaml.hooks[&Event::BeforeInstall], "before");
        assert_eq!(yaml.hooks.len(), 2);
    }

    #[test]
    fn what_codedeploy_would_not_take_is_refused() {
        assert!(refused("[").contains("YAML"));
        assert!(refused("{").contains("JSON"));
        assert!(refused(&YAML.replace("version: 0.0", "version: 1.0")).contains("0.0"));
        assert!(refused(&YAML.replace("TaskDefinition:", "TaskDef:")).contains("TaskDefinition"));
        assert!(refused(&YAML.replace("8080", "'8080'")).contains("ContainerPort"));
        assert!(refused(&YAML.replace("BeforeInstall", "AllowTraffic")).contains("AllowTraffic"));
        let two_keys = YAML.replace("  - AfterAllowTestTraffic", "    AfterAllowTestTraffic");
        assert!(refused(&two_keys).contains("one key"));
    }
}
