//! What a deployment group is set to, narrowed from CreateDeploymentGroup's members and checked
//! as CodeDeploy checks them for ECS.

use serde::Serialize;
use serde_json::Value;

use super::{configurations, items, text, texts};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::{ecs, elbv2};
use crate::time::{MINUTE, Ms};

/// The configuration of a group that names none.
const DEFAULT_CONFIGURATION: &str = "CodeDeployDefault.ECSAllAtOnce";

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct GroupSettings {
    pub configuration: String,
    pub service: Service,
    pub routes: Routes,
    pub blue_green: BlueGreen,
    pub alarms: Alarms,
    pub rollback: AutoRollback,
    pub triggers: Vec<Trigger>,
}

/// Names, also where a client gave ARNs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Service {
    pub cluster: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Routes {
    /// Names of the two target groups.
    pub target_groups: [String; 2],
    /// ARN of the production listener.
    pub production: String,
    /// ARN of the test listener.
    pub test: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct BlueGreen {
    /// How long the original task set is kept after the traffic has shifted.
    pub termination_wait: Ms,
    pub ready: Ready,
}

/// What happens between the replacement task set's test and the production traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Ready {
    Continue,
    /// Wait for ContinueDeployment; stop after so many minutes.
    Wait {
        minutes: u64,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Alarms {
    pub enabled: bool,
    pub ignore_poll_failure: bool,
    pub names: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct AutoRollback {
    pub enabled: bool,
    pub events: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Trigger {
    pub name: String,
    /// ARN of the SNS topic.
    pub topic: String,
    pub events: Vec<String>,
}

impl GroupSettings {
    /// `input`: the members of CreateDeploymentGroup, or those of an existing group overlaid with
    /// an update's.
    pub(super) fn parse(cloud: &Cloud, input: &Value) -> Result<Self, Fault> {
        refuse_what_is_for_ec2(input)?;
        check_role(text(input, "serviceRoleArn").unwrap_or_default())?;
        check_style(&input["deploymentStyle"])?;
        let configuration = text(input, "deploymentConfigName").unwrap_or(DEFAULT_CONFIGURATION);
        configurations::routing(cloud, configuration)?;
        Ok(Self {
            configuration: configuration.to_owned(),
            blue_green: BlueGreen::parse(input.get("blueGreenDeploymentConfiguration"))?,
            alarms: Alarms::parse(input.get("alarmConfiguration"))?,
            rollback: AutoRollback::parse(input.get("autoRollbackConfiguration"))?,
            triggers: triggers(items(input, "triggerConfigurations"))?,
            service: Service::parse(cloud, items(input, "ecsServices"))?,
            routes: Routes::parse(cloud, &input["loadBalancerInfo"])?,
        })
    }
}

fn refuse_what_is_for_ec2(input: &Value) -> Result<(), Fault> {
    let lists = ["ec2TagFilters", "onPremisesInstanceTagFilters", "autoScalingGroups"];
    let members = ["ec2TagSet", "onPremisesTagSet", "ec2DeploymentOptions"];
    let given = lists.iter().find(|l| !items(input, l).is_empty());
    match given.or_else(|| members.iter().find(|m| input.get(**m).is_some())) {
        None if input["terminationHookEnabled"] == Value::Bool(true) => {
            Err(invalid_input("terminationHookEnabled is not for the ECS compute platform"))
        }
        None => Ok(()),
        Some(member) => Err(invalid_input(&format!("{member} is not for the ECS compute platform"))),
    }
}

fn invalid_input(text: &str) -> Fault {
    Fault::new("InvalidInputException", text)
}

fn check_role(role: &str) -> Result<(), Fault> {
    let parts: Vec<_> = role.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "iam", "", account, resource]
            if partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|b| b.is_ascii_digit())
                && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty()) =>
        {
            Ok(())
        }
        _ => Err(Fault::new("InvalidRoleException", format!("{role} is not the ARN of an IAM role"))),
    }
}

fn check_style(style: &Value) -> Result<(), Fault> {
    let kind = text(style, "deploymentType").unwrap_or("IN_PLACE");
    let option = text(style, "deploymentOption").unwrap_or("WITHOUT_TRAFFIC_CONTROL");
    if (kind, option) == ("BLUE_GREEN", "WITH_TRAFFIC_CONTROL") {
        return Ok(());
    }
    Err(Fault::new(
        "InvalidDeploymentStyleException",
        format!(
            "For ECS deployment group, deployment style must be BLUE_GREEN and WITH_TRAFFIC_CONTROL, not {kind} and {option}"
        ),
    ))
}

impl Service {
    fn parse(cloud: &Cloud, services: &[Value]) -> Result<Self, Fault> {
        let [service] = services else {
            return Err(if services.is_empty() {
                invalid_input("For ECS deployment group, ecsServices can not be null or empty")
            } else {
                invalid_input("For ECS deployment group, ecsServices must have exactly one service")
            });
        };
        let invalid = |text: String| Fault::new("InvalidECSServiceException", text);
        let name = text(service, "serviceName").filter(|n| !n.is_empty());
        let name = name.ok_or_else(|| invalid("The name of the ECS service is missing".into()))?;
        let cluster = text(service, "clusterName").filter(|c| !c.is_empty()).unwrap_or("default");
        let found = ecs::service(cloud, cluster, name)
            .ok_or_else(|| invalid(format!("The ECS service {name} does not exist in cluster {cluster}")))?;
        if found["deploymentController"]["type"] != "CODE_DEPLOY" {
            return Err(invalid(
                "Deployment group's ECS service must be configured for a CODE_DEPLOY deployment controller."
                    .into(),
            ));
        }
        let short = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        Ok(Self { cluster: short(cluster), name: short(name) })
    }
}

impl Routes {
    fn parse(cloud: &Cloud, info: &Value) -> Result<Self, Fault> {
        if !items(info, "elbInfoList").is_empty() || !items(info, "targetGroupInfoList").is_empty() {
            return Err(Fault::new(
                "InvalidLoadBalancerInfoException",
                "For ECS deployment group, only targetGroupPairInfoList can be specified",
            ));
        }
        let invalid = |text: String| Fault::new("InvalidTargetGroupPairException", text);
        let [pair] = items(info, "targetGroupPairInfoList") else {
            return Err(invalid(
                "For ECS deployment group, targetGroupPairInfoList must have exactly one pair".into(),
            ));
        };
        let names: Vec<_> = items(pair, "targetGroups").iter().filter_map(|g| text(g, "name")).collect();
        let [first, second] = names[..] else {
            return Err(invalid("A target group pair must have exactly two target groups".into()));
        };
        if first == second {
            return Err(invalid("The two target groups of a pair must differ".into()));
        }
        if let Some(name) = [first, second].iter().find(|n| elbv2::target_group_arn(cloud, n).is_none()) {
            return Err(invalid(format!("The target group {name} does not exist")));
        }
        let production = listener(cloud, pair.get("prodTrafficRoute"))?;
        Ok(Self {
            target_groups: [first.to_owned(), second.to_owned()],
            production: production
                .ok_or_else(|| invalid("The prodTrafficRoute must name one listener".into()))?,
            test: listener(cloud, pair.get("testTrafficRoute"))?,
        })
    }
}

fn listener(cloud: &Cloud, route: Option<&Value>) -> Result<Option<String>, Fault> {
    let invalid = |text: String| Fault::new("InvalidTargetGroupPairException", text);
    let Some(route) = route else { return Ok(None) };
    match texts(route, "listenerArns")[..] {
        [] => Ok(None),
        [arn] if elbv2::listener_exists(cloud, arn) => Ok(Some(arn.to_owned())),
        [arn] => Err(invalid(format!("The listener {arn} does not exist"))),
        _ => Err(invalid("A traffic route must name exactly one listener".into())),
    }
}

impl BlueGreen {
    fn parse(config: Option<&Value>) -> Result<Self, Fault> {
        let invalid = |text: String| Fault::new("InvalidBlueGreenDeploymentConfigurationException", text);
        let config = config.ok_or_else(|| {
            invalid("For ECS deployment group, blueGreenDeploymentConfiguration must be specified".into())
        })?;
        if config.get("greenFleetProvisioningOption").is_some() {
            return Err(invalid("greenFleetProvisioningOption is not for the ECS compute platform".into()));
        }
        let minutes = |value: &Value, what: &str| match value.as_i64() {
            None => Ok(0),
            Some(minutes) if (0..=2_880).contains(&minutes) => Ok(minutes.unsigned_abs()),
            Some(_) => Err(invalid(format!("{what} must be between 0 and 2880"))),
        };
        let terminate = &config["terminateBlueInstancesOnDeploymentSuccess"];
        if text(terminate, "action") != Some("TERMINATE") {
            return Err(invalid(
                "For ECS deployment group, the action of terminateBlueInstancesOnDeploymentSuccess must be TERMINATE".into(),
            ));
        }
        let ready = &config["deploymentReadyOption"];
        let wait = minutes(&ready["waitTimeInMinutes"], "waitTimeInMinutes")?;
        let ready = match (text(ready, "actionOnTimeout"), wait) {
            (Some("STOP_DEPLOYMENT"), 0) => {
                return Err(invalid("STOP_DEPLOYMENT needs a waitTimeInMinutes of 1 to 2880".into()));
            }
            (Some("STOP_DEPLOYMENT"), minutes) => Ready::Wait { minutes },
            (_, 0) => Ready::Continue,
            (_, _) => return Err(invalid("waitTimeInMinutes applies only to STOP_DEPLOYMENT".into())),
        };
        let wait = minutes(&terminate["terminationWaitTimeInMinutes"], "terminationWaitTimeInMinutes")?;
        Ok(Self { termination_wait: wait * MINUTE, ready })
    }
}

impl Alarms {
    pub(super) fn parse(config: Option<&Value>) -> Result<Self, Fault> {
        let Some(config) = config else { return Ok(Self::default()) };
        let invalid = |text: &str| Fault::new("InvalidAlarmConfigException", text);
        let enabled = config["enabled"] == Value::Bool(true);
        let mut names: Vec<String> = Vec::new();
        for alarm in items(config, "alarms") {
            let name = text(alarm, "name").filter(|n| !n.is_empty() && n.chars().count() <= 255);
            let name = name.ok_or_else(|| invalid("The name of an alarm must have 1 to 255 characters"))?;
            if names.iter().any(|n| n == name) {
                return Err(invalid("Two alarms have the same name"));
            }
            names.push(name.to_owned());
        }
        if names.len() > 10 {
            return Err(Fault::new(
                "AlarmsLimitExceededException",
                "The maximum number of alarms (10) was exceeded",
            ));
        }
        if enabled && names.is_empty() {
            return Err(invalid("The alarm configuration is enabled, but the alarm list is empty"));
        }
        let ignore_poll_failure = config["ignorePollAlarmFailure"] == Value::Bool(true);
        Ok(Self { enabled, ignore_poll_failure, names })
    }
}

impl AutoRollback {
    pub(super) fn parse(config: Option<&Value>) -> Result<Self, Fault> {
        let Some(config) = config else { return Ok(Self::default()) };
        let enabled = config["enabled"] == Value::Bool(true);
        let events: Vec<_> = texts(config, "events").into_iter().map(str::to_owned).collect();
        if enabled && events.is_empty() {
            return Err(Fault::new(
                "InvalidAutoRollbackConfigException",
                "Automatic rollback is enabled, but no triggering event types were listed",
            ));
        }
        Ok(Self { enabled, events })
    }
}

fn triggers(configs: &[Value]) -> Result<Vec<Trigger>, Fault> {
    let invalid = |text: &str| Fault::new("InvalidTriggerConfigException", text);
    if configs.len() > 10 {
        return Err(Fault::new(
            "TriggerTargetsLimitExceededException",
            "The maximum number of triggers (10) was exceeded",
        ));
    }
    let mut found: Vec<Trigger> = Vec::new();
    for config in configs {
        let name = text(config, "triggerName").filter(|n| !n.is_empty() && n.chars().count() <= 100);
        let name = name.ok_or_else(|| invalid("The name of a trigger must have 1 to 100 characters"))?;
        let topic = text(config, "triggerTargetArn").filter(|a| a.contains(":sns:"));
        let topic =
            topic.ok_or_else(|| invalid("The target of a trigger must be the ARN of an SNS topic"))?;
        let events: Vec<_> = texts(config, "triggerEvents").into_iter().map(str::to_owned).collect();
        if events.is_empty() {
            return Err(invalid("A trigger must have at least one event type"));
        }
        if found.iter().any(|t| t.name == name) {
            return Err(invalid("Two triggers have the same name"));
        }
        found.push(Trigger { name: name.to_owned(), topic: topic.to_owned(), events });
    }
    Ok(found)
}
