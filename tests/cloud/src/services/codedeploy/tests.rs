//! The API that needs no running service, through whole HTTP requests.

use serde_json::{Value, json};

use crate::cloud::{Answer, Cloud, Settings};
use crate::http::Request;
use crate::model::model;

/// Answers one request of a JSON service; `Err` is the error's name.
fn ask(cloud: &mut Cloud, service: &str, operation: &str, input: Value) -> Result<Value, String> {
    let model = model(service);
    let prefix = model.metadata.target_prefix.as_deref().unwrap();
    let scope =
        format!("AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{}/aws4_request", model.signing_name());
    let request = Request {
        method: "POST".into(),
        target: "/".into(),
        headers: vec![
            ("authorization".into(), scope),
            ("x-amz-target".into(), format!("{prefix}.{operation}")),
        ],
        body: input.to_string().into_bytes(),
    };
    let now = cloud.now();
    let Answer::Ready(response) = cloud.handle(&request, now) else { panic!("{operation} put off") };
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    match response.status {
        200 => Ok(body),
        _ => Err(body["__type"].as_str().unwrap().to_owned()),
    }
}

fn cloud() -> Cloud {
    let settings = Settings { region: Some("eu-west-1".into()), ..Settings::default() };
    Cloud::new(settings, 1_767_225_600_000)
}

fn with_application() -> Cloud {
    let mut cloud = cloud();
    let input = json!({ "applicationName": "web", "computePlatform": "ECS" });
    ask(&mut cloud, "codedeploy", "CreateApplication", input).unwrap();
    cloud
}

const APPSPEC: &str = r#"{"version": 0.0, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties":
    {"TaskDefinition": "web:1", "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 8080}}}}]}"#;

#[test]
fn an_application_is_known_once_and_only_for_ecs() {
    let mut cloud = with_application();
    let mut deploy = |operation: &str, input: Value| ask(&mut cloud, "codedeploy", operation, input);
    let again = json!({ "applicationName": "web", "computePlatform": "ECS" });
    assert_eq!(deploy("CreateApplication", again).unwrap_err(), "ApplicationAlreadyExistsException");
    let server = json!({ "applicationName": "vm" });
    assert_eq!(deploy("CreateApplication", server).unwrap_err(), "NotModelled");
    let got = deploy("GetApplication", json!({ "applicationName": "web" })).unwrap();
    assert_eq!(got["application"]["computePlatform"], "ECS");
    let batch = json!({ "applicationNames": ["web", "none"] });
    assert_eq!(deploy("BatchGetApplications", batch).unwrap_err(), "ApplicationDoesNotExistException");
    deploy("DeleteApplication", json!({ "applicationName": "web" })).unwrap();
    assert_eq!(deploy("ListApplications", json!({})).unwrap()["applications"], json!([]));
}

#[test]
fn a_listing_longer_than_a_page_comes_whole_and_without_repetition() {
    let mut cloud = cloud();
    for n in 0..230 {
        let input = json!({ "applicationName": format!("app{n:03}"), "computePlatform": "ECS" });
        ask(&mut cloud, "codedeploy", "CreateApplication", input).unwrap();
    }
    let (mut names, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = ask(&mut cloud, "codedeploy", "ListApplications", json!({ "nextToken": token })).unwrap();
        names.extend(page["applications"].as_array().unwrap().clone());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names.len(), 230);
    assert!(names.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()));
    let wrong = ask(&mut cloud, "codedeploy", "ListApplications", json!({ "nextToken": "x" }));
    assert_eq!(wrong.unwrap_err(), "InvalidNextTokenException");
}

#[test]
fn tags_are_set_and_taken_away_by_arn() {
    let mut cloud = with_application();
    let mut deploy = |operation: &str, input: Value| ask(&mut cloud, "codedeploy", operation, input);
    let arn = "arn:aws:codedeploy:eu-west-1:123456789012:application:web";
    let tags = json!([{ "Key": "team", "Value": "a" }, { "Key": "stage" }]);
    deploy("TagResource", json!({ "ResourceArn": arn, "Tags": tags })).unwrap();
    deploy("UntagResource", json!({ "ResourceArn": arn, "TagKeys": ["stage"] })).unwrap();
    let got = deploy("ListTagsForResource", json!({ "ResourceArn": arn })).unwrap();
    assert_eq!(got["Tags"], json!([{ "Key": "team", "Value": "a" }]));
    let reserved = json!({ "ResourceArn": arn, "Tags": [{ "Key": "aws:x", "Value": "" }] });
    assert_eq!(deploy("TagResource", reserved).unwrap_err(), "InvalidTagsToAddException");
    let unknown = format!("{arn}x");
    let unknown = deploy("ListTagsForResource", json!({ "ResourceArn": unknown }));
    assert_eq!(unknown.unwrap_err(), "ApplicationDoesNotExistException");
}

#[test]
fn a_custom_configuration_comes_back_and_a_predefined_one_stays() {
    let mut cloud = cloud();
    let mut deploy = |operation: &str, input: Value| ask(&mut cloud, "codedeploy", operation, input);
    let routing = json!({
        "type": "TimeBasedCanary",
        "timeBasedCanary": { "canaryPercentage": 25, "canaryInterval": 7 },
    });
    let input = json!({
        "deploymentConfigName": "quarter", "computePlatform": "ECS", "trafficRoutingConfig": routing,
    });
    deploy("CreateDeploymentConfig", input.clone()).unwrap();
    assert_eq!(
        deploy("CreateDeploymentConfig", input).unwrap_err(),
        "DeploymentConfigAlreadyExistsException"
    );
    let got = deploy("GetDeploymentConfig", json!({ "deploymentConfigName": "quarter" })).unwrap();
    assert_eq!(got["deploymentConfigInfo"]["trafficRoutingConfig"], routing);
    let names = deploy("ListDeploymentConfigs", json!({})).unwrap();
    assert_eq!(names["deploymentConfigsList"].as_array().unwrap().len(), 18);
    let predefined = json!({ "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce" });
    assert_eq!(deploy("DeleteDeploymentConfig", predefined).unwrap_err(), "InvalidOperationException");
    deploy("DeleteDeploymentConfig", json!({ "deploymentConfigName": "quarter" })).unwrap();
    let gone = deploy("GetDeploymentConfig", json!({ "deploymentConfigName": "quarter" }));
    assert_eq!(gone.unwrap_err(), "DeploymentConfigDoesNotExistException");
}

#[test]
fn a_revision_is_found_by_its_digest_and_a_wrong_digest_is_refused() {
    let mut cloud = with_application();
    let mut deploy = |operation: &str, input: Value| ask(&mut cloud, "codedeploy", operation, input);
    let revision = |raw: Value| json!({ "applicationName": "web", "revision": { "revisionType": "AppSpecContent", "appSpecContent": raw } });
    let wrong = revision(json!({ "content": APPSPEC, "sha256": "00" }));
    assert_eq!(deploy("RegisterApplicationRevision", wrong).unwrap_err(), "InvalidRevisionException");
    deploy("RegisterApplicationRevision", revision(json!({ "content": APPSPEC }))).unwrap();
    let listed = deploy("ListApplicationRevisions", json!({ "applicationName": "web" })).unwrap();
    let raw = &listed["revisions"][0]["appSpecContent"];
    assert!(raw.get("content").is_none());
    let got = deploy("GetApplicationRevision", revision(json!({ "sha256": raw["sha256"] }))).unwrap();
    assert_eq!(got["revision"]["appSpecContent"]["content"], APPSPEC);
    let unknown = deploy("GetApplicationRevision", revision(json!({ "sha256": "00" })));
    assert_eq!(unknown.unwrap_err(), "RevisionDoesNotExistException");
    let s3 = json!({
        "applicationName": "web",
        "revision": { "revisionType": "S3", "s3Location": { "bucket": "b", "key": "k" } },
    });
    assert_eq!(deploy("GetApplicationRevision", s3).unwrap_err(), "NotModelled");
}

#[test]
fn ids_that_name_nothing_are_told_from_ids_that_are_none() {
    let mut cloud = cloud();
    let mut deploy = |operation: &str, id: &str| {
        ask(&mut cloud, "codedeploy", operation, json!({ "deploymentId": id })).unwrap_err()
    };
    for operation in ["GetDeployment", "StopDeployment", "ContinueDeployment", "ListDeploymentTargets"] {
        assert_eq!(deploy(operation, "d-000000000"), "DeploymentDoesNotExistException", "{operation}");
        assert_eq!(deploy(operation, "x"), "InvalidDeploymentIdException", "{operation}");
    }
}
