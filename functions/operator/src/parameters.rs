//! What `releases.yaml` means for the functions' rights: the parameters of `template.yaml`,
//! as the file that `samconfig.toml` names. CloudFormation cannot make a list of ARNs from a
//! list of names, so that they are written here.

use std::collections::BTreeSet;

use anyhow::bail;
use shared::config::{Check, Engine, Releases};

/// Where the ARNs are.
#[derive(Debug, Clone)]
pub struct Account {
    pub partition: String,
    pub region: String,
    pub id: String,
}

/// What `releases.yaml` does not say.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Task and execution roles: names, with their path if they have one, or ARNs.
    pub task_roles: Vec<String>,
    /// Names of log groups that migrations print to.
    pub log_groups: Vec<String>,
}

/// The file, and what is to be said about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameters {
    pub yaml: String,
    pub notes: Vec<String>,
}

/// A parameter: each ARN with what may stand for it and its like where the list is too long.
struct List {
    name: &'static str,
    /// In characters: of such lists the policies of a function are made, and IAM takes 6,144 or
    /// 10,240 of each. `tests/template` holds these against template.yaml.
    longest: usize,
    arns: BTreeSet<(String, Option<String>)>,
}

pub fn parameters(releases: &Releases, account: &Account, given: &Given) -> anyhow::Result<Parameters> {
    let mut notes = missing(releases, given);
    let mut yaml = String::new();
    for list in lists(releases, account, given) {
        let (arns, note) = list.narrow()?;
        notes.extend(note);
        if arns.is_empty() {
            continue;
        }
        yaml += &format!("{}:\n", list.name);
        yaml.extend(arns.iter().map(|arn| format!("  - '{arn}'\n")));
    }
    Ok(Parameters { yaml, notes })
}

fn lists(releases: &Releases, account: &Account, given: &Given) -> Vec<List> {
    let mut lists = Vec::from(services(releases, account));
    lists.extend(codedeploy(releases, account));
    lists.extend(checked(releases, account));
    let roles = given.task_roles.iter().map(|name| account.role(name));
    lists.push(List::exact("TaskRoles", 1_500, roles));
    let groups = given.log_groups.iter().map(|name| account.here("logs", &format!("log-group:{name}:*")));
    lists.push(List::exact("LogGroups", 1_000, groups));
    lists
}

fn services(releases: &Releases, account: &Account) -> [List; 3] {
    let ecs = |resource: &str| account.here("ecs", resource);
    let ecr = |resource: &str| account.here("ecr", resource);
    let each = || releases.services().iter();
    let services = each().map(|s| {
        let (cluster, service) = (&s.cluster, &s.service);
        (ecs(&format!("service/{cluster}/{service}")), Some(ecs(&format!("service/{cluster}/*"))))
    });
    let clusters = each().map(|s| (ecs(&format!("cluster/{}", s.cluster)), Some(ecs("cluster/*"))));
    let repositories = each().flat_map(|service| &service.images).map(|image| {
        let name = &image.repository;
        let all = namespace(name).map_or("repository/*".to_owned(), |of| format!("repository/{of}/*"));
        (ecr(&format!("repository/{name}")), Some(ecr(&all)))
    });
    [
        List { name: "Services", longest: 1_500, arns: services.collect() },
        List { name: "Clusters", longest: 500, arns: clusters.collect() },
        List { name: "Repositories", longest: 1_500, arns: repositories.collect() },
    ]
}

fn codedeploy(releases: &Releases, account: &Account) -> [List; 2] {
    let arn = |resource: &str| account.here("codedeploy", resource);
    let pairs = || {
        releases.services().iter().filter_map(|service| match &service.engine {
            Engine::CodeDeploy { application, group } => Some((application, group)),
            Engine::Ecs => None,
        })
    };
    let applications =
        pairs().map(|(name, _)| (arn(&format!("application:{name}")), Some(arn("application:*"))));
    let groups = pairs().map(|(application, group)| {
        let all = arn(&format!("deploymentgroup:{application}/*"));
        (arn(&format!("deploymentgroup:{application}/{group}")), Some(all))
    });
    [
        List { name: "Applications", longest: 1_000, arns: applications.collect() },
        List { name: "DeploymentGroups", longest: 1_500, arns: groups.collect() },
    ]
}

/// What checks use.
fn checked(releases: &Releases, account: &Account) -> [List; 3] {
    let secrets: BTreeSet<_> =
        releases.services().iter().flat_map(|service| service.checks.secrets()).collect();
    let secrets = secrets.iter().map(|secret| {
        let all = |of| account.here("secretsmanager", &format!("secret:{of}/*"));
        (account.secret(&secret.name), namespace(&secret.name).map(all))
    });
    let databases = |kind: &'static str| {
        snapshots(releases).map(move |name| account.here("rds", &format!("{kind}:{name}")))
    };
    [
        List { name: "Secrets", longest: 1_000, arns: secrets.collect() },
        List::exact("DatabaseClusters", 500, databases("cluster")),
        List::exact("DatabaseInstances", 500, databases("db")),
    ]
}

impl List {
    /// One for whose ARNs no pattern stands.
    fn exact(name: &'static str, longest: usize, arns: impl Iterator<Item = String>) -> Self {
        Self { name, longest, arns: arns.map(|arn| (arn, None)).collect() }
    }

    /// The ARNs, or patterns that take them in and fit.
    fn narrow(&self) -> anyhow::Result<(BTreeSet<String>, Option<String>)> {
        let length = |arns: &BTreeSet<String>| arns.iter().map(|arn| arn.len() + 3).sum::<usize>();
        let exact: BTreeSet<_> = self.arns.iter().map(|(arn, _)| arn.clone()).collect();
        if length(&exact) <= self.longest {
            return Ok((exact, None));
        }
        let wide = |(arn, all): &(String, Option<String>)| all.clone().unwrap_or_else(|| arn.clone());
        let wider: BTreeSet<_> = self.arns.iter().map(wide).collect();
        if length(&wider) > self.longest {
            bail!(
                "{}: {} ARNs are more than the policies of a function hold; split releases.yaml into \
                 environments with a stack each",
                self.name,
                exact.len()
            );
        }
        let note = format!(
            "{}: {} ARNs are more than the policies of a function hold; written are {} patterns",
            self.name,
            exact.len(),
            wider.len()
        );
        Ok((wider, Some(note)))
    }
}

/// What the functions will be refused for want of a parameter.
fn missing(releases: &Releases, given: &Given) -> Vec<String> {
    let mut notes = Vec::new();
    if given.task_roles.is_empty() {
        notes.push(
            "no --task-role: only task definitions without a task role and an execution role can be deployed"
                .to_owned(),
        );
    }
    let prints = |check: &&Check| !matches!(check, Check::Smoke(_));
    if let (Some(check), true) = (checks(releases).find(prints), given.log_groups.is_empty()) {
        notes.push(format!("no --log-group: {} cannot read what its task prints", check.as_str()));
    }
    notes
}

fn checks(releases: &Releases) -> impl Iterator<Item = &Check> {
    let services = releases.services().iter();
    services.flat_map(|service| service.checks.by_lifecycle_event()).flat_map(|(_, checks)| checks)
}

fn snapshots(releases: &Releases) -> impl Iterator<Item = &String> {
    checks(releases).filter_map(|check| match check {
        Check::Migrate(migrate) => migrate.snapshot.as_ref(),
        Check::MigrationCheck(_) | Check::Smoke(_) => None,
    })
}

/// `team/api` is in the namespace `team`.
fn namespace(name: &str) -> Option<&str> {
    name.split_once('/').map(|(of, _)| of)
}

impl Account {
    fn arn(&self, service: &str, region: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{region}:{}:{resource}", self.partition, self.id)
    }

    /// In this account and region.
    fn here(&self, service: &str, resource: &str) -> String {
        self.arn(service, &self.region, resource)
    }

    fn role(&self, name: &str) -> String {
        if name.starts_with("arn:") { name.to_owned() } else { self.arn("iam", "", &format!("role/{name}")) }
    }

    /// Secrets Manager adds six characters to a secret's name.
    fn secret(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            name.to_owned()
        } else {
            self.here("secretsmanager", &format!("secret:{name}-??????"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account { partition: "aws-cn".into(), region: "cn-north-1".into(), id: "123456789012".into() }
    }

    fn of(yaml: &str, given: &Given) -> anyhow::Result<Parameters> {
        let releases = Releases::parse(yaml, "f").unwrap_or_else(|e| panic!("{e}\n{yaml}"));
        parameters(&releases, &account(), given)
    }

    /// `n` services under CodeDeploy, each in a cluster of `clusters`.
    fn many(n: usize, clusters: usize) -> String {
        let entry = |i: usize| {
            format!(
                "  s{i:03}:\n    cluster: c{}\n    service: s{i:03}\n    images: [{{ repository: team/s{i:03}, \
                 container: app, tags: v.* }}]\n    deploy: {{ codedeploy: {{ application: a{}, group: s{i:03} \
                 }} }}\n",
                i % clusters,
                i % clusters
            )
        };
        format!("services:\n{}", (0..n).map(entry).collect::<String>())
    }

    #[test]
    fn each_parameter_has_the_arns_of_what_releases_yaml_names() {
        let given = Given {
            task_roles: vec!["api-task".into(), "arn:aws-cn:iam::999999999999:role/other".into()],
            log_groups: vec!["/ecs/api".into()],
        };
        let told = of(include_str!("../../../shared/src/config/tests/checks.yaml"), &given).unwrap();
        assert_eq!(
            told.yaml,
            "\
Services:
  - 'arn:aws-cn:ecs:cn-north-1:123456789012:service/c/api'
Clusters:
  - 'arn:aws-cn:ecs:cn-north-1:123456789012:cluster/c'
Repositories:
  - 'arn:aws-cn:ecr:cn-north-1:123456789012:repository/api'
Applications:
  - 'arn:aws-cn:codedeploy:cn-north-1:123456789012:application:a'
DeploymentGroups:
  - 'arn:aws-cn:codedeploy:cn-north-1:123456789012:deploymentgroup:a/g'
Secrets:
  - 'arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:api/key-??????'
  - 'arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:api/other-??????'
  - 'arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:api/token-??????'
DatabaseClusters:
  - 'arn:aws-cn:rds:cn-north-1:123456789012:cluster:api-db'
DatabaseInstances:
  - 'arn:aws-cn:rds:cn-north-1:123456789012:db:api-db'
TaskRoles:
  - 'arn:aws-cn:iam::123456789012:role/api-task'
  - 'arn:aws-cn:iam::999999999999:role/other'
LogGroups:
  - 'arn:aws-cn:logs:cn-north-1:123456789012:log-group:/ecs/api:*'
"
        );
        assert_eq!(told.notes, [""; 0]);
    }

    #[test]
    fn a_parameter_without_an_arn_is_not_written_and_what_is_missing_is_said() {
        let yaml = "services:\n  web:\n    cluster: c\n    service: web\n    images: [{ repository: web, container: app, tags: v.* }]\n    deploy: { ecs: {} }\n";
        let told = of(yaml, &Given::default()).unwrap();
        let names: Vec<_> = told.yaml.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(names, ["Services:", "Clusters:", "Repositories:"]);
        assert_eq!(told.notes.len(), 1, "{:?}", told.notes);
        let with_migration = of(include_str!("../../../tests/releases.yaml"), &Given::default()).unwrap();
        assert_eq!(with_migration.notes[1], "no --log-group: migrate cannot read what its task prints");
    }

    #[test]
    fn where_arns_do_not_fit_patterns_of_their_cluster_application_or_namespace_do() {
        let given = Given { task_roles: vec!["r".into()], ..Given::default() };
        let few = of(&many(15, 2), &given).unwrap();
        assert_eq!((few.yaml.contains('*'), few.notes.len()), (false, 0));
        let told = of(&many(1_000, 3), &given).unwrap();
        assert!(
            told.yaml.contains("  - 'arn:aws-cn:ecs:cn-north-1:123456789012:service/c2/*'\n"),
            "{}",
            told.yaml
        );
        assert!(told.yaml.contains("deploymentgroup:a1/*'\n") && told.yaml.contains(":repository/team/*'\n"));
        assert!(told.yaml.contains(":application:a0'\n"), "they fit: {}", told.yaml);
        let services =
            "Services: 1000 ARNs are more than the policies of a function hold; written are 3 patterns";
        assert_eq!((told.notes.len(), told.notes[0].as_str()), (3, services));
    }

    #[test]
    fn what_fits_in_no_way_is_an_error_that_names_the_parameter() {
        let given = Given { task_roles: (0..40).map(|i| format!("role-{i}")).collect(), ..Given::default() };
        let error = of(&many(1, 1), &given).unwrap_err().to_string();
        assert!(error.starts_with("TaskRoles: 40 ARNs are more than") && error.contains("split"), "{error}");
    }
}
