//! The calls that take many names: what all services tell together, read side by side.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join3;
use futures_util::stream::{self, StreamExt as _};
use shared::aws::{Alarm, Aws, EcsService, Group, Image};
use shared::config::{Engine, Service};
use shared::revision::short_arn;

use crate::SIDE_BY_SIDE;

/// DescribeServices and BatchGetDeploymentGroups take so many names.
const SERVICES: usize = 10;
const GROUPS: usize = 100;

/// What was read of many, each with its own success.
type Each<K, T> = BTreeMap<K, Result<T, String>>;

/// Images by repository: several services may take those of one.
pub type Images = Each<String, Vec<Image>>;

pub struct Together {
    ecs: Each<(String, String), EcsService>,
    groups: Each<(String, String), Group>,
    alarms: Each<String, Alarm>,
}

impl Together {
    /// Of services; and the images of their repositories, where `images` lacks them.
    pub async fn read(aws: &Aws, services: &[&Service], images: &mut Images) -> Self {
        let reads =
            (all_services(aws, services), all_groups(aws, services), read_images(aws, services, images));
        let (ecs, groups, ()) = join3(reads.0, reads.1, reads.2).await;
        let alarms = all_alarms(aws, services, &ecs, &groups).await;
        Self { ecs, groups, alarms }
    }

    pub fn ecs(&self, service: &Service) -> anyhow::Result<EcsService> {
        read(self.ecs.get(&(service.cluster.clone(), short_arn(&service.service).to_owned())))
    }

    /// None where ECS itself deploys.
    pub fn group(&self, service: &Service) -> anyhow::Result<Option<Group>> {
        match &service.engine {
            Engine::CodeDeploy { application, group } => {
                read(self.groups.get(&(application.clone(), group.clone()))).map(Some)
            }
            Engine::Ecs => Ok(None),
        }
    }

    /// An alarm, or why it could not be read.
    pub fn alarm(&self, name: &str) -> anyhow::Result<Alarm> {
        read(self.alarms.get(name))
    }
}

async fn all_services(aws: &Aws, services: &[&Service]) -> Each<(String, String), EcsService> {
    let clusters = services.iter().map(|service| (&service.cluster, &service.service));
    let reads = batches(clusters, SERVICES).into_iter().map(|batch| services_of(aws, batch));
    stream::iter(reads).buffer_unordered(SIDE_BY_SIDE).concat().await
}

async fn services_of(aws: &Aws, batch: Batch) -> Each<(String, String), EcsService> {
    let (cluster, names) = batch;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let key = |name: &str| (cluster.clone(), short_arn(name).to_owned());
    match aws.services(&cluster, &names).await {
        Ok(found) => {
            let none = |name: &str| format!("ECS has no service {cluster}/{name}, which releases.yaml names");
            let mut read: Each<_, _> = names.iter().map(|name| (key(name), Err(none(name)))).collect();
            read.extend(found.into_iter().map(|(name, ecs)| (key(&name), ecs.map_err(|e| words(&e)))));
            read
        }
        Err(e) => names.iter().map(|name| (key(name), Err(words(&e)))).collect(),
    }
}

async fn all_groups(aws: &Aws, services: &[&Service]) -> Each<(String, String), Group> {
    let groups = services.iter().filter_map(|service| match &service.engine {
        Engine::CodeDeploy { application, group } => Some((application, group)),
        Engine::Ecs => None,
    });
    let reads = batches(groups, GROUPS).into_iter().map(|batch| groups_of(aws, batch));
    stream::iter(reads).buffer_unordered(SIDE_BY_SIDE).concat().await
}

async fn groups_of(aws: &Aws, batch: Batch) -> Each<(String, String), Group> {
    let (application, names) = batch;
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let key = |name: &str| (application.clone(), name.to_owned());
    match aws.deployment_groups(&application, &names).await {
        Ok(found) => {
            let none = |name: &str| format!("CodeDeploy has no group {application}/{name}");
            let mut read: Each<_, _> = names.iter().map(|name| (key(name), Err(none(name)))).collect();
            read.extend(found.into_iter().map(|(name, group)| (key(&name), Ok(group))));
            read
        }
        Err(e) => names.iter().map(|name| (key(name), Err(words(&e)))).collect(),
    }
}

/// A cluster or an application, and so many of its members as one call takes.
type Batch = (String, Vec<String>);

fn batches<'a>(all: impl Iterator<Item = (&'a String, &'a String)>, most: usize) -> Vec<Batch> {
    let mut members: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    for (of, member) in all {
        members.entry(of).or_default().push(member.clone());
    }
    let mut batches = Vec::new();
    for (of, members) in members {
        batches.extend(members.chunks(most).map(|chunk| (of.clone(), chunk.to_vec())));
    }
    batches
}

/// Those that were not read yet.
async fn read_images(aws: &Aws, services: &[&Service], images: &mut Images) {
    let all = services.iter().flat_map(|service| &service.images).map(|rule| rule.repository.clone());
    let new: BTreeSet<_> = all.filter(|repository| !images.contains_key(repository)).collect();
    let reads = new.into_iter().map(|repository| images_of(aws, repository));
    images.extend(stream::iter(reads).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<_>>().await);
}

async fn images_of(aws: &Aws, repository: String) -> (String, Result<Vec<Image>, String>) {
    let read = aws.tagged_images(&repository).await.map_err(|e| words(&e));
    (repository, read)
}

async fn all_alarms(
    aws: &Aws,
    services: &[&Service],
    ecs: &Each<(String, String), EcsService>,
    groups: &Each<(String, String), Group>,
) -> Each<String, Alarm> {
    let configured = services.iter().flat_map(|service| &service.alarms);
    let of_services = ecs.values().flatten().flat_map(|ecs| &ecs.alarms);
    let of_groups = groups.values().flatten().flat_map(|group| &group.alarms);
    let names: BTreeSet<_> = configured.chain(of_services).chain(of_groups).cloned().collect();
    let names: Vec<_> = names.into_iter().collect();
    match aws.alarms(&names).await {
        Ok(alarms) => alarms.into_iter().map(|alarm| (alarm.name.clone(), Ok(alarm))).collect(),
        Err(e) => names.into_iter().map(|name| (name, Err(format!("{e:#}")))).collect(),
    }
}

fn read<T: Clone>(one: Option<&Result<T, String>>) -> anyhow::Result<T> {
    match one {
        Some(Ok(one)) => Ok(one.clone()),
        Some(Err(why)) => Err(anyhow::anyhow!("{why}")),
        None => Err(anyhow::anyhow!("nothing was read of it")),
    }
}

pub fn words(e: &anyhow::Error) -> String {
    format!("{e:#}")
}
