//! Slack's Web API and its webhooks: one request, or one repeated while there is time.

use std::time::Duration;

use serde_json::Value;
use shared::aws::{Web, WebAnswer, WebRequest};
use tokio::time::Instant;

use crate::failure::Failure;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often something is tried, apart from the waits that Slack asks for.
const ATTEMPTS: u32 = 5;

const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Slack, with what opens it and for as long as there is time.
pub struct Api<'a> {
    pub web: &'a Web,
    /// Of the Web API, without a slash at its end.
    pub base: &'a str,
    pub token: &'a str,
    pub end: Instant,
}

/// The waits between attempts.
#[derive(Debug)]
pub struct Waits {
    end: Instant,
    failed: u32,
}

impl Waits {
    pub fn new(end: Instant) -> Self {
        Self { end, failed: 0 }
    }

    /// Waits before the next attempt; errors, with what failed, if there is to be none.
    pub async fn next(&mut self, failure: Failure) -> Result<(), Failure> {
        let wait = match &failure {
            // Asked to come back at once, it would ask as often as it can.
            Failure::NotDone { after: Some(after), .. } => (*after).max(FIRST_WAIT),
            Failure::NotDone { after: None, .. } | Failure::Unknown(_) | Failure::Unreached(_) => {
                self.failed += 1;
                FIRST_WAIT * 2_u32.pow(self.failed - 1)
            }
            Failure::Credentials(_) | Failure::Gone(_) | Failure::Scope(_) | Failure::Refused(_) => {
                return Err(failure);
            }
        };
        if self.failed >= ATTEMPTS || wait >= self.end.saturating_duration_since(Instant::now()) {
            return Err(failure);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// One request, in the time that is left.
async fn send(web: &Web, request: &WebRequest, end: Instant) -> Result<WebAnswer, Failure> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Failure::NotDone { why: "there was no time left to ask Slack".to_owned(), after: None });
    }
    web.send(request, left.min(PATIENCE)).await.map_err(|e| Failure::of_web(&e))
}

impl Api<'_> {
    /// Calls a method that writes, once. `what` is the channel's name.
    pub async fn write(&self, method: &str, what: &str, body: &Value) -> Result<Value, Failure> {
        let request = WebRequest {
            method: "POST",
            url: format!("{}/{method}", self.base),
            headers: vec![
                self.authorization(),
                ("content-type".into(), "application/json; charset=utf-8".into()),
            ],
            body: body.to_string(),
        };
        self.answer(&request, what).await
    }

    /// The same for what may be done twice: until it works, while there is time.
    pub async fn rewrite(&self, method: &str, what: &str, body: &Value) -> Result<Value, Failure> {
        let mut waits = Waits::new(self.end);
        loop {
            match self.write(method, what, body).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => waits.next(failure).await?,
            }
        }
    }

    /// Calls a method that reads, until it works, while there is time.
    pub async fn read(&self, method: &str, what: &str, arguments: &[(&str, &str)]) -> Result<Value, Failure> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(arguments).finish();
        let request = WebRequest {
            method: "GET",
            url: format!("{}/{method}?{query}", self.base),
            headers: vec![self.authorization()],
            body: String::new(),
        };
        let mut waits = Waits::new(self.end);
        loop {
            match self.answer(&request, what).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => waits.next(failure).await?,
            }
        }
    }

    fn authorization(&self) -> (String, String) {
        ("authorization".to_owned(), format!("Bearer {}", self.token))
    }

    async fn answer(&self, request: &WebRequest, what: &str) -> Result<Value, Failure> {
        read(&send(self.web, request, self.end).await?, what)
    }
}

/// What the Web API answered, or why it did not do it. `what` is the channel's name.
pub fn read(answer: &WebAnswer, what: &str) -> Result<Value, Failure> {
    if let Some(failure) = Failure::of_status(answer) {
        return Err(failure);
    }
    let body: Value = serde_json::from_slice(&answer.body)
        .map_err(|_| Failure::Unknown("Slack's answer is not JSON".to_owned()))?;
    if body["ok"] == true { Ok(body) } else { Err(Failure::of_answer(&body, what)) }
}

/// Posts to an incoming webhook until it says that it was posted. Where an answer was lost,
/// that makes two: a webhook gives nothing to look for.
pub async fn hook(web: &Web, url: &str, channel: &str, body: &Value, end: Instant) -> Result<(), Failure> {
    let request = WebRequest {
        method: "POST",
        url: url.to_owned(),
        headers: vec![("content-type".into(), "application/json; charset=utf-8".into())],
        body: body.to_string(),
    };
    let mut waits = Waits::new(end);
    loop {
        let answer = send(web, &request, end).await;
        match answer.map(|answer| Failure::of_webhook(&answer, channel)) {
            Ok(None) => return Ok(()),
            Ok(Some(failure)) | Err(failure) => waits.next(failure).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often is asked again within a minute.
    async fn asked(after: Duration) -> usize {
        let mut waits = Waits::new(Instant::now() + Duration::from_secs(60));
        let mut asked = 0;
        let limited = || Failure::NotDone { why: String::new(), after: Some(after) };
        while waits.next(limited()).await.is_ok() {
            asked += 1;
        }
        asked
    }

    #[tokio::test(start_paused = true)]
    async fn however_long_or_short_slack_wants_to_be_left_alone_it_is() {
        assert_eq!(asked(Duration::from_secs(20)).await, 2);
        assert_eq!(asked(Duration::MAX).await, 0);
        assert!(asked(Duration::ZERO).await < 120, "not as often as it can be");
    }
}
