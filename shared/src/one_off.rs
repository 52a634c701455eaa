//! How one-off tasks and snapshots are known: by what the hook that waits for them called them.

use sha2::{Digest as _, Sha256};

/// `startedBy` of all tasks begins so; the rule that wakes the hook function looks for it.
pub const STARTED_BY: &str = "sluice/";

/// Tags on a task or snapshot, by which its end finds back to the hook that waits for it.
pub const DEPLOYMENT: &str = "sluice:deployment";
const EXECUTION: &str = "sluice:hook-";

/// The longest value that a tag takes.
const TAG: usize = 256;

/// The longest name that RDS takes for a cluster's snapshot.
const NAME: usize = 63;

pub fn hash(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same for all tasks of one service.
pub fn started_by(cluster: &str, service: &str) -> String {
    let readable = service.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(80);
    let hash = hash(&format!("{cluster}/{service}"));
    format!("{STARTED_BY}{}-{}", readable.collect::<String>(), &hash[..8])
}

/// What a task or snapshot carries; `execution` is that of a hook of CodeDeploy, whose id is
/// longer than a tag: it is cut.
pub fn tags(deployment: &str, execution: Option<&str>) -> Vec<(String, String)> {
    let mut tags = vec![(DEPLOYMENT.to_owned(), deployment.to_owned())];
    let letters: Vec<char> = execution.unwrap_or_default().chars().collect();
    let parts = letters.chunks(TAG).enumerate();
    tags.extend(parts.map(|(n, part)| (format!("{EXECUTION}{n}"), part.iter().collect())));
    tags
}

/// Deployment and execution that tags name: those of a hook of CodeDeploy.
pub fn execution(tags: &[(String, String)]) -> Option<(String, String)> {
    let value = |name: &str| tags.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let parts: String = (0..).map_while(|n| value(&format!("{EXECUTION}{n}"))).collect();
    if parts.is_empty() { None } else { Some((value(DEPLOYMENT)?, parts)) }
}

/// The same for one deployment: letters, digits and single hyphens.
pub fn snapshot_name(database: &str, deployment: &str) -> String {
    let hash = hash(deployment);
    let deployment = deployment.rsplit('/').next().unwrap_or_default();
    let name = format!("sluice-{database}-{deployment}");
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-").to_lowercase();
    if name.len() <= NAME {
        return name;
    }
    let start: String = name.chars().take(NAME - 13).collect();
    format!("{}-{}", start.trim_end_matches('-'), &hash[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_found_back_in_its_parts() {
        let id: String = ('a'..='z').cycle().take(700).collect();
        let parts = [&id[256..512], &id[..256], &id[512..]];
        let mut tags: Vec<_> = [1, 0, 2]
            .iter()
            .zip(parts)
            .map(|(n, part)| (format!("sluice:hook-{n}"), part.to_owned()))
            .collect();
        assert_eq!(execution(&tags), None, "no deployment");
        tags.push((DEPLOYMENT.into(), "d-1".into()));
        assert_eq!(execution(&tags), Some(("d-1".into(), id.clone())));
        assert_eq!(execution(&super::tags("d-1", Some(&id))), Some(("d-1".into(), id)));
        assert_eq!(execution(&super::tags("arn:aws:ecs:…", None)), None, "ECS calls back by itself");
    }

    #[test]
    fn started_by_is_what_ecs_takes() {
        for service in ["api", &"long".repeat(60), "a_b-c"] {
            let text = started_by("cluster", service);
            let letters = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_/".contains(c));
            assert!(text.len() <= 128 && letters && text.starts_with(STARTED_BY), "{text}");
        }
        assert_ne!(started_by("a", "x"), started_by("b", "x"));
    }

    #[test]
    fn a_snapshots_name_is_one_that_rds_takes() {
        assert_eq!(snapshot_name("api-db", "d-ABC123XYZ"), "sluice-api-db-d-abc123xyz");
        let long = "a-".repeat(100);
        for (database, deployment) in
            [(&long[..], "d-1"), ("db", "arn:aws:ecs:eu-west-1:1:service-deployment/c/s/EZe5RN_VLH6--x")]
        {
            let name = snapshot_name(database, deployment);
            let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            assert!(name.len() <= NAME && letters && !name.contains("--") && !name.ends_with('-'), "{name}");
        }
        assert_ne!(snapshot_name(&long, "d-1"), snapshot_name(&long, "d-2"));
    }
}
