//! The entries of `releases.yaml`, from the tree of the file to [`Service`].

mod answer;
mod checks;
mod smoke;

use std::time::Duration;

use super::cursor::{Fields, Once, Value};
use super::values;
use super::{Checks, Engine, ImageRule, Notify, ScanGate, Service, Severity};
use crate::freeze::Freeze;

const SCAN_WAIT: Duration = Duration::from_secs(10 * 60);
/// What one call of CloudWatch's DescribeAlarms can name.
const MOST_ALARMS: usize = 100;
const SEVERITY: (&str, &str) = ("severity", "severities");

/// The whole document. Gives `None` only if faults have been noted.
pub(super) fn document(root: Value<'_>) -> Option<Vec<Service>> {
    let fields = root.fields(&["services"])?;
    let services = fields.required_as("services", "is missing; write an entry per service under it")?;
    let entries = services.mapping()?;
    if entries.is_empty() {
        services.fault("names no service; write at least one");
        return None;
    }
    let mut taken = Taken { services: Once::new(), groups: Once::new() };
    entries.each(|name, entry| taken.service(name, entry))
}

/// What two entries must not share: they would undo each other's deployments.
struct Taken {
    services: Once<(String, String)>,
    groups: Once<(String, String)>,
}

impl Taken {
    fn service(&mut self, name: &str, entry: Value<'_>) -> Option<Service> {
        let fields = entry.fields(&[
            "cluster", "service", "images", "deploy", "checks", "alarms", "watch", "gates", "notify",
        ])?;
        let (cluster, service) = self.ecs_service(&fields);
        let images = fields.required("images").and_then(images);
        let engine = fields
            .required_as(
                "deploy",
                "is missing; write { codedeploy: { application: ..., group: ... } } or { ecs: {} }",
            )
            .and_then(|deploy| self.engine(deploy));
        let checks = fields.or("checks", Checks::default(), checks::checks);
        let alarms = fields.or("alarms", Vec::new(), alarms);
        let watch = fields.or("watch", Duration::ZERO, |value| value.duration());
        let gates = fields.or("gates", (None, Vec::new()), gates);
        let notify = fields.or("notify", Notify::default(), notify);
        let (scan, freeze) = gates?;
        Some(Service {
            name: name.to_owned(),
            cluster: cluster?,
            service: service?,
            images: images?,
            engine: engine?,
            checks: checks?,
            alarms: alarms?,
            watch: watch?,
            scan,
            freeze,
            notify: notify?,
        })
    }

    fn ecs_service(&mut self, fields: &Fields<'_>) -> (Option<String>, Option<String>) {
        let cluster = name_in(fields, "cluster");
        let value = fields.required("service");
        let service = value.and_then(|value| value.name()).map(str::to_owned);
        if let (Some(value), Some(cluster), Some(service)) = (value, &cluster, &service) {
            self.services.check((cluster.clone(), service.clone()), value, |line| {
                format!(
                    "{cluster}/{service} has the entry of line {line} already; keep one entry per service"
                )
            });
        }
        (cluster, service)
    }

    fn engine(&mut self, deploy: Value<'_>) -> Option<Engine> {
        let fields = deploy.fields(&["codedeploy", "ecs"])?;
        match (fields.optional("codedeploy"), fields.optional("ecs")) {
            (Some(codedeploy), None) => self.codedeploy(codedeploy),
            (None, Some(ecs)) if ecs.is_null() => {
                ecs.fault("is empty; write ecs: {}");
                None
            }
            (None, Some(ecs)) => ecs.fields(&[]).map(|_| Engine::Ecs),
            (Some(_), Some(_)) => {
                deploy.fault("has both codedeploy and ecs; keep one of the two");
                None
            }
            (None, None) => {
                if !fields.has_misspelt() {
                    deploy.fault(
                        "has neither codedeploy nor ecs; write \
                         codedeploy: { application: ..., group: ... } or ecs: {}",
                    );
                }
                None
            }
        }
    }

    fn codedeploy(&mut self, codedeploy: Value<'_>) -> Option<Engine> {
        let fields = codedeploy.fields(&["application", "group"])?;
        let application = name_in(&fields, "application");
        let value = fields.required("group");
        let group = value.and_then(|value| value.name()).map(str::to_owned);
        let (value, application, group) = (value?, application?, group?);
        self.groups.check((application.clone(), group.clone()), value, |line| {
            format!("{application}/{group} deploys the entry of line {line} already; each has its own group")
        });
        Some(Engine::CodeDeploy { application, group })
    }
}

fn name_in(fields: &Fields<'_>, key: &str) -> Option<String> {
    fields.required(key)?.name().map(str::to_owned)
}

fn images(value: Value<'_>) -> Option<Vec<ImageRule>> {
    let mut containers = Once::new();
    value.filled_list(|item| {
        let fields = item.fields(&["repository", "container", "tags"])?;
        let repository = fields.required("repository").and_then(|value| value.parsed(values::repository));
        let container = name_in(&fields, "container");
        if let (Some(value), Some(container)) = (fields.optional("container"), &container) {
            containers.check(container.clone(), value, |line| {
                format!("'{container}' gets its image from line {line} already; name each container once")
            });
        }
        let tags = fields.required_as(
            "tags",
            "is missing; write a regular expression for the tags to release, such as '[0-9a-f]{40}'",
        );
        let tags = tags.and_then(|value| value.tag_pattern());
        Some(ImageRule { repository: repository?, container: container?, tags: tags? })
    })
}

fn alarms(value: Value<'_>) -> Option<Vec<String>> {
    let mut once = Once::new();
    let alarms = value.list(|item| {
        let alarm = item.name()?;
        once.check(alarm.to_owned(), item, |line| {
            format!("'{alarm}' stands on line {line} already; name each alarm once")
        });
        Some(alarm.to_owned())
    })?;
    if alarms.len() > MOST_ALARMS {
        value.fault(format_args!(
            "names {} alarms; keep {MOST_ALARMS} or fewer, perhaps with a composite alarm",
            alarms.len()
        ));
    }
    Some(alarms)
}

fn gates(value: Value<'_>) -> Option<(Option<ScanGate>, Vec<Freeze>)> {
    let fields = value.fields(&["scan", "freeze"])?;
    let scan = fields.or("scan", None, |value| scan(value).map(Some));
    let freeze = fields.or("freeze", Vec::new(), |value| value.list(|item| item.parsed(Freeze::parse)));
    Some((scan?, freeze?))
}

fn scan(value: Value<'_>) -> Option<ScanGate> {
    let fields = value.fields(&["block", "wait"])?;
    let block =
        fields.required_as("block", "is missing; write the severities to refuse, as in [CRITICAL, HIGH]");
    let mut once = Once::new();
    let block = block.and_then(|value| {
        value.filled_list(|item| {
            let severity =
                item.parsed(|text| values::one_of(SEVERITY, &Severity::ALL, Severity::as_str, text))?;
            once.check(severity, item, |line| {
                format!("stands on line {line} already; name each severity once")
            });
            Some(severity)
        })
    });
    let wait = fields.or("wait", SCAN_WAIT, |value| value.duration_above_zero());
    Some(ScanGate { block: block?, wait: wait? })
}

fn notify(value: Value<'_>) -> Option<Notify> {
    let fields = value.fields(&["slack", "alarms", "unwatched-alarms"])?;
    let slack = fields.or("slack", None, |value| channel(value).map(Some));
    let alarms = fields.or("alarms", None, |value| channel(value).map(Some));
    let unwatched = fields.or("unwatched-alarms", false, |value| value.truth());
    Some(Notify { slack: slack?, alarms: alarms?, unwatched: unwatched? })
}

fn channel(value: Value<'_>) -> Option<String> {
    if value.is_null() {
        value.fault("is empty; put the channel in quotes, as in '#deploys', for # alone starts a comment");
        return None;
    }
    value.parsed(values::channel)
}
