//! ECS: services, task definition revisions, and the record of service deployments.
//!
//! Answers are read from their JSON: what is sent back must not have lost anything on the way.

use anyhow::Context as _;
use aws_sdk_ecs::error::ProvideErrorMetadata as _;
use aws_sdk_ecs::types::{ServiceDeploymentStatus, ServiceField, TaskDefinitionField};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::raw::Raw;
use super::{Aws, Missing, date_time, failed};
use crate::events::hook::lifecycle_event;
use crate::image::ImageRef;
use crate::members::Members;
use crate::release::{Deployment, Hold, State};
use crate::revision::{Rendered, Revision, from_epoch_seconds, short_arn};

/// A service as DescribeServices tells it.
#[derive(Debug, Clone)]
pub struct EcsService {
    pub arn: String,
    pub active: bool,
    pub controller: Controller,
    /// ARN of the revision that serves: that of the PRIMARY task set or deployment.
    pub revision: String,
    /// When what serves was started.
    pub serving_since: Option<Timestamp>,
    /// How far its PRIMARY deployment is, where ECS itself deploys.
    pub rollout: Option<Rollout>,
    /// Its task sets, or its deployments under the ECS controller.
    pub serving: Vec<Serving>,
    /// Container and port that the load balancer sends to.
    pub load_balanced: Option<(String, u16)>,
    pub hold: Option<Hold>,
    /// When Sluice first looked at it: images pushed before are none of its business.
    pub baseline: Option<Timestamp>,
    /// Alarms of its own deployment configuration.
    pub alarms: Vec<String>,
    /// What ECS itself calls while it deploys; under ROLLING, nothing.
    pub hooks: Vec<NativeHook>,
    pub placement: Placement,
    /// `FARGATE`, `EC2` or `EXTERNAL`, where no capacity providers are named.
    pub launch_type: Option<String>,
    /// In ECS's own JSON, to be sent back as it is.
    pub deployment_configuration: Members,
}

/// A function among the lifecycle hooks of a service's own deployment configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NativeHook {
    /// ARN of the function.
    #[serde(rename = "hookTargetArn", default)]
    pub target: String,
    /// ECS's own names of the stages at which it is called.
    #[serde(rename = "lifecycleStages", default)]
    pub stages: Vec<String>,
}

/// A task set, or a deployment of the ECS controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    pub role: Role,
    /// ARN of the task definition revision that it runs.
    pub revision: String,
    /// Id of the CodeDeploy deployment that made it.
    pub made_by: Option<String>,
}

/// A deployment of the ECS controller, as its service tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub state: State,
    /// When ECS last had something to say of it; no earlier than its end.
    pub updated: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Primary,
    /// Beside the primary one: the next, or the last.
    Active,
    /// On its way out.
    Draining,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    CodeDeploy,
    Ecs,
    External,
}

/// Where a service's tasks run, in ECS's own JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    pub platform_version: Option<String>,
    pub network: Option<Value>,
    pub capacity_providers: Option<Value>,
}

#[derive(Deserialize)]
struct Services {
    services: Vec<ServiceView>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceView {
    service_arn: String,
    status: String,
    task_definition: Option<String>,
    deployment_controller: Option<ControllerView>,
    deployment_configuration: Option<Members>,
    #[serde(default)]
    load_balancers: Vec<LoadBalancer>,
    #[serde(default)]
    task_sets: Vec<ServingView>,
    #[serde(default)]
    deployments: Vec<ServingView>,
    #[serde(default)]
    tags: Vec<Tag>,
    platform_version: Option<String>,
    launch_type: Option<String>,
    network_configuration: Option<Value>,
    capacity_provider_strategy: Option<Value>,
}

#[derive(Deserialize)]
struct ControllerView {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoadBalancer {
    container_name: Option<String>,
    container_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServingView {
    status: String,
    external_id: Option<String>,
    task_definition: String,
    created_at: Option<f64>,
    updated_at: Option<f64>,
    rollout_state: Option<String>,
    #[serde(default)]
    load_balancers: Vec<LoadBalancer>,
    platform_version: Option<String>,
    launch_type: Option<String>,
    network_configuration: Option<Value>,
    capacity_provider_strategy: Option<Value>,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlarmsView {
    #[serde(default)]
    alarm_names: Vec<String>,
    #[serde(default)]
    enable: bool,
}

/// DescribeServiceRevisions takes so many ARNs.
const REVISIONS: usize = 20;

impl Aws {
    /// None if the cluster has no such service.
    pub async fn service(&self, cluster: &str, service: &str) -> anyhow::Result<Option<EcsService>> {
        self.services(cluster, &[service]).await?.pop().map(|(_, service)| service).transpose()
    }

    /// Those of these services that the cluster has, ten at most, with the last part of their
    /// ARN; of one that cannot be read, why.
    pub async fn services(
        &self,
        cluster: &str,
        names: &[&str],
    ) -> anyhow::Result<Vec<(String, anyhow::Result<EcsService>)>> {
        let raw = Raw::default();
        let call = self.ecs.describe_services().cluster(cluster);
        let call = call.set_services(Some(names.iter().map(|name| (*name).to_owned()).collect()));
        let call = call.include(ServiceField::Tags).customize().interceptor(raw.clone());
        let what = || format!("describing the service {cluster}/{}", names.join(", "));
        match call.send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_cluster_not_found_exception()) => {
                return Ok(Vec::new());
            }
            other => other.map_err(failed(what()))?,
        };
        let each =
            EcsService::of_answer(&raw.answer()).with_context(what)?.into_iter().map(|(name, service)| {
                let service = service.with_context(|| format!("describing the service {cluster}/{name}"));
                (name, service)
            });
        Ok(each.collect())
    }

    /// A revision by its ARN, or the newest one of a family; none if there is none.
    pub async fn revision(&self, name: &str) -> anyhow::Result<Option<Revision>> {
        let raw = Raw::default();
        let call = self.ecs.describe_task_definition().task_definition(name);
        let call = call.include(TaskDefinitionField::Tags).customize().interceptor(raw.clone());
        let what = || format!("describing the task definition {name}");
        match call.send().await {
            // ECS has no exception of its own for this.
            Err(e) if e.message().is_some_and(|text| text.contains("Unable to describe task definition")) => {
                return Ok(None);
            }
            other => other.map_err(failed(what()))?,
        };
        Revision::from_answer(&raw.answer()).map(Some).with_context(what)
    }

    pub async fn register(&self, rendered: &Rendered) -> anyhow::Result<String> {
        let raw = Raw::sending(rendered.body.clone());
        let call = self.ecs.register_task_definition().family(&rendered.family);
        // The SDK wants the list; what is sent is the body above.
        let call = call.set_container_definitions(Some(Vec::new())).customize().interceptor(raw);
        let what = || format!("registering a revision of {}", rendered.family);
        let answer = call.send().await.map_err(failed(what()))?;
        let arn = answer.task_definition().and_then(|definition| definition.task_definition_arn());
        Ok(arn.ok_or(Missing("taskDefinitionArn")).with_context(what)?.to_owned())
    }

    /// Rolls a service of the ECS controller to a revision, with its own deployment
    /// configuration, the circuit breaker and its rollback on. The number of tasks is not
    /// touched: scaling may have moved it. Gives the revisions of which it has tasks now.
    pub async fn roll(
        &self,
        cluster: &str,
        service: &str,
        from: &EcsService,
        to: &str,
    ) -> anyhow::Result<Vec<String>> {
        let mut configuration = from.deployment_configuration.clone();
        let breaker = configuration.get("deploymentCircuitBreaker").map(RawValue::get);
        let mut breaker: Members = breaker.map(serde_json::from_str).transpose()?.unwrap_or_default();
        breaker.set("enable", to_raw_value(&true)?);
        breaker.set("rollback", to_raw_value(&true)?);
        configuration.set("deploymentCircuitBreaker", to_raw_value(&breaker)?);
        let body = json!({ "cluster": cluster, "service": service, "taskDefinition": to });
        let mut members: Members = serde_json::from_value(body)?;
        members.set("deploymentConfiguration", to_raw_value(&configuration)?);
        let raw = Raw::sending(serde_json::to_string(&members)?);
        let call = self.ecs.update_service().cluster(cluster).service(service).customize().interceptor(raw);
        let answer =
            call.send().await.map_err(failed(format!("updating the service {cluster}/{service}")))?;
        let deployments = answer.service().map(|service| service.deployments()).unwrap_or_default();
        Ok(deployments.iter().filter_map(|one| one.task_definition().map(str::to_owned)).collect())
    }

    /// What was deployed to `container` of a service of the ECS controller since then. ECS
    /// keeps 90 days.
    pub async fn service_deployments(
        &self,
        cluster: &str,
        service: &str,
        container: &str,
        since: Timestamp,
    ) -> anyhow::Result<Vec<Deployment>> {
        let listed = self.list_service_deployments(cluster, service, since).await?;
        let revisions: Vec<_> = listed.iter().map(|(_, _, revision)| revision.clone()).collect();
        let batches = revisions.chunks(REVISIONS).map(|chunk| self.deployed_images(chunk, container));
        let images = try_join_all(batches).await?.concat();
        let digest = |revision: &String| {
            let image = images.iter().find(|(arn, _)| arn == revision).map(|(_, image)| image);
            image.and_then(|image| image.digest.clone())
        };
        let deployments = listed.into_iter();
        Ok(deployments
            .map(|(id, state, revision)| Deployment {
                id,
                digest: digest(&revision),
                repository: None,
                state,
            })
            .collect())
    }

    /// ARN, state and target revision of each.
    async fn list_service_deployments(
        &self,
        cluster: &str,
        service: &str,
        since: Timestamp,
    ) -> anyhow::Result<Vec<(String, State, String)>> {
        use aws_sdk_ecs::types::CreatedAt;
        let (mut listed, mut token) = (Vec::new(), None);
        loop {
            let range = CreatedAt::builder().after(date_time(since)).build();
            let call =
                self.ecs.list_service_deployments().cluster(cluster).service(service).created_at(range);
            let answer = call.set_next_token(token).max_results(100).send().await;
            let answer = answer.map_err(failed(format!("listing the deployments of {cluster}/{service}")))?;
            for brief in answer.service_deployments() {
                let arn = brief.service_deployment_arn().ok_or(Missing("serviceDeploymentArn"))?;
                let state = state(brief.status().ok_or(Missing("status"))?);
                let target = brief.target_service_revision_arn().unwrap_or_default();
                listed.push((arn.to_owned(), state, target.to_owned()));
            }
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(listed);
            }
        }
    }

    /// ARN of the task definition revision of a service revision.
    pub async fn task_definition_of(&self, service_revision: &str) -> anyhow::Result<String> {
        let call = self.ecs.describe_service_revisions().service_revision_arns(service_revision);
        let what = || format!("describing the service revision {service_revision}");
        let answer = call.send().await.map_err(failed(what()))?;
        let found = answer.service_revisions().first().and_then(|revision| revision.task_definition());
        Ok(found.ok_or(Missing("taskDefinition")).with_context(what)?.to_owned())
    }

    /// The image of a container in each of these service revisions.
    async fn deployed_images(
        &self,
        arns: &[String],
        container: &str,
    ) -> anyhow::Result<Vec<(String, ImageRef)>> {
        let call = self.ecs.describe_service_revisions().set_service_revision_arns(Some(arns.to_vec()));
        let answer = call.send().await.map_err(failed("describing service revisions".to_owned()))?;
        let image = |revision: &aws_sdk_ecs::types::ServiceRevision| {
            let images = revision.container_images().iter();
            let image =
                images.filter(|image| image.container_name() == Some(container)).find_map(|i| i.image())?;
            Some((revision.service_revision_arn()?.to_owned(), ImageRef::parse(image)))
        };
        Ok(answer.service_revisions().iter().filter_map(image).collect())
    }
}

pub(super) fn state(status: &ServiceDeploymentStatus) -> State {
    match status {
        ServiceDeploymentStatus::Successful => State::Succeeded,
        ServiceDeploymentStatus::Stopped
        | ServiceDeploymentStatus::RollbackSuccessful
        | ServiceDeploymentStatus::RollbackFailed => State::Rejected(status.as_str().to_lowercase()),
        // A status that is not known yet is not an end either: it blocks, it is not retried.
        _ => State::Active,
    }
}

impl EcsService {
    /// Reads the body of a DescribeServices answer: each service by its name.
    pub fn of_answer(body: &[u8]) -> Result<Vec<(String, anyhow::Result<Self>)>, serde_json::Error> {
        let answer: Services = serde_json::from_slice(body)?;
        let each = answer.services.into_iter();
        Ok(each.map(|view| (short_arn(&view.service_arn).to_owned(), Self::narrowed(view))).collect())
    }

    fn narrowed(view: ServiceView) -> anyhow::Result<Self> {
        let controller = match view.deployment_controller.as_ref().map_or("ECS", |c| c.kind.as_str()) {
            "CODE_DEPLOY" => Controller::CodeDeploy,
            "ECS" => Controller::Ecs,
            _ => Controller::External,
        };
        let served_by = match controller {
            Controller::Ecs => &view.deployments,
            Controller::CodeDeploy | Controller::External => &view.task_sets,
        };
        let primary = served_by.iter().find(|set| set.status == "PRIMARY");
        let serving = served_by.iter().map(ServingView::narrowed).collect();
        let configuration = view.deployment_configuration.unwrap_or_default();
        let alarms = configuration.get("alarms").map(RawValue::get).map(serde_json::from_str::<AlarmsView>);
        let alarms = alarms.transpose()?.filter(|alarms| alarms.enable).unwrap_or_default();
        let hooks = hooks(&configuration)?;
        let balancers = primary.map(|set| &set.load_balancers).filter(|list| !list.is_empty());
        let balancer = balancers.unwrap_or(&view.load_balancers).first();
        let tag = |key: &str| view.tags.iter().find(|tag| tag.key == key);
        let (hold, baseline) = (tag("sluice:hold"), tag("sluice:baseline"));
        let revision = primary.map(|set| set.task_definition.clone()).or(view.task_definition);
        let placement = Placement {
            // The service's own word: that of a task set may be what LATEST was at the time.
            platform_version: view
                .platform_version
                .or_else(|| primary.and_then(|set| set.platform_version.clone())),
            network: primary.and_then(|s| s.network_configuration.clone()).or(view.network_configuration),
            capacity_providers: primary
                .and_then(|s| s.capacity_provider_strategy.clone())
                .or(view.capacity_provider_strategy),
        }
        .without_empty();
        let launch_type = primary.and_then(|set| set.launch_type.clone()).or(view.launch_type);
        // A task takes one or the other.
        let launch_type = launch_type.filter(|_| placement.capacity_providers.is_none());
        Ok(Self {
            arn: view.service_arn,
            active: view.status == "ACTIVE",
            controller,
            revision: revision.ok_or(Missing("taskDefinition"))?,
            serving_since: primary.and_then(|set| set.created_at).and_then(from_epoch_seconds),
            rollout: primary.and_then(ServingView::rollout),
            serving,
            load_balanced: balancer.and_then(|b| Some((b.container_name.clone()?, b.container_port?))),
            hold: hold.map(|tag| Hold::parse(&tag.value)),
            baseline: baseline.and_then(|tag| tag.value.parse().ok()),
            alarms: alarms.alarm_names,
            hooks,
            placement,
            launch_type: launch_type.filter(|kind| !kind.is_empty()),
            deployment_configuration: configuration,
        })
    }
}

fn hooks(configuration: &Members) -> anyhow::Result<Vec<NativeHook>> {
    let read = |name: &str| configuration.get(name).map(RawValue::get);
    let strategy: Option<String> = read("strategy").map(serde_json::from_str).transpose()?.flatten();
    let hooks: Option<Vec<NativeHook>> =
        read("lifecycleHooks").map(serde_json::from_str).transpose()?.flatten();
    Ok(hooks.filter(|_| strategy.is_some_and(|strategy| strategy != "ROLLING")).unwrap_or_default())
}

impl NativeHook {
    /// Whether it calls this function, named by its name or its ARN, at the stage that
    /// corresponds to a lifecycle event of CodeDeploy.
    pub fn answers(&self, function: &str, event: &str) -> bool {
        let name = |text: &str| {
            let name = text.split_once(":function:").map_or(text, |(_, rest)| rest);
            name.split(':').next().unwrap_or_default().to_owned()
        };
        let at = |stage: &String| lifecycle_event(stage) == Some(event);
        name(&self.target) == name(function) && self.stages.iter().any(at)
    }
}

impl ServingView {
    fn rollout(&self) -> Option<Rollout> {
        let state = match self.rollout_state.as_deref()? {
            "COMPLETED" => State::Succeeded,
            "FAILED" => State::Rejected("failed".to_owned()),
            _ => State::Active,
        };
        Some(Rollout { state, updated: self.updated_at.and_then(from_epoch_seconds) })
    }

    fn narrowed(&self) -> Serving {
        Serving {
            role: match self.status.as_str() {
                "PRIMARY" => Role::Primary,
                "ACTIVE" => Role::Active,
                _ => Role::Draining,
            },
            revision: self.task_definition.clone(),
            made_by: self.external_id.clone(),
        }
    }
}

impl Placement {
    /// ECS answers with empty text and empty lists where there is nothing.
    fn without_empty(self) -> Self {
        let filled = |value: &Value| match value {
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            other => !other.is_null(),
        };
        Self {
            platform_version: self.platform_version.filter(|version| !version.is_empty()),
            network: self.network.filter(filled),
            capacity_providers: self.capacity_providers.filter(filled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_called_under_every_strategy_but_rolling() {
        let hook = json!({ "hookTargetArn": "arn:aws:lambda:us-east-1:1:function:checks:live",
            "roleArn": "arn:aws:iam::1:role/hooks", "lifecycleStages": ["POST_SCALE_UP"] });
        let read = |configuration: Value| hooks(&serde_json::from_value(configuration).unwrap()).unwrap();
        for strategy in [json!("ROLLING"), Value::Null] {
            assert_eq!(read(json!({ "strategy": strategy, "lifecycleHooks": [hook] })), []);
        }
        assert_eq!(read(json!({ "strategy": "BLUE_GREEN", "lifecycleHooks": null })), []);
        let found = read(json!({ "strategy": "CANARY", "lifecycleHooks": [hook] }));
        assert!(found[0].answers("checks", "AfterInstall"));
        assert!(found[0].answers("arn:aws:lambda:us-east-1:1:function:checks", "AfterInstall"));
        assert!(!found[0].answers("checks", "BeforeInstall"));
        assert!(!found[0].answers("check", "AfterInstall"));
    }
}
