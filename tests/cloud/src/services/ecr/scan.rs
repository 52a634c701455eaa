//! Basic scanning, on push or on request.
//!
//! What a scan finds is written in the image: the label `sluice.cloud/findings` of
//! its configuration, `CRITICAL=1,HIGH=2`. Without it nothing is found; `FAILED`
//! (or text that cannot be read) makes the scan fail.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::services::events;
use crate::time::{DAY, Ms, SECOND, timestamp};
use crate::timeline::Kind;

use super::{Image, ImageId, Repository, Timer, image_not_found, page, pull, repository};

const DURATION: Ms = 10 * SECOND;
/// Findings that one entry of the label may count.
const MOST: u64 = 1_000;
const LABEL: &str = "sluice.cloud/findings";
const SEVERITIES: [&str; 6] = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED"];

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Scan {
    number: u64,
    started: Ms,
    outcome: Option<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
enum Outcome {
    Complete { at: Ms, counts: BTreeMap<String, u64> },
    Failed { description: String },
}

impl Scan {
    fn status(&self) -> Value {
        match &self.outcome {
            None => json!({ "status": "IN_PROGRESS" }),
            Some(Outcome::Complete { .. }) => json!({
                "status": "COMPLETE",
                "description": "The scan was completed successfully.",
            }),
            Some(Outcome::Failed { description }) => {
                json!({ "status": "FAILED", "description": description })
            }
        }
    }
}

/// The image that a request's `imageId` names.
fn image<'a>(cloud: &'a Cloud, input: &Value) -> Result<(&'a Repository, &'a Image, ImageId), Fault> {
    let repository = repository(cloud, input)?;
    let asked = ImageId::of(&input["imageId"]);
    let image = repository.find(&asked).ok_or_else(|| image_not_found(cloud, &repository.name, &asked))?;
    let id = ImageId { digest: Some(image.digest.clone()), tag: asked.tag };
    Ok((repository, image, id))
}

pub(super) fn start(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let (repository, image, id) = image(cloud, input)?;
    if !image.manifest.is_image() {
        return Err(Fault::new(
            "UnsupportedImageTypeException",
            format!(
                "The image with imageId {} is of media type '{}', which cannot be scanned",
                id.shown(),
                image.manifest.media_type
            ),
        ));
    }
    if image.scan.as_ref().is_some_and(|scan| cloud.now < scan.started + DAY) {
        let text = "The scan quota per image has been exceeded. Wait and try again.";
        return Err(Fault::new("LimitExceededException", text));
    }
    let name = repository.name.clone();
    begin(cloud, &name, id.digest.as_deref().unwrap_or_default());
    Ok(json!({
        "registryId": cloud.settings.account,
        "repositoryName": name,
        "imageId": id.json(),
        "imageScanStatus": { "status": "IN_PROGRESS" },
    }))
}

/// Begins a scan of an image that is there.
pub(super) fn begin(cloud: &mut Cloud, repository: &str, digest: &str) {
    cloud.state.ecr.count += 1;
    let (number, started) = (cloud.state.ecr.count, cloud.now);
    let Some(image) = image_mut(cloud, repository, digest) else { return };
    image.scan = Some(Scan { number, started, outcome: None });
    let timer = Timer::Scanned { repository: repository.into(), digest: digest.into(), scan: number };
    cloud.after(DURATION, timer);
}

fn image_mut<'a>(cloud: &'a mut Cloud, repository: &str, digest: &str) -> Option<&'a mut Image> {
    cloud.state.ecr.repositories.get_mut(repository)?.images.get_mut(digest)
}

/// A scan has run its time: its outcome and event, if the image is still there.
pub(super) fn finish(cloud: &mut Cloud, repository: &str, digest: &str, number: u64) {
    let now = cloud.now;
    let Some(holder) = cloud.state.ecr.repositories.get(repository) else { return };
    let Some(image) = holder.images.get(digest) else { return };
    if image.scan.as_ref().is_none_or(|scan| scan.number != number) {
        return;
    }
    let label = pull::config_json(holder, image)
        .and_then(|config| config["config"]["Labels"][LABEL].as_str().map(str::to_owned));
    let outcome = match read_label(label.as_deref()) {
        Ok(counts) => Outcome::Complete { at: now, counts },
        Err(description) => Outcome::Failed { description },
    };
    let detail = scan_detail(repository, digest, &holder.image_tags(digest), &outcome);
    if let Some(scan) = image_mut(cloud, repository, digest).and_then(|image| image.scan.as_mut()) {
        scan.outcome = Some(outcome);
    }
    let text =
        format!("scan of {repository}@{digest}: {}", detail["scan-status"].as_str().unwrap_or_default());
    cloud.note(Kind::Scan, text, detail.clone());
    let arn = cloud.arn("ecr", &format!("repository/{repository}"));
    events::publish(cloud, "aws.ecr", "ECR Image Scan", &[arn], detail);
}

/// `CRITICAL=1,HIGH=2`, or why the scan failed.
fn read_label(label: Option<&str>) -> Result<BTreeMap<String, u64>, String> {
    let label = label.unwrap_or_default().trim();
    if label == "FAILED" {
        return Err("The scan failed. Retry to start a new scan.".into());
    }
    let mut counts = BTreeMap::new();
    for part in label.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let count = part.split_once('=').and_then(|(severity, count)| {
            let severity = SEVERITIES.iter().find(|known| **known == severity.trim())?;
            Some((*severity, count.trim().parse::<u64>().ok().filter(|count| *count <= MOST)?))
        });
        let Some((severity, count)) = count else {
            return Err(format!(
                "The scan failed: label {LABEL} has '{part}', not <severity>=<count up to {MOST}>."
            ));
        };
        if count > 0 {
            *counts.entry(severity.to_owned()).or_insert(0) += count;
        }
    }
    Ok(counts)
}

fn scan_detail(repository: &str, digest: &str, tags: &[&str], outcome: &Outcome) -> Value {
    let mut detail = json!({
        "scan-status": "FAILED",
        "repository-name": repository,
        "image-digest": digest,
        "image-tags": tags,
    });
    if let Outcome::Complete { counts, .. } = outcome {
        detail["scan-status"] = json!("COMPLETE");
        detail["finding-severity-counts"] = json!(counts);
    }
    detail
}

pub(super) fn findings(cloud: &Cloud, input: &Value) -> Result<Value, Fault> {
    let (repository, image, id) = image(cloud, input)?;
    let scan = image.scan.as_ref().ok_or_else(|| {
        Fault::new(
            "ScanNotFoundException",
            format!(
                "Image scan does not exist for the image with '{}' in the repository with name '{}' in the registry with id '{}'",
                id.shown(),
                repository.name,
                cloud.settings.account
            ),
        )
    })?;
    let mut answer = json!({
        "registryId": cloud.settings.account,
        "repositoryName": repository.name,
        "imageId": id.json(),
        "imageScanStatus": scan.status(),
    });
    if let Some(Outcome::Complete { at, counts }) = &scan.outcome {
        let (findings, next) = page(cloud, each_finding(counts), input, 100)?;
        answer["nextToken"] = json!(next);
        answer["imageScanFindings"] = json!({
            "imageScanCompletedAt": timestamp(*at),
            "vulnerabilitySourceUpdatedAt": timestamp(*at / DAY * DAY),
            "findingSeverityCounts": counts,
            "findings": findings,
        });
    }
    Ok(answer)
}

/// One made-up finding for each that was counted, the worst first.
fn each_finding(counts: &BTreeMap<String, u64>) -> Vec<Value> {
    let severities = SEVERITIES.iter().flat_map(|severity| {
        let count = counts.get(*severity).copied().unwrap_or(0);
        (0..count).map(move |_| *severity)
    });
    severities
        .enumerate()
        .map(|(n, severity)| {
            json!({
                "name": format!("CVE-2000-{:04}", n + 1),
                "description": format!("a {severity} finding of the local cloud"),
                "severity": severity,
                "attributes": [
                    { "key": "package_name", "value": format!("package-{}", n + 1) },
                    { "key": "package_version", "value": "1.0.0" },
                ],
            })
        })
        .collect()
}
