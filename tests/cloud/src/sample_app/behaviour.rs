//! How the sample application answers: one function for the real program and for the
//! simulated one, so that they cannot differ.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::glob;
use crate::http::{Request, Response};
use crate::time::Ms;

/// An application as its environment makes it behave.
#[derive(Debug, Clone)]
pub struct Behaviour {
    pub version: String,
    /// The address that it says it listens on.
    pub host: String,
    pub port: u16,
    pub start_delay: Ms,
    healthy: bool,
    error_rate: f64,
    latency: Ms,
    /// What `/json` answers.
    json: String,
    /// Patterns of paths that are never answered.
    hangs: Vec<String>,
    /// Fraction of an error that the requests so far have added up to.
    owed: f64,
}

/// What becomes of a request that the application took.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaction {
    Answer {
        after: Ms,
        response: Response,
    },
    /// It holds the connection and says nothing.
    Silence,
}

/// A variable's value, or the default where it is not set. Errors: it cannot be read, said with its name.
pub(super) fn read<T: FromStr>(
    variable: &impl Fn(&str) -> Option<String>,
    name: &str,
    default: T,
) -> Result<T, String> {
    match variable(name) {
        Some(text) => text.parse().map_err(|_| format!("{name}: '{text}' cannot be read")),
        None => Ok(default),
    }
}

impl Behaviour {
    /// Reads the environment. Errors: the variable that cannot be read.
    pub fn of(variable: &impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let json = read(variable, "APP_JSON", "{}".to_owned())?;
        serde_json::from_str::<Value>(&json).map_err(|e| format!("APP_JSON is not JSON: {e}"))?;
        let hangs = read(variable, "APP_HANG", String::new())?;
        Ok(Self {
            version: read(variable, "APP_VERSION", "unversioned".to_owned())?,
            host: read(variable, "HOST", "127.0.0.1".to_owned())?,
            port: read(variable, "PORT", 8080)?,
            start_delay: read(variable, "APP_START_DELAY_MS", 0)?,
            healthy: read(variable, "APP_HEALTH", String::new())? != "fail",
            error_rate: read(variable, "APP_ERROR_RATE", 0.0)?,
            latency: read(variable, "APP_LATENCY_MS", 0)?,
            json,
            hangs: hangs.split(',').map(|path| path.trim().to_owned()).filter(|p| !p.is_empty()).collect(),
            owed: 0.0,
        })
    }

    /// What it writes once it listens.
    pub fn greeting(&self) -> String {
        format!("version {} listens on {}:{}", self.version, self.host, self.port)
    }

    /// Takes one request. `/health` is answered at once and never by chance.
    pub fn react(&mut self, request: &Request) -> Reaction {
        match self.judge(request.path()) {
            Reaction::Answer { after, response } => {
                Reaction::Answer { after, response: self.write(request, response.status) }
            }
            Reaction::Silence => Reaction::Silence,
        }
    }

    /// The same with nothing in the answer but its status.
    pub fn judge(&mut self, path: &str) -> Reaction {
        if self.hangs.iter().any(|pattern| glob::fits(pattern, path)) {
            return Reaction::Silence;
        }
        let bare = |status| Response { status, headers: Vec::new(), body: Vec::new() };
        if path == "/health" {
            return Reaction::Answer { after: 0, response: bare(if self.healthy { 200 } else { 503 }) };
        }
        self.owed += self.error_rate;
        let fails = self.owed >= 1.0 - 1e-9;
        self.owed -= if fails { 1.0 } else { 0.0 };
        let status = match path {
            _ if fails => 500,
            "/redirect" => 302,
            _ => 200,
        };
        Reaction::Answer { after: self.latency, response: bare(status) }
    }

    fn write(&self, request: &Request, status: u16) -> Response {
        let body = match (request.path(), status) {
            ("/health", 200) => json!({ "status": "healthy", "version": self.version }),
            ("/health", _) => json!({ "status": "failing", "version": self.version }),
            ("/json", 200) => return self.reply(200, self.json.clone()),
            ("/version", 200) => json!({ "version": self.version }),
            ("/echo", 200) => echo(request),
            ("/redirect", 302) => return self.redirect(request),
            _ => json!({ "version": self.version, "task": self.host, "path": request.path() }),
        };
        self.reply(status, body.to_string())
    }

    fn redirect(&self, request: &Request) -> Response {
        let to = form_urlencoded::parse(request.query().as_bytes()).find(|(name, _)| name == "to");
        let mut response = self.reply(302, "{}".to_owned());
        response.headers.push(("location".to_owned(), to.map_or("/".to_owned(), |(_, to)| to.into_owned())));
        response
    }

    fn reply(&self, status: u16, body: String) -> Response {
        let headers = [("content-type", "application/json"), ("x-version", &self.version)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Response { status, headers, body: body.into_bytes() }
    }
}

/// The request as it arrived; a header that came twice has both values.
fn echo(request: &Request) -> Value {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &request.headers {
        headers
            .entry(name)
            .and_modify(|before| *before = format!("{before}, {value}"))
            .or_insert_with(|| value.clone());
    }
    json!({
        "method": request.method,
        "path": request.path(),
        "query": request.query(),
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(environment: &[(&str, &str)]) -> Result<Behaviour, String> {
        let pairs: BTreeMap<&str, &str> = environment.iter().copied().collect();
        Behaviour::of(&|name| pairs.get(name).map(|value| (*value).to_owned()))
    }

    fn get(app: &mut Behaviour, target: &str) -> (Ms, Response) {
        let request = Request { method: "GET".into(), target: target.into(), ..Request::default() };
        match app.react(&request) {
            Reaction::Answer { after, response } => (after, response),
            Reaction::Silence => panic!("{target} is not answered"),
        }
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    #[test]
    fn paths_answer_what_they_are_for() {
        let mut app =
            app(&[("APP_VERSION", "7"), ("APP_JSON", r#"{"a":[1]}"#), ("APP_LATENCY_MS", "30")]).unwrap();
        for (target, status, after, body) in [
            ("/health", 200, 0, r#"{"status":"healthy","version":"7"}"#),
            ("/version", 200, 30, r#"{"version":"7"}"#),
            ("/json?x", 200, 30, r#"{"a":[1]}"#),
            ("/any/where", 200, 30, r#"{"version":"7","task":"127.0.0.1","path":"/any/where"}"#),
            ("/redirect?to=http%3A%2F%2Fx%2Fy", 302, 30, "{}"),
        ] {
            let (waited, response) = get(&mut app, target);
            let said = String::from_utf8(response.body.clone()).unwrap();
            assert_eq!((response.status, waited, said.as_str()), (status, after, body), "{target}");
            assert_eq!(header(&response, "x-version"), "7", "{target}");
            assert_eq!(header(&response, "location"), if status == 302 { "http://x/y" } else { "" });
        }
    }

    #[test]
    fn an_echo_has_method_query_headers_and_body() {
        let request = Request {
            method: "PUT".into(),
            target: "/echo?a=b".into(),
            headers: vec![("x-one".into(), "1".into()), ("x-one".into(), "2".into())],
            body: b"sent".to_vec(),
        };
        let Reaction::Answer { response, .. } = app(&[]).unwrap().react(&request) else { panic!("silence") };
        let echoed: Value = serde_json::from_slice(&response.body).unwrap();
        let expected = json!({ "method": "PUT", "path": "/echo", "query": "a=b", "headers": { "x-one": "1, 2" }, "body": "sent" });
        assert_eq!(echoed, expected);
    }

    #[test]
    fn errors_are_spread_evenly_and_health_is_not_among_them() {
        let mut app = app(&[("APP_ERROR_RATE", "0.25"), ("APP_HEALTH", "fail")]).unwrap();
        let statuses: Vec<u16> = (0..8).map(|_| get(&mut app, "/").1.status).collect();
        assert_eq!(statuses, [200, 200, 200, 500, 200, 200, 200, 500]);
        assert!((0..8).all(|_| get(&mut app, "/health").1.status == 503));
    }

    #[test]
    fn paths_that_hang_do_so_by_pattern() {
        let mut app = app(&[("APP_HANG", "/slow/*, /health")]).unwrap();
        let silent = |app: &mut Behaviour, target: &str| {
            let request = Request { target: target.into(), ..Request::default() };
            app.react(&request) == Reaction::Silence
        };
        assert!(silent(&mut app, "/slow/1?x=y") && silent(&mut app, "/health"));
        assert!(!silent(&mut app, "/slow") && !silent(&mut app, "/"));
    }

    #[test]
    fn a_variable_that_cannot_be_read_is_named() {
        for (name, value) in [("PORT", "http"), ("APP_ERROR_RATE", "some"), ("APP_JSON", "{")] {
            let why = app(&[(name, value)]).unwrap_err();
            assert!(why.starts_with(name), "{why}");
        }
    }
}
