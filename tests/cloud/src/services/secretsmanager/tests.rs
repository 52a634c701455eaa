//! Secrets as their readers and writers see them.

use serde_json::{Value, json};

use crate::services::ecr::kit::Kit;
use crate::time::DAY;

const TOKENS: [&str; 3] = [
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
    "00000000-0000-4000-8000-000000000003",
];

impl Kit {
    fn secret(&mut self, operation: &str, input: Value) -> Value {
        self.ok("secretsmanager", operation, &input)
    }

    fn secret_fault(&mut self, operation: &str, input: Value) -> String {
        self.fault("secretsmanager", operation, &input)
    }

    /// With a secret `app/slack`; its ARN.
    fn with_secret() -> (Self, String) {
        let mut kit = Self::new();
        let answer = kit.secret("CreateSecret", create("one", TOKENS[0]));
        (kit, answer["ARN"].as_str().unwrap().to_owned())
    }
}

fn create(value: &str, token: &str) -> Value {
    json!({ "Name": "app/slack", "SecretString": value, "ClientRequestToken": token })
}

fn put(value: &str, token: &str) -> Value {
    json!({ "SecretId": "app/slack", "SecretString": value, "ClientRequestToken": token })
}

#[test]
fn a_secret_is_found_by_name_arn_and_arn_without_its_end() {
    let (mut kit, arn) = Kit::with_secret();
    let (start, suffix) = arn.rsplit_once('-').unwrap();
    assert_eq!(start, "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/slack");
    assert_eq!(suffix.len(), 6);
    for id in ["app/slack", &arn, start] {
        assert_eq!(kit.secret("GetSecretValue", json!({ "SecretId": id }))["SecretString"], "one");
    }
    let other = json!({ "SecretId": "app/slac" });
    assert_eq!(kit.secret_fault("GetSecretValue", other), "ResourceNotFoundException");
}

#[test]
fn a_new_value_leaves_the_one_before_as_previous() {
    let (mut kit, _) = Kit::with_secret();
    kit.secret("PutSecretValue", put("two", TOKENS[1]));
    kit.secret("UpdateSecret", put("three", TOKENS[2]));
    let stages =
        kit.secret("DescribeSecret", json!({ "SecretId": "app/slack" }))["VersionIdsToStages"].clone();
    assert_eq!(stages, json!({ TOKENS[1]: ["AWSPREVIOUS"], TOKENS[2]: ["AWSCURRENT"] }));
    let get = |member: &str, value: &str| json!({ "SecretId": "app/slack", member: value });
    assert_eq!(kit.secret("GetSecretValue", get("VersionStage", "AWSPREVIOUS"))["SecretString"], "two");
    assert_eq!(kit.secret("GetSecretValue", get("VersionId", TOKENS[0]))["SecretString"], "one");
    assert_eq!(
        kit.secret_fault("GetSecretValue", get("VersionStage", "AWSPENDING")),
        "ResourceNotFoundException"
    );
    let both = json!({ "SecretId": "app/slack", "VersionId": TOKENS[0], "VersionStage": "AWSCURRENT" });
    assert_eq!(kit.secret_fault("GetSecretValue", both), "ResourceNotFoundException");
}

#[test]
fn a_pending_version_is_not_read_by_default() {
    let (mut kit, _) = Kit::with_secret();
    let mut pending = put("two", TOKENS[1]);
    pending["VersionStages"] = json!(["AWSPENDING"]);
    kit.secret("PutSecretValue", pending);
    let id = json!({ "SecretId": "app/slack" });
    assert_eq!(kit.secret("GetSecretValue", id)["SecretString"], "one");
}

#[test]
fn the_same_request_again_changes_nothing_and_another_with_its_token_is_refused() {
    let (mut kit, arn) = Kit::with_secret();
    assert_eq!(kit.secret("CreateSecret", create("one", TOKENS[0]))["ARN"], arn.as_str());
    assert_eq!(kit.secret_fault("CreateSecret", create("one", TOKENS[1])), "ResourceExistsException");
    kit.secret("PutSecretValue", put("two", TOKENS[1]));
    kit.secret("PutSecretValue", put("three", TOKENS[2]));
    // A late repeat of the second does not make it current again.
    kit.secret("PutSecretValue", put("two", TOKENS[1]));
    let id = json!({ "SecretId": "app/slack" });
    assert_eq!(kit.secret("GetSecretValue", id)["SecretString"], "three");
    assert_eq!(kit.secret_fault("PutSecretValue", put("other", TOKENS[1])), "ResourceExistsException");
    let without = json!({ "SecretId": "app/slack", "SecretString": "x" });
    assert_eq!(kit.secret_fault("PutSecretValue", without), "InvalidParameterException");
}

#[test]
fn a_deleted_secret_keeps_its_name_until_its_window_ends() {
    let (mut kit, _) = Kit::with_secret();
    let delete = |days: u64| json!({ "SecretId": "app/slack", "RecoveryWindowInDays": days });
    assert_eq!(kit.secret_fault("DeleteSecret", delete(6)), "InvalidParameterException");
    kit.secret("DeleteSecret", delete(7));
    let id = json!({ "SecretId": "app/slack" });
    assert_eq!(kit.secret_fault("GetSecretValue", id.clone()), "InvalidRequestException");
    assert_eq!(kit.secret_fault("CreateSecret", create("one", TOKENS[0])), "InvalidRequestException");
    assert!(kit.secret("DescribeSecret", id.clone())["DeletedDate"].is_number());
    assert_eq!(kit.secret("ListSecrets", json!({}))["SecretList"], json!([]));
    kit.wait(7 * DAY);
    assert_eq!(kit.secret_fault("DescribeSecret", id.clone()), "ResourceNotFoundException");
    kit.secret("CreateSecret", create("new", TOKENS[0]));
    let force = json!({ "SecretId": "app/slack", "ForceDeleteWithoutRecovery": true });
    kit.secret("DeleteSecret", force.clone());
    assert_eq!(kit.secret_fault("GetSecretValue", id), "ResourceNotFoundException");
    kit.secret("DeleteSecret", force);
}

#[test]
fn secrets_are_listed_by_filter_and_in_pages_without_their_values() {
    let (mut kit, _) = Kit::with_secret();
    for name in ["app/webhook", "other"] {
        kit.wait(1);
        kit.secret("CreateSecret", json!({ "Name": name, "Tags": [{ "Key": "team", "Value": "a" }] }));
    }
    let names = |answer: &Value| -> Vec<String> {
        let secrets = answer["SecretList"].as_array().unwrap();
        secrets.iter().map(|s| s["Name"].as_str().unwrap().to_owned()).collect()
    };
    let filter = |key: &str, value: &str| json!({ "Filters": [{ "Key": key, "Values": [value] }] });
    assert_eq!(names(&kit.secret("ListSecrets", filter("name", "app/"))), ["app/slack", "app/webhook"]);
    assert_eq!(names(&kit.secret("ListSecrets", filter("name", "!app/"))), ["other"]);
    assert_eq!(names(&kit.secret("ListSecrets", filter("tag-key", "team"))), ["app/webhook", "other"]);
    let first = kit.secret("ListSecrets", json!({ "MaxResults": 2 }));
    let rest = kit.secret("ListSecrets", json!({ "MaxResults": 2, "NextToken": first["NextToken"] }));
    assert_eq!((names(&first).len(), names(&rest)), (2, vec!["other".to_owned()]));
    assert!(!kit.cloud.dump().to_string().contains("\"one\""));
}
