//! The registry as its clients see it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::kit::Kit;
use super::manifest::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use super::{download, is_ours, resolve, sha256};
use crate::time::{DAY, SECOND};

impl Kit {
    fn ecr(&mut self, operation: &str, mut input: Value) -> Value {
        input["repositoryName"] = json!("app");
        self.ok("ecr", operation, &input)
    }

    fn ecr_fault(&mut self, operation: &str, mut input: Value) -> String {
        input["repositoryName"] = json!("app");
        self.fault("ecr", operation, &input)
    }

    fn with_repository(settings: Value) -> Self {
        let mut kit = Self::new();
        kit.ecr("CreateRepository", settings);
        kit
    }

    /// Uploads a blob; its digest.
    fn upload(&mut self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let known = self.ecr("BatchCheckLayerAvailability", json!({ "layerDigests": [digest] }));
        if known["layers"][0]["layerAvailability"] == "AVAILABLE" {
            return digest;
        }
        let id = self.ecr("InitiateLayerUpload", json!({}))["uploadId"].clone();
        let part = json!({
            "uploadId": id,
            "partFirstByte": 0,
            "partLastByte": bytes.len() - 1,
            "layerPartBlob": BASE64_STANDARD.encode(bytes),
        });
        self.ecr("UploadLayerPart", part);
        self.ecr("CompleteLayerUpload", json!({ "uploadId": id, "layerDigests": [digest] }));
        digest
    }

    /// The manifest of an image whose layers are there.
    fn manifest(&mut self, architecture: &str, config: Value) -> String {
        let config = json!({ "architecture": architecture, "os": "linux", "config": config }).to_string();
        let layer = b"layer".as_slice();
        json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": self.upload(config.as_bytes()),
                "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": self.upload(layer),
                "size": layer.len(),
            }],
        })
        .to_string()
    }

    /// Pushes an image told from others by its command; its digest.
    fn push(&mut self, command: &str, tag: Option<&str>) -> String {
        let manifest = self.manifest("amd64", json!({ "Cmd": [command] }));
        self.put(&manifest, tag)
    }

    fn put(&mut self, manifest: &str, tag: Option<&str>) -> String {
        let answer = self.ecr("PutImage", json!({ "imageManifest": manifest, "imageTag": tag }));
        answer["image"]["imageId"]["imageDigest"].as_str().unwrap().to_owned()
    }

    fn digests(&mut self, tag_status: &str) -> Vec<Value> {
        let images = self.ecr("DescribeImages", json!({ "filter": { "tagStatus": tag_status } }));
        images["imageDetails"].as_array().unwrap().iter().map(|i| i["imageDigest"].clone()).collect()
    }
}

fn index(children: &[(&str, &str)]) -> String {
    let manifests: Vec<_> = children
        .iter()
        .map(|(digest, architecture)| {
            let platform = json!({ "architecture": architecture, "os": "linux" });
            json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "platform": platform })
        })
        .collect();
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests }).to_string()
}

fn image(name: &str) -> String {
    format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/app{name}")
}

#[test]
fn a_push_with_its_layers_is_told_as_real_ecr_tells_it_and_can_be_pulled() {
    let mut kit = Kit::with_repository(json!({}));
    let run = json!({
        "Entrypoint": ["/app"], "Cmd": ["serve"], "Env": ["A=1"], "WorkingDir": "/srv", "Labels": {},
    });
    let manifest = kit.manifest("amd64", run);
    let digest = kit.put(&manifest, Some("v1"));
    assert_eq!(digest, sha256(manifest.as_bytes()));
    assert_eq!(
        kit.events("ECR Image Action"),
        [&json!({
            "action-type": "PUSH",
            "image-digest": digest,
            "image-tag": "v1",
            "repository-name": "app",
            "result": "SUCCESS",
            "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
            "artifact-media-type": "application/vnd.oci.image.config.v1+json",
        })]
    );
    for reference in [":v1".to_owned(), format!("@{digest}"), format!(":gone@{digest}")] {
        let image = resolve(&kit.cloud, &image(&reference)).unwrap();
        assert_eq!((image.digest.as_str(), image.repository.as_str()), (digest.as_str(), "app"));
        assert_eq!(image.config.entrypoint, ["/app"]);
        assert_eq!(image.config.command, ["serve"]);
        assert_eq!(image.config.working_directory.as_deref(), Some("/srv"));
    }
    let missing = resolve(&kit.cloud, &image(":v2")).unwrap_err();
    assert!(
        missing.starts_with("CannotPullContainerError: ") && missing.ends_with(":v2: not found"),
        "{missing}"
    );
    assert!(!is_ours(&kit.cloud, "docker.io/library/app"));
    let back = kit.ecr("BatchGetImage", json!({ "imageIds": [{ "imageTag": "v1" }, { "imageTag": "v2" }] }));
    assert_eq!(back["images"][0]["imageManifest"], manifest.as_str());
    assert_eq!(back["failures"][0]["failureCode"], "ImageNotFound");
    let layer = sha256(b"layer");
    let url = kit.ecr("GetDownloadUrlForLayer", json!({ "layerDigest": layer }))["downloadUrl"].clone();
    assert_eq!(url, format!("http://127.0.0.1/_cloud/blobs/{layer}"));
    let detail = &kit.ecr("DescribeImages", json!({}))["imageDetails"][0];
    assert_eq!(detail["artifactMediaType"], "application/vnd.oci.image.config.v1+json");
    assert_eq!(detail["imageTags"], json!(["v1"]));
}

#[test]
fn a_manifest_without_its_layers_or_images_is_refused_and_no_event_tells_of_it() {
    let mut kit = Kit::with_repository(json!({}));
    let config = "application/vnd.oci.image.config.v1+json";
    let absent = sha256(b"absent");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": { "mediaType": config, "digest": absent, "size": 1 }, "layers": [],
    });
    let put = |manifest: &str| json!({ "imageManifest": manifest });
    assert_eq!(kit.ecr_fault("PutImage", put(&manifest.to_string())), "LayersNotFoundException");
    let of_absent = index(&[(&absent, "amd64")]);
    assert_eq!(kit.ecr_fault("PutImage", put(&of_absent)), "ReferencedImagesNotFoundException");
    assert_eq!(kit.ecr_fault("PutImage", put("{}")), "InvalidParameterException");
    let manifest = kit.manifest("amd64", json!({}));
    let claimed = json!({ "imageManifest": manifest, "imageDigest": absent });
    assert_eq!(kit.ecr_fault("PutImage", claimed), "ImageDigestDoesNotMatchException");
    let other_type = json!({ "imageManifest": manifest, "imageManifestMediaType": DOCKER_MANIFEST });
    assert_eq!(kit.ecr_fault("PutImage", other_type), "InvalidParameterException");
    assert!(kit.events("ECR Image Action").is_empty());
    assert!(kit.digests("ANY").is_empty());
}

#[test]
fn layer_parts_follow_one_another_and_have_the_digest_they_claim() {
    let mut kit = Kit::with_repository(json!({}));
    let part = |id: &Value, first: usize, last: u64| {
        json!({
            "uploadId": id, "partFirstByte": first, "partLastByte": last,
            "layerPartBlob": BASE64_STANDARD.encode("part"),
        })
    };
    let id = kit.ecr("InitiateLayerUpload", json!({}))["uploadId"].clone();
    let complete = |digest: &str| json!({ "uploadId": id, "layerDigests": [digest] });
    assert_eq!(kit.ecr_fault("CompleteLayerUpload", complete(&sha256(b""))), "EmptyUploadException");
    assert_eq!(kit.ecr("UploadLayerPart", part(&id, 0, 3))["lastByteReceived"], 3);
    for (first, last) in [(5, 8), (4, 8), (0, 3), (4, u64::MAX >> 1)] {
        assert_eq!(kit.ecr_fault("UploadLayerPart", part(&id, first, last)), "InvalidLayerPartException");
    }
    assert_eq!(kit.ecr_fault("CompleteLayerUpload", complete(&sha256(b"other"))), "InvalidLayerException");
    kit.ecr("CompleteLayerUpload", complete(&sha256(b"part")));
    assert_eq!(kit.ecr_fault("CompleteLayerUpload", complete(&sha256(b"part"))), "UploadNotFoundException");
    assert_eq!(download(&kit.cloud, &sha256(b"part")).body, b"part");
    // It belongs to no image yet.
    let download = json!({ "layerDigest": sha256(b"part") });
    assert_eq!(kit.ecr_fault("GetDownloadUrlForLayer", download), "LayerInaccessibleException");

    let id = kit.ecr("InitiateLayerUpload", json!({}))["uploadId"].clone();
    kit.ecr("UploadLayerPart", part(&id, 0, 3));
    kit.ecr("UploadLayerPart", part(&id, 4, 7));
    let complete = json!({ "uploadId": id, "layerDigests": [sha256(b"partpart")] });
    assert_eq!(kit.ecr_fault("CompleteLayerUpload", complete), "LayerPartTooSmallException");
}

#[test]
fn a_moved_tag_leaves_the_old_image_untagged() {
    let mut kit = Kit::with_repository(json!({}));
    let (old, new) = (kit.push("old", Some("latest")), kit.push("new", Some("latest")));
    assert_eq!(kit.digests("UNTAGGED"), [old.as_str()]);
    assert_eq!(kit.digests("TAGGED"), [new.as_str()]);
    let manifest = kit.manifest("amd64", json!({ "Cmd": ["new"] }));
    let again = json!({ "imageManifest": manifest, "imageTag": "latest" });
    assert_eq!(kit.ecr_fault("PutImage", again), "ImageAlreadyExistsException");
    assert_eq!(
        kit.ecr_fault("PutImage", json!({ "imageManifest": manifest })),
        "ImageAlreadyExistsException"
    );
    assert_eq!(kit.events("ECR Image Action").len(), 2);
    // A second tag for the same image is a push of its own.
    kit.put(&manifest, Some("v2"));
    assert_eq!(kit.events("ECR Image Action")[2]["image-tag"], "v2");
}

#[test]
fn an_immutable_tag_stays_where_it_is_unless_a_filter_excludes_it() {
    let mut kit = Kit::with_repository(json!({
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{ "filterType": "WILDCARD", "filter": "dev-*" }],
    }));
    let released = kit.push("a", Some("v1"));
    kit.push("a", Some("dev-main"));
    kit.push("b", Some("dev-main"));
    let manifest = kit.manifest("amd64", json!({ "Cmd": ["b"] }));
    let overwrite = json!({ "imageManifest": manifest, "imageTag": "v1" });
    assert_eq!(kit.ecr_fault("PutImage", overwrite), "ImageTagAlreadyExistsException");
    assert_eq!(resolve(&kit.cloud, &image(":v1")).unwrap().digest, released);
    let without = json!({ "imageTagMutability": "MUTABLE_WITH_EXCLUSION" });
    assert_eq!(kit.ecr_fault("PutImageTagMutability", without), "InvalidParameterException");
    kit.ecr("PutImageTagMutability", json!({ "imageTagMutability": "MUTABLE" }));
    kit.push("b", Some("v1"));
}

#[test]
fn an_index_comes_after_its_untagged_images_and_runs_as_the_linux_one_that_fits() {
    let mut kit = Kit::with_repository(json!({}));
    let arm = kit.manifest("arm64", json!({ "Cmd": ["arm"] }));
    let amd = kit.manifest("amd64", json!({ "Cmd": ["amd"] }));
    let (arm, amd) = (kit.put(&arm, None), kit.put(&amd, None));
    let digest = kit.put(&index(&[(&arm, "arm64"), (&amd, "amd64")]), Some("v1"));
    let pushes: Vec<_> = kit.events("ECR Image Action").iter().map(|e| e["image-tag"].clone()).collect();
    assert_eq!(pushes, ["", "", "v1"]);
    assert_eq!(kit.events("ECR Image Action")[2].get("artifact-media-type"), None);
    let found = resolve(&kit.cloud, &image(":v1")).unwrap();
    assert_eq!((found.digest, found.config.command), (digest.clone(), vec!["amd".to_owned()]));
    // Not while the index is there, not even in the same request.
    let ids = json!({ "imageIds": [{ "imageDigest": digest }, { "imageDigest": amd }] });
    let deleted = kit.ecr("BatchDeleteImage", ids.clone());
    assert_eq!(deleted["imageIds"], json!([{ "imageDigest": digest, "imageTag": "v1" }]));
    assert_eq!(deleted["failures"][0]["failureCode"], "ImageReferencedByManifestList");
    let deleted = kit.ecr("BatchDeleteImage", ids);
    assert_eq!(deleted["failures"][0]["failureCode"], "ImageNotFound");
    assert_eq!(kit.digests("ANY"), [arm.as_str()]);
}

#[test]
fn a_signature_is_pushed_but_neither_run_nor_scanned() {
    let mut kit = Kit::with_repository(json!({ "imageScanningConfiguration": { "scanOnPush": true } }));
    let empty = kit.upload(b"{}");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": empty, "size": 2 },
        "layers": [],
    });
    kit.put(&manifest.to_string(), Some("sha256-0000.sig"));
    let event = kit.events("ECR Image Action")[0];
    assert_eq!(event["artifact-media-type"], "application/vnd.dev.cosign.artifact.sig.v1+json");
    assert!(resolve(&kit.cloud, &image(":sha256-0000.sig")).is_err());
    kit.wait(60 * SECOND);
    assert!(kit.events("ECR Image Scan").is_empty());
    let scan = json!({ "imageId": { "imageTag": "sha256-0000.sig" } });
    assert_eq!(kit.ecr_fault("StartImageScan", scan), "UnsupportedImageTypeException");
}

#[test]
fn a_scan_finds_what_the_images_label_says_after_a_while() {
    let mut kit = Kit::with_repository(json!({ "imageScanningConfiguration": { "scanOnPush": true } }));
    let labels = json!({ "Labels": { "sluice.cloud/findings": "CRITICAL=1, HIGH=2,LOW=0" } });
    let manifest = kit.manifest("amd64", labels);
    let digest = kit.put(&manifest, Some("v1"));
    let which = json!({ "imageId": { "imageTag": "v1" } });
    let early = kit.ecr("DescribeImageScanFindings", which.clone());
    assert_eq!(early["imageScanStatus"]["status"], "IN_PROGRESS");
    assert_eq!(early.get("imageScanFindings"), None);
    kit.wait(60 * SECOND);
    let counts = json!({ "CRITICAL": 1, "HIGH": 2 });
    let event = kit.events("ECR Image Scan")[0];
    assert_eq!(event["scan-status"], "COMPLETE");
    assert_eq!(event["image-digest"], digest.as_str());
    assert_eq!(event["image-tags"], json!(["v1"]));
    assert_eq!(event["finding-severity-counts"], counts);
    let findings = kit.ecr("DescribeImageScanFindings", which.clone())["imageScanFindings"].clone();
    assert_eq!(findings["findingSeverityCounts"], counts);
    assert_eq!(findings["findings"][0]["severity"], "CRITICAL");
    assert_eq!(findings["findings"].as_array().unwrap().len(), 3);
    assert_eq!(kit.ecr_fault("StartImageScan", which.clone()), "LimitExceededException");
    kit.wait(DAY);
    kit.ecr("StartImageScan", which);
}

#[test]
fn an_image_deleted_during_its_scan_is_told_of_no_more() {
    let mut kit = Kit::with_repository(json!({ "imageScanningConfiguration": { "scanOnPush": true } }));
    kit.push("a", Some("v1"));
    kit.ecr("BatchDeleteImage", json!({ "imageIds": [{ "imageTag": "v1" }] }));
    kit.ecr("PutImageScanningConfiguration", json!({ "imageScanningConfiguration": {} }));
    kit.push("a", Some("v1"));
    kit.wait(60 * SECOND);
    assert!(kit.events("ECR Image Scan").is_empty());
    let which = json!({ "imageId": { "imageTag": "v1" } });
    assert_eq!(kit.ecr_fault("DescribeImageScanFindings", which), "ScanNotFoundException");
}

#[test]
fn the_last_tag_takes_the_image_with_it_and_another_does_not() {
    let mut kit = Kit::with_repository(json!({}));
    let digest = kit.push("a", Some("v1"));
    kit.push("a", Some("v2"));
    kit.ecr("BatchDeleteImage", json!({ "imageIds": [{ "imageTag": "v1" }] }));
    assert_eq!(kit.digests("TAGGED"), [digest.as_str()]);
    let answer = kit.ecr("BatchDeleteImage", json!({ "imageIds": [{ "imageTag": "v2" }, {}] }));
    assert_eq!(answer["failures"][0]["failureCode"], "MissingDigestAndTag");
    assert!(kit.digests("ANY").is_empty());
    let deletions: Vec<_> =
        kit.events("ECR Image Action").into_iter().filter(|e| e["action-type"] == "DELETE").collect();
    assert_eq!(
        deletions[1],
        &json!({
            "result": "SUCCESS", "repository-name": "app", "image-digest": digest,
            "action-type": "DELETE", "image-tag": "v2",
        })
    );
}

#[test]
fn a_lifecycle_policy_deletes_once_a_day_what_its_first_fitting_rule_says() {
    let mut kit = Kit::with_repository(json!({}));
    let old_release = kit.push("release 1", Some("release-1"));
    kit.wait(1);
    let platform = kit.push("platform", None);
    let multi = kit.put(&index(&[(&platform, "amd64")]), Some("release-2"));
    kit.wait(1);
    let untagged = kit.push("untagged", None);
    let kept = kit.push("any", Some("other"));
    let selection = |status: &str, prefixes: &[&str], kind: &str, unit: Option<&str>, number: u64| {
        let mut selection = json!({ "tagStatus": status, "countType": kind, "countNumber": number });
        if !prefixes.is_empty() {
            selection["tagPrefixList"] = json!(prefixes);
        }
        if let Some(unit) = unit {
            selection["countUnit"] = json!(unit);
        }
        selection
    };
    let rule = |priority: u64, selection: Value| json!({ "rulePriority": priority, "selection": selection, "action": { "type": "expire" } });
    let policy = |rules: Vec<Value>| json!({ "lifecyclePolicyText": json!({ "rules": rules }).to_string() });
    let since = Some("days");
    let any_first = policy(vec![
        rule(1, selection("any", &[], "imageCountMoreThan", None, 1)),
        rule(2, selection("untagged", &[], "sinceImagePushed", since, 1)),
    ]);
    assert_eq!(kit.ecr_fault("PutLifecyclePolicy", any_first), "InvalidParameterException");
    kit.ecr(
        "PutLifecyclePolicy",
        policy(vec![
            rule(1, selection("tagged", &["release"], "imageCountMoreThan", None, 1)),
            rule(2, selection("untagged", &[], "sinceImagePushed", since, 1)),
            rule(3, selection("any", &[], "imageCountMoreThan", None, 2)),
        ]),
    );
    kit.wait(DAY - 1);
    assert_eq!(kit.digests("ANY").len(), 5);
    kit.wait(2 * DAY);
    let left = kit.digests("ANY");
    // The untagged platform image is over its rule, but an index refers to it.
    for (digest, stays) in
        [(&old_release, false), (&untagged, false), (&multi, true), (&platform, true), (&kept, true)]
    {
        assert_eq!(left.contains(&json!(digest)), stays, "{digest}");
    }
    let deletions = kit.events("ECR Image Action").iter().filter(|e| e["action-type"] == "DELETE").count();
    assert_eq!(deletions, 2);
    assert!(kit.ecr("GetLifecyclePolicy", json!({}))["lastEvaluatedAt"].is_number());
    kit.ecr("DeleteLifecyclePolicy", json!({}));
    assert_eq!(kit.ecr_fault("GetLifecyclePolicy", json!({})), "LifecyclePolicyNotFoundException");
    kit.push("release 3", Some("release-3"));
    kit.wait(3 * DAY);
    assert_eq!(kit.digests("ANY").len(), 4);
}

#[test]
fn lists_come_in_pages_and_a_repository_goes_only_when_empty_or_forced() {
    let mut kit = Kit::with_repository(json!({ "tags": [{ "Key": "team", "Value": "a" }] }));
    for n in 0..5 {
        kit.push(&n.to_string(), Some(&format!("v{n}")));
    }
    let (mut seen, mut token) = (0, Value::Null);
    for _ in 0..3 {
        let page = kit.ecr("ListImages", json!({ "maxResults": 2, "nextToken": token }));
        seen += page["imageIds"].as_array().unwrap().len();
        token = page["nextToken"].clone();
    }
    assert_eq!((seen, token), (5, Value::Null));
    assert_eq!(kit.ecr_fault("ListImages", json!({ "nextToken": "x" })), "InvalidParameterException");
    let arn = "arn:aws:ecr:us-east-1:123456789012:repository/app";
    let tags = kit.ok("ecr", "ListTagsForResource", &json!({ "resourceArn": arn }));
    assert_eq!(tags["tags"], json!([{ "Key": "team", "Value": "a" }]));
    let described = kit.ok("ecr", "DescribeRepositories", &json!({ "maxResults": 1 }));
    assert_eq!(described["repositories"][0]["repositoryUri"], image(""));
    assert_eq!(described.get("nextToken"), None);
    assert_eq!(kit.ecr_fault("CreateRepository", json!({})), "RepositoryAlreadyExistsException");
    assert_eq!(kit.ecr_fault("DeleteRepository", json!({})), "RepositoryNotEmptyException");
    kit.ecr("DeleteRepository", json!({ "force": true }));
    assert_eq!(kit.ecr_fault("DescribeImages", json!({})), "RepositoryNotFoundException");
    assert!(resolve(&kit.cloud, &image(":v1")).unwrap_err().contains("does not exist in the registry"));
}

#[test]
fn a_login_is_base64_of_aws_and_a_password() {
    let mut kit = Kit::new();
    let data = kit.ok("ecr", "GetAuthorizationToken", &json!({}))["authorizationData"][0].clone();
    let token = BASE64_STANDARD.decode(data["authorizationToken"].as_str().unwrap()).unwrap();
    assert!(token.starts_with(b"AWS:"));
    assert_eq!(data["proxyEndpoint"], "https://123456789012.dkr.ecr.us-east-1.amazonaws.com");
}
