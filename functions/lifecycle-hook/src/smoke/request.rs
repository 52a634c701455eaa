//! One request of a smoke test: filled with its secrets, sent, and its redirects followed
//! where that is asked for.

use std::time::Duration;

use futures_util::future::{FutureExt as _, OptionFuture, join};
use shared::aws::{WebAnswer, WebError, WebRequest};
use shared::config::{Body, SmokeRequest};
use tokio::time::Instant;
use url::Url;

use super::expect::{Wrong, expect};
use super::{Deployed, Smoker};

/// More redirects than this are a circle.
const REDIRECTS: usize = 5;

/// A request that is ready to be sent.
pub struct Asked<'a> {
    pub request: &'a SmokeRequest,
    filled: WebRequest,
}

impl<'a> Asked<'a> {
    /// Fails where a secret is missing.
    pub fn new(smoker: &Smoker<'_>, base: &str, request: &'a SmokeRequest) -> Result<Self, String> {
        let mut headers = Vec::new();
        for (name, text) in &request.headers {
            headers.push((name.clone(), smoker.secrets.filled(text)?));
        }
        let body = match &request.body {
            None => String::new(),
            Some(Body::Text(text)) => smoker.secrets.filled(text)?,
            Some(Body::Json(json)) => {
                if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                    headers.push(("content-type".to_owned(), "application/json".to_owned()));
                }
                smoker.secrets.filled_json(json)?.to_string()
            }
        };
        let (method, url) = (request.method.as_str(), format!("{base}{}", request.path));
        Ok(Self { request, filled: WebRequest { method, url, headers, body } })
    }

    /// Sends it once; gives how long the right answer took.
    pub async fn send(&self, smoker: &Smoker<'_>) -> Result<Duration, Wrong> {
        let version = self.request.version.as_ref();
        let deploying: OptionFuture<_> = version.map(|_| smoker.deploying.clone()).into();
        let (answer, deployed) = join(self.follow(smoker), deploying).await;
        let answer = answer?;
        let deployed = deployed.unwrap_or_else(|| Ok(Deployed::default()));
        let deployed =
            deployed.map_err(|why| Wrong::Failed(format!("what is deployed is not known: {why}")))?;
        expect(self.request, &answer, &deployed, smoker.secrets).map(|()| answer.took)
    }

    /// The answer at the end of the redirects, all within the time of one.
    async fn follow(&self, smoker: &Smoker<'_>) -> Result<WebAnswer, Wrong> {
        let began = Instant::now();
        let mut request = self.filled.clone();
        for _ in 0..=REDIRECTS {
            let left = self.request.max_time.saturating_sub(began.elapsed());
            let left = left.min(smoker.end.saturating_duration_since(Instant::now()));
            let sent = smoker.web.send(&request, left).boxed().await;
            let answer = sent.map_err(|e| self.wrong(e, smoker.end))?;
            let redirects = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
            match answer.header("location") {
                Some(location) if redirects && self.request.follow_redirects => {
                    request = redirected(&request, answer.status, location).map_err(Wrong::Failed)?;
                }
                _ => return Ok(WebAnswer { took: began.elapsed(), ..answer }),
            }
        }
        Err(Wrong::Failed(format!("more than {REDIRECTS} redirects, the last to {}", request.url)))
    }

    fn wrong(&self, error: WebError, end: Instant) -> Wrong {
        match error {
            WebError::TimedOut(left) if Instant::now() >= end => Wrong::NotReady(format!(
                "no answer within {left:.1?}, all that was left of the function's time"
            )),
            WebError::TimedOut(_) => {
                Wrong::NotReady(format!("no answer within max-time, {:?}", self.request.max_time))
            }
            WebError::Connection(why) => Wrong::NotReady(why),
            refused @ (WebError::Url(..) | WebError::Refused(..)) => Wrong::Failed(refused.to_string()),
        }
    }
}

/// The request that a redirect asks for (RFC 9110, 15.4), which stays at the same origin:
/// only what is configured is ever called.
pub fn redirected(request: &WebRequest, status: u16, location: &str) -> Result<WebRequest, String> {
    let wrong = |e: url::ParseError| format!("it redirects to '{location}', which is no URL: {e}");
    let here = Url::parse(&request.url).map_err(wrong)?;
    let mut there = here.join(location).map_err(wrong)?;
    if here.origin() != there.origin() {
        return Err(format!("it redirects to {there}, another origin, which is not followed"));
    }
    there.set_fragment(None);
    let keeps_method = matches!(status, 307 | 308) || matches!(request.method, "GET" | "HEAD");
    let mut next = WebRequest { url: there.into(), ..request.clone() };
    if !keeps_method {
        next.method = "GET";
        next.body.clear();
        next.headers.retain(|(name, _)| !name.to_lowercase().starts_with("content-"));
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_at_its_origin() {
        let post = WebRequest {
            method: "POST",
            url: "http://api.internal:8443/a/b?c".into(),
            headers: vec![("Content-Type".into(), "text/plain".into()), ("x-a".into(), "b".into())],
            body: "text".into(),
        };
        let to = |status, location: &str| redirected(&post, status, location);
        let seen = to(302, "../login?x#y").unwrap();
        assert_eq!(
            (seen.method, &seen.url[..], &seen.body[..]),
            ("GET", "http://api.internal:8443/login?x", "")
        );
        assert_eq!(seen.headers, [("x-a".to_owned(), "b".to_owned())]);
        let kept = to(307, "http://api.internal:8443/d").unwrap();
        assert_eq!((kept.method, &kept.body[..], kept.headers.len()), ("POST", "text", 2));
        for away in ["https://api.internal:8443/", "http://api.internal/", "//169.254.169.254/", "http://["] {
            assert!(to(301, away).is_err(), "{away}");
        }
    }
}
