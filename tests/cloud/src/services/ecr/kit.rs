//! For tests: a cloud asked over HTTP by a JSON client, as an SDK would.

use serde_json::Value;

use crate::cloud::{Answer, Cloud, Settings};
use crate::http::Request;
use crate::model::model;
use crate::time::Ms;
use crate::timeline::Kind;

pub(crate) struct Kit {
    pub cloud: Cloud,
    pub now: Ms,
}

impl Kit {
    pub fn new() -> Self {
        let now = 1_767_225_600_000;
        Self { cloud: Cloud::new(Settings::default(), now), now }
    }

    pub fn wait(&mut self, ms: Ms) {
        self.now += ms;
        self.cloud.advance(self.now);
    }

    /// The answer, or the error's name and text.
    pub fn ask(&mut self, service: &str, operation: &str, input: &Value) -> Result<Value, (String, String)> {
        let prefix = model(service).metadata.target_prefix.as_deref().unwrap_or_default();
        let credential =
            format!("AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/us-east-1/{service}/aws4_request");
        let request = Request {
            method: "POST".into(),
            target: "/".into(),
            headers: vec![
                ("authorization".into(), credential),
                ("content-type".into(), "application/x-amz-json-1.1".into()),
                ("x-amz-target".into(), format!("{prefix}.{operation}")),
            ],
            body: input.to_string().into_bytes(),
        };
        let Answer::Ready(response) = self.cloud.handle(&request, self.now) else {
            panic!("{operation} is answered later")
        };
        let body: Value = serde_json::from_slice(&response.body).unwrap();
        if response.status == 200 {
            return Ok(body);
        }
        let text = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default();
        Err((body["__type"].as_str().unwrap_or_default().to_owned(), text.to_owned()))
    }

    /// An answer that is no error.
    pub fn ok(&mut self, service: &str, operation: &str, input: &Value) -> Value {
        self.ask(service, operation, input)
            .unwrap_or_else(|(name, text)| panic!("{operation}: {name}: {text}"))
    }

    /// The name of the error.
    pub fn fault(&mut self, service: &str, operation: &str, input: &Value) -> String {
        match self.ask(service, operation, input) {
            Ok(answer) => panic!("{operation} answers {answer}"),
            Err((name, _)) => name,
        }
    }

    /// Details of the events of this type so far, in order.
    pub fn events(&self, detail_type: &str) -> Vec<&Value> {
        let events = self.cloud.timeline().iter().filter(|entry| entry.kind == Kind::Event);
        events.filter(|e| e.data["detail-type"] == detail_type).map(|e| &e.data["detail"]).collect()
    }
}
