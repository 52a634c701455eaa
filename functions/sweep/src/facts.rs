//! What is asked of AWS: first of all services together, in calls that take many names, then of
//! each only what those leave open.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::{FutureExt, join3};
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use shared::aws::{Alarm, AlarmState, Attempt, Aws, Described, EcsService, Group, Image, Origin, Snapshots};
use shared::config::{Engine, Service};
use shared::release::State;
use shared::revision::{Revision, short_arn};
use tokio::time::Instant;

use crate::decide::{By, Facts, GRACE, Last, family_is_open, unsettled};
use crate::{SIDE_BY_SIDE, one_off};

/// DescribeServices and BatchGetDeploymentGroups take so many names.
const SERVICES: usize = 10;
const GROUPS: usize = 100;

/// ECS lets an account read so many task definitions, 20 a second; a release needs its own.
const PACE: Duration = Duration::from_millis(60);

/// What was read of many, each with its own success.
type Each<K, T> = BTreeMap<K, Result<T, String>>;

/// Images by repository: several services may take those of one.
pub type Images = Each<String, Vec<Image>>;

/// A service, and what of its facts could not be read.
pub struct Found<'a> {
    pub facts: Facts<'a>,
    pub troubles: Vec<String>,
}

/// What all of these services tell, side by side; of one that cannot be read, why.
pub async fn gather<'a>(
    aws: &Aws,
    snapshots: &Snapshots,
    services: &[&'a Service],
    images: &mut Images,
) -> Vec<(&'a Service, anyhow::Result<Found<'a>>)> {
    let (ecs, groups, ()) =
        join3(all_services(aws, services), all_groups(aws, services), read_images(aws, services, images))
            .await;
    let alarms = all_alarms(aws, services, &ecs, &groups).await;
    let many = &Many { ecs, groups, alarms, images };
    let began = Instant::now();
    let each = (0..).zip(services).map(|(n, service)| async move {
        tokio::time::sleep_until(began + PACE * n).await;
        many.of(aws, service).await
    });
    let each: Vec<_> = each.map(FutureExt::boxed).collect();
    let each: Vec<_> = stream::iter(each).buffered(SIDE_BY_SIDE).collect().await;
    let mut found: Vec<_> = services.iter().copied().zip(each).collect();
    who_started(aws, &mut found).await;
    let hooks = found.iter_mut().filter_map(|(_, found)| found.as_mut().ok());
    let hooks: Vec<_> = hooks.map(|found| one_off::look(aws, snapshots, found).boxed()).collect();
    stream::iter(hooks).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<()>>().await;
    found
}

struct Many<'m> {
    ecs: Each<(String, String), EcsService>,
    groups: Each<(String, String), Group>,
    alarms: BTreeMap<String, Result<Alarm, String>>,
    images: &'m Images,
}

fn named(service: &Service) -> (String, String) {
    (service.cluster.clone(), short_arn(&service.service).to_owned())
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
) -> BTreeMap<String, Result<Alarm, String>> {
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

impl Many<'_> {
    async fn of<'a>(&self, aws: &Aws, service: &'a Service) -> anyhow::Result<Found<'a>> {
        let mut troubles = Vec::new();
        let ecs = read(self.ecs.get(&named(service)))?;
        let live = aws.revision(&ecs.revision).await?;
        let Some(live) = live else { anyhow::bail!("ECS does not know {}, which serves", ecs.revision) };
        let group = match &service.engine {
            Engine::CodeDeploy { application, group } => {
                let key = (application.clone(), group.clone());
                Some(read(self.groups.get(&key))?)
            }
            Engine::Ecs => None,
        };
        let (last, before) = match &group {
            Some(group) => lasts(group),
            None => (rollout(&ecs), None),
        };
        let alarms = self.alarms_of(service, &ecs, group.as_ref(), &mut troubles);
        let now = aws.now();
        let waiting = self.waiting(service, &ecs, &live, now, &mut troubles);
        let (newest, hook) = (None, None);
        let mut facts = Facts { now, service, ecs, live, newest, last, before, alarms, waiting, hook };
        if family_is_open(&facts) {
            facts.newest = aws.revision(facts.live.family()).await?;
        }
        Ok(Found { facts, troubles })
    }

    /// An alarm that nobody can read never counts as a green one.
    fn alarms_of(
        &self,
        service: &Service,
        ecs: &EcsService,
        group: Option<&Group>,
        troubles: &mut Vec<String>,
    ) -> Vec<Alarm> {
        let of_group = group.into_iter().flat_map(|group| &group.alarms);
        let names: BTreeSet<_> = service.alarms.iter().chain(&ecs.alarms).chain(of_group).collect();
        let each = names.into_iter().map(|name| match self.alarms.get(name) {
            Some(Ok(alarm)) => alarm.clone(),
            other => {
                troubles.extend(other.and_then(|read| read.as_ref().err()).cloned());
                Alarm { name: name.clone(), state: AlarmState::Missing, muted: None }
            }
        });
        let alarms = each.collect();
        troubles.dedup();
        alarms
    }

    fn waiting(
        &self,
        service: &Service,
        ecs: &EcsService,
        live: &Revision,
        now: Timestamp,
        troubles: &mut Vec<String>,
    ) -> Vec<image_push::Waiting> {
        let unread =
            service.images.iter().filter_map(|rule| self.images.get(&rule.repository)?.as_ref().err());
        troubles.extend(unread.cloned());
        let of = |repository: &str| match self.images.get(repository) {
            Some(Ok(images)) => images.as_slice(),
            Some(Err(_)) | None => &[],
        };
        image_push::waiting(service, ecs, live, of, GRACE, now)
    }
}

/// The last deployment of a group, and the last that succeeded where that is another.
fn lasts(group: &Group) -> (Option<Last>, Option<Last>) {
    let last = |attempt: &Attempt| Last {
        id: Some(attempt.id.clone()),
        state: attempt.state.clone(),
        began: attempt.created,
        ended: attempt.ended,
        by: None,
    };
    let (attempted, succeeded) = (&group.last_attempted, &group.last_succeeded);
    let others = succeeded.iter().filter(|s| attempted.as_ref().is_none_or(|a| a.id != s.id));
    (attempted.as_ref().map(last), others.map(last).next())
}

fn rollout(ecs: &EcsService) -> Option<Last> {
    let (rollout, began) = (ecs.rollout.as_ref()?, ecs.serving_since?);
    let ended = rollout.updated.filter(|_| rollout.state != State::Active);
    Some(Last { id: None, state: rollout.state.clone(), began, ended, by: None })
}

/// Who started the deployments that nobody has settled, or whose hooks may be overdue.
async fn who_started(aws: &Aws, found: &mut [(&Service, anyhow::Result<Found<'_>>)]) {
    let open = |found: &Found<'_>| -> Vec<String> {
        let with_hooks = one_off::is_open(&found.facts).into_iter();
        let all = unsettled(&found.facts).into_iter().chain(with_hooks);
        all.filter_map(|last| last.id.clone()).collect()
    };
    let ids: Vec<_> = found.iter().filter_map(|(_, found)| found.as_ref().ok()).flat_map(open).collect();
    let described = match starters(aws, &ids).await {
        Ok(described) => described,
        Err(e) => {
            let affected = found.iter_mut().filter_map(|(_, found)| found.as_mut().ok());
            affected.filter(|found| !open(found).is_empty()).for_each(|found| found.troubles.push(words(&e)));
            BTreeMap::new()
        }
    };
    for (_, found) in found {
        let Ok(Found { facts, .. }) = found else { continue };
        for last in facts.last.iter_mut().chain(&mut facts.before) {
            last.by = last.id.as_ref().and_then(|id| described.get(id)).copied();
        }
    }
}

/// Whose release each of these deployments is, or takes back.
async fn starters(aws: &Aws, ids: &[String]) -> anyhow::Result<BTreeMap<String, By>> {
    let described = aws.all_described(ids).await?;
    let by_codedeploy = |one: &&Described| one.origin == Origin::Rollback && one.description.is_none();
    let taken_back: Vec<_> =
        described.iter().filter(by_codedeploy).filter_map(|one| one.rolls_back.clone()).collect();
    let releases = aws.all_described(&taken_back).await?;
    let by = |one: &Described| match (&one.deployment.digest, one.origin) {
        (Some(_), _) => By::Sluice,
        (None, Origin::Rollback) if one.description.is_some() => By::Sluice,
        (None, Origin::Rollback | Origin::Release) => By::Others,
    };
    let of_release = |one: &Described| {
        let release = releases.iter().find(|release| Some(&release.deployment.id) == one.rolls_back.as_ref());
        release.map_or_else(|| by(one), by)
    };
    Ok(described.iter().map(|one| (one.deployment.id.clone(), of_release(one))).collect())
}

fn read<T: Clone>(one: Option<&Result<T, String>>) -> anyhow::Result<T> {
    match one {
        Some(Ok(one)) => Ok(one.clone()),
        Some(Err(why)) => Err(anyhow::anyhow!("{why}")),
        None => Err(anyhow::anyhow!("nothing was read of it")),
    }
}

fn words(e: &anyhow::Error) -> String {
    format!("{e:#}")
}
