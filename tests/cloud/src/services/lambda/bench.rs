//! A bench for tests of what functions, rules, topics and queues do to each other: functions
//! run at once, and everything that left the cloud is kept.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::effect::FunctionError;
use crate::{Cloud, Effect, Fault, Ms, Report, Settings};

pub type Code = fn(&Value) -> Result<Value, FunctionError>;

pub const ROLE: &str = "arn:aws:iam::123456789012:role/function";

#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub at: Ms,
    pub id: String,
    pub function: String,
    pub payload: Value,
    pub environment: Vec<(String, String)>,
}

/// URL, headers and body.
pub type Post = (String, Vec<(String, String)>, String);

pub struct Bench {
    pub cloud: Cloud,
    pub now: Ms,
    /// Every run of a function, in order.
    pub runs: Vec<Run>,
    /// What was posted to HTTP subscribers.
    pub posts: Vec<Post>,
    codes: BTreeMap<String, Code>,
}

pub fn fails(_: &Value) -> Result<Value, FunctionError> {
    Err(FunctionError { kind: "Error".into(), message: "it broke".into() })
}

pub fn succeeds(_: &Value) -> Result<Value, FunctionError> {
    Ok(json!("done"))
}

impl Bench {
    pub fn new() -> Self {
        let cloud = Cloud::new(Settings { event_delay: 500, ..Settings::default() }, 0);
        Self { cloud, now: 0, runs: Vec::new(), posts: Vec::new(), codes: BTreeMap::new() }
    }

    pub fn call(&mut self, service: &str, operation: &str, input: Value) -> Result<Value, Fault> {
        let answer = self.cloud.call(service, operation, input, self.now);
        self.settle();
        answer
    }

    pub fn done(&mut self, service: &str, operation: &str, input: Value) -> Value {
        self.call(service, operation, input).unwrap_or_else(|fault| panic!("{service}:{operation}: {fault}"))
    }

    pub fn refused(&mut self, service: &str, operation: &str, input: Value) -> String {
        self.call(service, operation, input).expect_err(operation).shape
    }

    /// A function whose runs end at once as `code` says, or stay open without it. Gives its ARN.
    pub fn function(&mut self, name: &str, code: Option<Code>, more: Value) -> String {
        self.codes.extend(code.map(|code| (name.to_owned(), code)));
        let mut input = json!({
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": ROLE,
            "Code": { "ZipFile": STANDARD.encode("PK a package") },
        });
        for (member, value) in more.as_object().into_iter().flatten() {
            input[member] = value.clone();
        }
        self.done("lambda", "CreateFunction", input)["FunctionArn"].as_str().unwrap().to_owned()
    }

    /// Lets a service invoke a function for what `source` fits.
    pub fn permit(&mut self, function: &str, principal: &str, source: &str) {
        let input = json!({
            "FunctionName": function, "StatementId": "one", "Action": "lambda:InvokeFunction",
            "Principal": principal, "SourceArn": source,
        });
        self.done("lambda", "AddPermission", input);
    }

    /// Gives URL and ARN.
    pub fn queue(&mut self, name: &str, attributes: Value) -> (String, String) {
        let made = self.done("sqs", "CreateQueue", json!({ "QueueName": name, "Attributes": attributes }));
        let arn = self.cloud.arn("sqs", name);
        (made["QueueUrl"].as_str().unwrap().to_owned(), arn)
    }

    /// Takes all that a queue has.
    pub fn messages(&mut self, url: &str) -> Vec<Value> {
        let input = json!({
            "QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
        });
        let messages = self.done("sqs", "ReceiveMessage", input)["Messages"].as_array().cloned();
        let messages = messages.unwrap_or_default();
        for message in &messages {
            let input = json!({ "QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"] });
            self.done("sqs", "DeleteMessage", input);
        }
        messages
    }

    /// The same, their bodies as JSON.
    pub fn bodies(&mut self, url: &str) -> Vec<Value> {
        let parsed = |m: &Value| serde_json::from_str(m["Body"].as_str().unwrap()).unwrap();
        self.messages(url).iter().map(parsed).collect()
    }

    /// Lets time pass, event by event.
    pub fn until(&mut self, end: Ms) {
        self.settle();
        while let Some(next) = self.cloud.next_wakeup().filter(|at| *at <= end) {
            self.now = self.now.max(next);
            self.cloud.advance(self.now);
            self.settle();
        }
        self.now = self.now.max(end);
        self.cloud.advance(self.now);
    }

    /// Reports the outcome of a run that stayed open.
    pub fn end(&mut self, id: &str, outcome: Result<Value, FunctionError>) {
        self.cloud.report(Report::Invoked { invocation: id.to_owned(), outcome }, self.now);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let effects = self.cloud.take_effects();
            if effects.is_empty() {
                return;
            }
            effects.into_iter().for_each(|effect| self.perform(effect));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Invoke { invocation, function, payload, environment, .. } => {
                let run =
                    Run { at: self.now, id: invocation, function: function.clone(), payload, environment };
                let outcome = self.codes.get(&function).map(|code| code(&run.payload));
                let id = run.id.clone();
                self.runs.push(run);
                if let Some(outcome) = outcome {
                    self.cloud.report(Report::Invoked { invocation: id, outcome }, self.now);
                }
            }
            Effect::Post { url, headers, body } => self.posts.push((url, headers, body)),
            _ => {}
        }
    }

    /// When each run of a function began.
    pub fn starts(&self, function: &str) -> Vec<Ms> {
        self.runs.iter().filter(|run| run.function == function).map(|run| run.at).collect()
    }

    /// Whether the timeline has a line with this text.
    pub fn noted(&self, text: &str) -> bool {
        self.cloud.timeline().iter().any(|entry| entry.text.contains(text))
    }
}
