//! Deployment configurations: how production traffic moves to the replacement task set.

use serde::Serialize;
use serde_json::{Value, json};

use super::page::page;
use super::{required, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{MINUTE, Ms, timestamp};

/// Longest time between the first and the last shift, in minutes.
const LONGEST: u64 = 2_880;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Routing {
    AllAtOnce,
    /// Percent at once, the rest after so many minutes.
    Canary {
        percentage: u32,
        interval: u64,
    },
    /// So many percent more every so many minutes, the first ones at once.
    Linear {
        percentage: u32,
        interval: u64,
    },
}

/// A shift of production traffic: how long after the one before it, and the percentage that the
/// replacement task set has from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Shift {
    pub after: Ms,
    pub percentage: u32,
}

impl Routing {
    pub(super) fn shifts(self) -> Vec<Shift> {
        let shift = |after, percentage| Shift { after, percentage };
        match self {
            Self::AllAtOnce => vec![shift(0, 100)],
            Self::Canary { percentage, interval } => {
                vec![shift(0, percentage), shift(interval * MINUTE, 100)]
            }
            Self::Linear { percentage, interval } => (1..=100u32.div_ceil(percentage))
                .map(|n| shift(if n == 1 { 0 } else { interval * MINUTE }, (n * percentage).min(100)))
                .collect(),
        }
    }

    fn info(self) -> Value {
        match self {
            Self::AllAtOnce => json!({ "type": "AllAtOnce" }),
            Self::Canary { percentage, interval } => json!({
                "type": "TimeBasedCanary",
                "timeBasedCanary": { "canaryPercentage": percentage, "canaryInterval": interval },
            }),
            Self::Linear { percentage, interval } => json!({
                "type": "TimeBasedLinear",
                "timeBasedLinear": { "linearPercentage": percentage, "linearInterval": interval },
            }),
        }
    }

    /// Reads a `trafficRoutingConfig`.
    fn parse(config: &Value) -> Result<Self, Fault> {
        let kind = text(config, "type").unwrap_or_default();
        let (member, percentage, interval) = match kind {
            "AllAtOnce" => return Ok(Self::AllAtOnce),
            "TimeBasedCanary" => ("timeBasedCanary", "canaryPercentage", "canaryInterval"),
            "TimeBasedLinear" => ("timeBasedLinear", "linearPercentage", "linearInterval"),
            _ => return Err(invalid("the type of the traffic routing configuration is missing")),
        };
        let number = |name: &str| config[member][name].as_i64().and_then(|n| u64::try_from(n).ok());
        let percentage = number(percentage)
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| (1..=99).contains(n))
            .ok_or_else(|| invalid(&format!("{member}.{percentage} must be between 1 and 99")))?;
        let interval = number(interval).filter(|n| (1..=LONGEST).contains(n)).ok_or_else(|| {
            invalid(&format!("{member}.{interval} must be between 1 and {LONGEST} minutes"))
        })?;
        let routing = if kind == "TimeBasedCanary" {
            Self::Canary { percentage, interval }
        } else {
            Self::Linear { percentage, interval }
        };
        let total: Ms = routing.shifts().iter().map(|s| s.after).sum();
        if total > LONGEST * MINUTE {
            return Err(invalid(&format!("the traffic shift takes more than {LONGEST} minutes in all")));
        }
        Ok(routing)
    }
}

fn invalid(text: &str) -> Fault {
    Fault::new("InvalidTrafficRoutingConfigurationException", text)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Plan {
    Ecs(Routing),
    Lambda(Routing),
    /// For EC2 only: minimum healthy hosts, as type and value.
    Server(&'static str, u32),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Configuration {
    id: String,
    name: String,
    created: Ms,
    plan: Plan,
}

impl Configuration {
    fn info(&self) -> Value {
        let (platform, routing, hosts) = match self.plan {
            Plan::Ecs(routing) => ("ECS", routing.info(), Value::Null),
            Plan::Lambda(routing) => ("Lambda", routing.info(), Value::Null),
            Plan::Server(kind, value) => ("Server", Value::Null, json!({ "type": kind, "value": value })),
        };
        json!({
            "deploymentConfigId": self.id,
            "deploymentConfigName": self.name,
            "createTime": timestamp(self.created),
            "computePlatform": platform,
            "trafficRoutingConfig": routing,
            "minimumHealthyHosts": hosts,
        })
    }
}

/// Every account has these. Those for Lambda and EC2 can be read, not used.
fn predefined() -> Vec<Configuration> {
    use Plan::{Ecs, Lambda, Server};
    let canary = |interval| Routing::Canary { percentage: 10, interval };
    let linear = |interval| Routing::Linear { percentage: 10, interval };
    [
        ("AllAtOnce", Server("HOST_COUNT", 0)),
        ("ECSAllAtOnce", Ecs(Routing::AllAtOnce)),
        ("ECSCanary10Percent15Minutes", Ecs(canary(15))),
        ("ECSCanary10Percent5Minutes", Ecs(canary(5))),
        ("ECSLinear10PercentEvery1Minutes", Ecs(linear(1))),
        ("ECSLinear10PercentEvery3Minutes", Ecs(linear(3))),
        ("HalfAtATime", Server("FLEET_PERCENT", 50)),
        ("LambdaAllAtOnce", Lambda(Routing::AllAtOnce)),
        ("LambdaCanary10Percent10Minutes", Lambda(canary(10))),
        ("LambdaCanary10Percent15Minutes", Lambda(canary(15))),
        ("LambdaCanary10Percent30Minutes", Lambda(canary(30))),
        ("LambdaCanary10Percent5Minutes", Lambda(canary(5))),
        ("LambdaLinear10PercentEvery10Minutes", Lambda(linear(10))),
        ("LambdaLinear10PercentEvery1Minute", Lambda(linear(1))),
        ("LambdaLinear10PercentEvery2Minutes", Lambda(linear(2))),
        ("LambdaLinear10PercentEvery3Minutes", Lambda(linear(3))),
        ("OneAtATime", Server("FLEET_PERCENT", 99)),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, (name, plan))| Configuration {
        id: format!("00000000-0000-0000-0000-{:012}", n + 1),
        name: format!("CodeDeployDefault.{name}"),
        created: 0,
        plan,
    })
    .collect()
}

fn find(cloud: &Cloud, name: &str) -> Option<Configuration> {
    let custom = cloud.state.codedeploy.configurations.get(name).cloned();
    custom.or_else(|| predefined().into_iter().find(|c| c.name == name))
}

fn missing(name: &str) -> Fault {
    Fault::new(
        "DeploymentConfigDoesNotExistException",
        format!("No Deployment Configuration found for name: {name}"),
    )
}

/// How traffic shifts with the configuration of this name, in an ECS deployment.
pub(super) fn routing(cloud: &Cloud, name: &str) -> Result<Routing, Fault> {
    match find(cloud, name).ok_or_else(|| missing(name))?.plan {
        Plan::Ecs(routing) => Ok(routing),
        Plan::Lambda(_) | Plan::Server(..) => Err(Fault::new(
            "InvalidDeploymentConfigNameException",
            format!("The deployment configuration {name} is not for the ECS compute platform"),
        )),
    }
}

pub(super) fn create(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = required(input, "deploymentConfigName");
    let platform = text(input, "computePlatform").unwrap_or("Server");
    if platform != "ECS" {
        return Err(Fault::not_modelled(format!(
            "codedeploy:CreateDeploymentConfig with computePlatform {platform}"
        )));
    }
    if name.starts_with("CodeDeployDefault.") {
        return Err(Fault::new(
            "InvalidDeploymentConfigNameException",
            "Deployment configuration names that begin with CodeDeployDefault. are reserved",
        ));
    }
    if input.get("minimumHealthyHosts").is_some() {
        return Err(Fault::new(
            "InvalidMinimumHealthyHostValueException",
            "minimumHealthyHosts must not be specified for the ECS compute platform",
        ));
    }
    if input.get("zonalConfig").is_some() {
        return Err(Fault::new(
            "InvalidZonalDeploymentConfigurationException",
            "zonalConfig must not be specified for the ECS compute platform",
        ));
    }
    let config = input.get("trafficRoutingConfig");
    let routing = Routing::parse(config.ok_or_else(|| invalid("trafficRoutingConfig is required for ECS"))?)?;
    if find(cloud, name).is_some() {
        return Err(Fault::new(
            "DeploymentConfigAlreadyExistsException",
            format!("The deployment configuration {name} already exists"),
        ));
    }
    let id = cloud.ids.uuid();
    let configuration =
        Configuration { id: id.clone(), name: name.to_owned(), created: cloud.now, plan: Plan::Ecs(routing) };
    cloud.state.codedeploy.configurations.insert(name.to_owned(), configuration);
    Ok(json!({ "deploymentConfigId": id }))
}

pub(super) fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = required(input, "deploymentConfigName");
    let configuration = find(cloud, name).ok_or_else(|| missing(name))?;
    Ok(json!({ "deploymentConfigInfo": configuration.info() }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let custom = cloud.state.codedeploy.configurations.keys().cloned();
    let mut names: Vec<_> = custom.chain(predefined().into_iter().map(|c| c.name)).collect();
    names.sort();
    let (names, next) = page(cloud, names.into_iter().map(|n| (n.clone(), n)).collect(), input)?;
    Ok(json!({ "deploymentConfigsList": names, "nextToken": next }))
}

pub(super) fn delete(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let name = required(input, "deploymentConfigName");
    if name.starts_with("CodeDeployDefault.") {
        return Err(Fault::new(
            "InvalidOperationException",
            "A predefined deployment configuration can not be deleted",
        ));
    }
    let state = &cloud.state.codedeploy;
    let groups = state.applications.values().flat_map(|a| a.groups.values());
    let used = groups.into_iter().any(|g| g.settings.configuration == name)
        || state.deployments.values().any(|d| !d.status.ended() && d.configuration == name);
    if used {
        return Err(Fault::new(
            "DeploymentConfigInUseException",
            format!("The deployment configuration {name} is in use"),
        ));
    }
    cloud.state.codedeploy.configurations.remove(name);
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percentages(routing: Routing) -> Vec<(Ms, u32)> {
        routing.shifts().into_iter().map(|s| (s.after, s.percentage)).collect()
    }

    #[test]
    fn a_linear_shift_begins_at_once_and_its_last_step_is_what_is_left() {
        let routing = Routing::Linear { percentage: 30, interval: 2 };
        let step = 2 * MINUTE;
        assert_eq!(percentages(routing), [(0, 30), (step, 60), (step, 90), (step, 100)]);
    }

    #[test]
    fn a_canary_has_two_shifts_and_all_at_once_has_one() {
        let canary = Routing::Canary { percentage: 10, interval: 5 };
        assert_eq!(percentages(canary), [(0, 10), (5 * MINUTE, 100)]);
        assert_eq!(percentages(Routing::AllAtOnce), [(0, 100)]);
    }

    #[test]
    fn a_shift_that_takes_longer_than_two_days_is_refused() {
        let config = json!({
            "type": "TimeBasedLinear",
            "timeBasedLinear": { "linearPercentage": 1, "linearInterval": 30 },
        });
        let fault = Routing::parse(&config).unwrap_err();
        assert_eq!(fault.shape, "InvalidTrafficRoutingConfigurationException");
    }
}
