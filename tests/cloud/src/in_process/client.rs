//! The SDK's HTTP client: each request on its way to the cloud, and what befalls it there.

use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::destination::{Destination, Http};
use super::{Injected, Shared, lock};
use crate::http::{Request, Response};
use crate::sample_app::Reaction;
use crate::timeline::Kind;
use crate::{Answer, Fault, Ms, wire};

#[derive(Clone)]
pub(super) struct Client {
    shared: Arc<Mutex<Shared>>,
    changed: Arc<Notify>,
    read_timeout: Option<Duration>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the local cloud, in process")
    }
}

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone().patient(settings.read_timeout()))
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.clone();
        HttpConnectorFuture::new(async move {
            match Destination::of(&request)? {
                to @ Destination::Aws(_) => client.answer(&to).await,
                to @ Destination::Http(_) => match client.read_timeout {
                    Some(patience) => tokio::time::timeout(patience, client.answer(&to))
                        .await
                        .unwrap_or_else(|_| Err(ConnectorError::timeout("no answer in time".into()))),
                    None => client.answer(&to).await,
                },
            }
        })
    }
}

fn sdk_response(response: Response) -> Result<HttpResponse, ConnectorError> {
    let mut builder = http::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    let whole = builder.body(SdkBody::from(response.body)).map_err(|e| ConnectorError::user(e.into()))?;
    HttpResponse::try_from(whole).map_err(|e| ConnectorError::user(e.into()))
}

impl Client {
    pub fn new(shared: Arc<Mutex<Shared>>, changed: Arc<Notify>) -> Self {
        Self { shared, changed, read_timeout: None }
    }

    /// One that waits so long for an answer over HTTP; without a limit it waits for ever.
    pub fn patient(self, read_timeout: Option<Duration>) -> Self {
        Self { read_timeout, ..self }
    }

    async fn answer(&self, to: &Destination) -> Result<HttpResponse, ConnectorError> {
        let (injected, half) = self.begin(to);
        tokio::time::sleep(half).await;
        let response = match injected {
            Some(Injected::Throttled) => to.refusal("ThrottlingException", 400, 429),
            Some(Injected::ServerError) => to.refusal("InternalFailure", 500, 500),
            Some(Injected::TimeoutBefore(patience)) => {
                tokio::time::sleep(Duration::from_millis(patience)).await;
                return Err(ConnectorError::timeout("the call never arrived (injected)".into()));
            }
            Some(Injected::AnswerLost) => {
                self.execute(to).await?;
                return Err(ConnectorError::io("connection reset before the answer (injected)".into()));
            }
            Some(Injected::Slow(delay)) => {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                self.execute(to).await?
            }
            Some(Injected::Stale(age)) => match self.stale(to, age) {
                Some(response) => response,
                None => self.execute(to).await?,
            },
            None => self.execute(to).await?,
        };
        tokio::time::sleep(half).await;
        sdk_response(response)
    }

    /// What befalls this call, noted, and half of the time that calls take.
    fn begin(&self, to: &Destination) -> (Option<Injected>, Duration) {
        let mut state = lock(&self.shared);
        state.calls += 1;
        state.catch_up();
        let injected = state.draw();
        if let Some(fault) = injected {
            let (name, mut data) = to.named();
            data["fault"] = json!(format!("{fault:?}"));
            state.world.cloud.note(Kind::Host, format!("{fault:?} befalls {name}"), data);
        }
        state.remember();
        (injected, Duration::from_micros(state.call_time * 500))
    }

    fn stale(&self, to: &Destination, age: Ms) -> Option<Response> {
        match to {
            Destination::Aws(request) => lock(&self.shared).stale(request, age),
            Destination::Http(_) => None,
        }
    }

    async fn execute(&self, to: &Destination) -> Result<Response, ConnectorError> {
        match to {
            Destination::Aws(request) => Ok(self.call_aws(request).await),
            Destination::Http(http) => self.send(http).await,
        }
    }

    async fn call_aws(&self, request: &Request) -> Response {
        let answer = {
            let mut state = lock(&self.shared);
            state.catch_up();
            if let Some(refusal) = state.skewed(request) {
                return refusal;
            }
            if let (Some(look), Some((service, operation))) = (state.observer.clone(), wire::named(request)) {
                look(&mut state.world, service, &operation);
            }
            state.world.handle(request)
        };
        self.changed.notify_one();
        match answer {
            Answer::Ready(response) => response,
            Answer::Pending(ticket) => loop {
                // Long polls and functions end by themselves: their timers are the core's.
                tokio::time::sleep(Duration::from_millis(10)).await;
                let mut state = lock(&self.shared);
                state.catch_up();
                if let Some(response) = state.world.take(ticket) {
                    break response;
                }
            },
        }
    }

    /// Over HTTP: to a listener or a task. What it says takes its time.
    async fn send(&self, http: &Http) -> Result<Response, ConnectorError> {
        let outcome = {
            let mut state = lock(&self.shared);
            state.catch_up();
            let outcome = http.send(&mut state.world);
            let (text, said) = match &outcome {
                Ok(Reaction::Answer { after, response }) => {
                    (response.status.to_string(), json!({ "status": response.status, "latencyMs": after }))
                }
                Ok(Reaction::Silence) => ("no answer".to_owned(), json!({ "status": Value::Null })),
                Err(why) => (why.clone(), json!({ "error": why })),
            };
            let (name, mut data) = http.named();
            said.as_object().into_iter().flatten().for_each(|(member, value)| data[member] = value.clone());
            state.world.cloud.note(Kind::Http, format!("{name}: {text}"), data);
            outcome
        };
        self.changed.notify_one();
        match outcome.map_err(|why| ConnectorError::io(why.into()))? {
            Reaction::Answer { after, response } => {
                tokio::time::sleep(Duration::from_millis(after)).await;
                Ok(response)
            }
            Reaction::Silence => pending().await,
        }
    }
}

impl Shared {
    /// AWS's answer to a request of a machine whose clock is wrong.
    fn skewed(&self, request: &Request) -> Option<Response> {
        let now = self.now();
        let signed = request.header("x-amz-date").and_then(crate::time::parse_iso)?;
        let tolerance = self.tolerance.filter(|tolerance| signed.abs_diff(now) > *tolerance)?;
        let message = format!("Signature expired or not yet current: off by more than {tolerance} ms");
        let fault = Fault { status: 403, ..Fault::new("InvalidSignatureException", message) };
        let mut response = wire::refusal(request, &fault);
        response.headers.push(("date".to_owned(), crate::time::http_date(now)));
        Some(response)
    }
}

impl Destination {
    /// What an injected fault answers: AWS's error, or a bare status.
    fn refusal(&self, code: &str, aws: u16, http: u16) -> Response {
        match self {
            Self::Aws(request) => {
                wire::refusal(request, &Fault { status: aws, ..Fault::new(code, "injected") })
            }
            Self::Http(_) => Response { status: http, headers: Vec::new(), body: b"injected".to_vec() },
        }
    }
}
