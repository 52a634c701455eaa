//! Revisions of an application: AppSpec contents, known by their sha256.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::applications::{Application, named};
use super::{appspec, items, page, required, text};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::time::{Ms, timestamp};

/// Longest description of a revision or deployment, in characters.
const LONGEST_DESCRIPTION: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Kind {
    AppSpecContent,
    /// The older way to give an AppSpec.
    String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Revision {
    kind: Kind,
    pub content: String,
    pub sha256: String,
}

impl Revision {
    /// As GetDeployment shows it: with the content left out.
    pub(super) fn location(&self) -> Value {
        self.shown(Value::Null)
    }

    fn with_content(&self) -> Value {
        self.shown(json!(self.content))
    }

    fn shown(&self, content: Value) -> Value {
        let raw = json!({ "content": content, "sha256": self.sha256 });
        match self.kind {
            Kind::AppSpecContent => json!({ "revisionType": "AppSpecContent", "appSpecContent": raw }),
            Kind::String => json!({ "revisionType": "String", "string": raw }),
        }
    }
}

/// A revision that the application knows.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Registered {
    revision: Revision,
    description: Option<String>,
    registered: Ms,
    used: Option<Used>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Used {
    first: Ms,
    last: Ms,
}

impl Registered {
    fn info(&self, application: &Application) -> Value {
        json!({
            "description": self.description,
            "deploymentGroups": application.targets(&self.revision),
            "firstUsedTime": self.used.map(|u| timestamp(u.first)),
            "lastUsedTime": self.used.map(|u| timestamp(u.last)),
            "registerTime": timestamp(self.registered),
        })
    }
}

impl Application {
    fn registered(&self, sha256: &str) -> Option<&Registered> {
        self.revisions.iter().find(|r| r.revision.sha256 == sha256)
    }

    /// Names of the groups whose target revision this is.
    fn targets(&self, revision: &Revision) -> Vec<&str> {
        let groups = self.groups.values();
        groups.filter(|g| g.target_revision.as_ref() == Some(revision)).map(|g| g.name.as_str()).collect()
    }

    fn register(&mut self, revision: &Revision, description: Option<&str>, now: Ms) -> &mut Registered {
        let at = self.revisions.iter().position(|r| r.revision.sha256 == revision.sha256);
        let at = at.unwrap_or_else(|| {
            self.revisions.push(Registered {
                revision: revision.clone(),
                description: None,
                registered: now,
                used: None,
            });
            self.revisions.len() - 1
        });
        let registered = &mut self.revisions[at];
        if let Some(description) = description {
            registered.description = Some(description.to_owned());
        }
        registered
    }

    /// Registers a revision with its first deployment.
    pub(super) fn use_revision(&mut self, revision: &Revision, now: Ms) {
        let registered = self.register(revision, None, now);
        let first = registered.used.map_or(now, |used| used.first);
        registered.used = Some(Used { first, last: now });
    }
}

/// What a `RevisionLocation` names.
struct Asked<'a> {
    kind: Kind,
    content: Option<&'a str>,
    sha256: Option<&'a str>,
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault::new("InvalidRevisionException", text)
}

fn asked(location: &Value) -> Result<Asked<'_>, Fault> {
    let (kind, member) = match text(location, "revisionType") {
        Some("AppSpecContent") => (Kind::AppSpecContent, "appSpecContent"),
        Some("String") => (Kind::String, "string"),
        Some(other) => {
            return Err(Fault::not_modelled(format!(
                "codedeploy revisions of type {other}: there is no such store"
            )));
        }
        None => return Err(invalid("The revisionType of the revision must be specified")),
    };
    let others = ["s3Location", "gitHubLocation", "string", "appSpecContent"];
    if let Some(other) = others.iter().find(|o| **o != member && location.get(**o).is_some()) {
        return Err(invalid(format!("{other} does not fit the revision type of {member}")));
    }
    let raw = &location[member];
    let asked = Asked { kind, content: text(raw, "content"), sha256: text(raw, "sha256") };
    if asked.content.is_none() && asked.sha256.is_none() {
        return Err(invalid(format!("{member} must have the content or the sha256 of the AppSpec")));
    }
    Ok(asked)
}

fn digest(content: &str) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The revision that a request carries, or names by its digest if the application knows it.
pub(super) fn resolve(application: &Application, location: &Value) -> Result<Revision, Fault> {
    let asked = asked(location)?;
    let Some(content) = asked.content else {
        return known(application, &asked).map(|r| r.revision.clone());
    };
    let sha256 = digest(content);
    if asked.sha256.is_some_and(|given| !given.eq_ignore_ascii_case(&sha256)) {
        return Err(invalid("The sha256 of the revision does not fit its content"));
    }
    Ok(Revision { kind: asked.kind, content: content.to_owned(), sha256 })
}

fn known<'a>(application: &'a Application, asked: &Asked) -> Result<&'a Registered, Fault> {
    let sha256 = match (asked.content, asked.sha256) {
        (Some(content), _) => digest(content),
        (None, given) => given.unwrap_or_default().to_ascii_lowercase(),
    };
    application.registered(&sha256).ok_or_else(|| {
        Fault::new(
            "RevisionDoesNotExistException",
            format!("No revision with sha256 {sha256} is registered with application {}", application.name),
        )
    })
}

pub(super) fn check_description(input: &Value) -> Result<Option<&str>, Fault> {
    let description = text(input, "description");
    if description.is_some_and(|d| d.chars().count() > LONGEST_DESCRIPTION) {
        return Err(Fault::new(
            "DescriptionTooLongException",
            format!("The description is longer than {LONGEST_DESCRIPTION} characters"),
        ));
    }
    Ok(description)
}

pub(super) fn register(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let revision = resolve(named(cloud, input)?, &input["revision"])?;
    appspec::parse(&revision.content)?;
    let description = check_description(input)?;
    let now = cloud.now;
    cloud.state.codedeploy.application_mut(required(input, "applicationName"))?.register(
        &revision,
        description,
        now,
    );
    Ok(json!({}))
}

pub(super) fn get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = named(cloud, input)?;
    let found = known(application, &asked(&input["revision"])?)?;
    Ok(json!({
        "applicationName": application.name,
        "revision": found.revision.with_content(),
        "revisionInfo": found.info(application),
    }))
}

/// Revisions that are not known are left out, and the error message names them.
pub(super) fn batch_get(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = named(cloud, input)?;
    let locations = items(input, "revisions");
    if locations.is_empty() {
        return Err(Fault::new("RevisionRequiredException", "At least one revision is required"));
    }
    if locations.len() > 25 {
        return Err(Fault::new(
            "BatchLimitExceededException",
            "The batch limit of 25 revisions was exceeded",
        ));
    }
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for location in locations {
        match known(application, &asked(location)?) {
            Ok(registered) => found.push(json!({
                "revisionLocation": registered.revision.with_content(),
                "genericRevisionInfo": registered.info(application),
            })),
            Err(fault) => errors.push(fault.message),
        }
    }
    Ok(json!({
        "applicationName": application.name,
        "revisions": found,
        "errorMessage": (!errors.is_empty()).then(|| errors.join("; ")),
    }))
}

pub(super) fn list(cloud: &mut Cloud, input: &Value) -> Result<Value, Fault> {
    let application = named(cloud, input)?;
    if input.get("s3Bucket").is_some() || input.get("s3KeyPrefix").is_some() {
        return Err(Fault::not_modelled("codedeploy:ListApplicationRevisions of an S3 bucket"));
    }
    let deployed = text(input, "deployed").unwrap_or("ignore");
    let mut found: Vec<_> = application
        .revisions
        .iter()
        .filter(|r| {
            deployed == "ignore" || (deployed == "include") != application.targets(&r.revision).is_empty()
        })
        .collect();
    let time = |r: &Registered| match text(input, "sortBy") {
        Some("firstUsedTime") => r.used.map_or(0, |u| u.first),
        Some("lastUsedTime") => r.used.map_or(0, |u| u.last),
        _ => r.registered,
    };
    found.sort_by_key(|r| time(r));
    if text(input, "sortOrder") == Some("descending") {
        found.reverse();
    }
    let rows =
        found.into_iter().enumerate().map(|(n, r)| (format!("{n:06}"), r.revision.location())).collect();
    let (revisions, next) = page::page(cloud, rows, input)?;
    Ok(json!({ "revisions": revisions, "nextToken": next }))
}
