//! Texts of `releases.yaml` that have a form of their own.

use std::ops::RangeInclusive;

use http::Uri;
use http::header::{HeaderName, HeaderValue};

use super::Text;
use super::cursor::nearest;

/// A repository's name, without registry or tag.
pub(super) fn repository(text: &str) -> Result<String, String> {
    if text.contains(".dkr.") || text.contains(".dkr-ecr.") {
        return Err("holds a registry; write the repository's name alone, as in team/api".to_owned());
    }
    if text.contains([':', '@']) {
        return Err("holds a tag or a digest; write the repository's name alone, as in team/api".to_owned());
    }
    Ok(text.to_owned())
}

/// A Slack channel, with its `#`.
pub(super) fn channel(text: &str) -> Result<String, String> {
    match text.strip_prefix('#') {
        Some(name) if !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '#') => {
            Ok(text.to_owned())
        }
        _ => Err(format!("'{text}' is not a Slack channel; write it with its #, as in '#deploys'")),
    }
}

/// Scheme, host and perhaps a port. The text itself stays out of the error: it may hold a password.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    const LIKE: &str = "write it like https://api.internal:8443";
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = rest.ok_or_else(|| format!("does not start with http:// or https://; {LIKE}"))?;
    if rest.contains('@') {
        return Err(format!("holds credentials; {LIKE} and send them as a header, from a secret"));
    }
    if rest.contains(['/', '?', '#']) {
        return Err(format!("goes on after host and port; {LIKE} and put the path into get"));
    }
    let uri: Uri = text.parse().map_err(|e| format!("is not a URL ({e}); {LIKE}"))?;
    let authority = uri.authority().ok_or_else(|| format!("has no host; {LIKE}"))?;
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let port_is_right = port.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    if authority.host().is_empty() || !port_is_right || authority.as_str() != rest {
        return Err(format!("has no valid host and port; {LIKE}"));
    }
    Ok(text.to_owned())
}

/// What follows the base URL in a request. A query may hold a token: no error repeats it.
pub(super) fn path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("does not start with '/'; write the path alone, as in /health".to_owned());
    }
    if text.contains('#') {
        return Err("holds a '#', which never reaches a server; leave it out or write %23".to_owned());
    }
    text.parse::<Uri>().map_err(|e| format!("is not a path ({e}); write it like /health"))?;
    Ok(text.to_owned())
}

pub(super) fn header_name(text: &str) -> Result<(), String> {
    let name = HeaderName::from_bytes(text.as_bytes());
    name.map(drop).map_err(|_| "is not the name of a header; write it like x-request-id".to_owned())
}

/// A header of a request, which does not undo how that is sent.
pub(super) fn sent_header_name(text: &str) -> Result<(), String> {
    header_name(text)?;
    if ["connection", "content-length", "transfer-encoding"].contains(&text.to_lowercase().as_str()) {
        return Err("is set by the connection itself; leave it out".to_owned());
    }
    Ok(())
}

/// A header's value, perhaps with a reference to a secret; never part of the error.
pub(super) fn header_value(text: &str) -> Result<Text, String> {
    HeaderValue::from_str(text).map_err(|_| "holds what a header cannot; leave control characters out")?;
    Text::parse(text)
}

/// Statuses from and to, such as `200-299`.
pub(super) fn statuses(text: &str) -> Result<RangeInclusive<u16>, String> {
    let of_three = |part: &str| part.parse().ok().filter(|n| part.len() == 3 && (100..=599).contains(n));
    let ends = text.split_once('-').and_then(|(from, to)| Some(of_three(from)?..=of_three(to)?));
    ends.filter(|statuses| !statuses.is_empty()).ok_or_else(|| {
        format!("'{text}' is not a range of statuses; write one like '200-299', or a number like 200")
    })
}

/// The identifier of an RDS cluster or instance.
pub(super) fn rds_identifier(text: &str) -> Result<String, String> {
    let parts = || text.split('-');
    let right = parts().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric()))
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 63;
    right.then(|| text.to_owned()).ok_or_else(|| {
        format!("'{text}' is not the identifier of an RDS cluster or instance; write it like api-db")
    })
}

/// One of a few names, of which `kind` says what they are, and `kinds` all of them.
pub(super) fn one_of<T: Copy>(
    (kind, kinds): (&str, &str),
    all: &[T],
    name: impl Fn(T) -> &'static str,
    text: &str,
) -> Result<T, String> {
    if let Some(one) = all.iter().find(|one| name(**one) == text) {
        return Ok(*one);
    }
    let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
    Err(match nearest(text, &names) {
        Some(meant) => format!("unknown {kind} '{text}'; did you mean '{meant}'?"),
        None => format!("unknown {kind} '{text}'; the {kinds} are {}", names.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_a_scheme_a_host_and_perhaps_a_port() {
        for right in ["http://api", "https://api.internal:8443", "https://10.0.0.1", "http://[::1]:80"] {
            assert_eq!(base_url(right), Ok(right.to_owned()));
        }
        for (wrong, what) in [
            ("api.internal", "does not start with http"),
            ("ftp://api", "does not start with http"),
            ("https://me:hunter2@api", "holds credentials"),
            ("https://api/", "goes on after"),
            ("https://api?x", "goes on after"),
            ("https://api#x", "goes on after"),
            ("https://", ""),
            ("https://:80", ""),
            ("https://api:", ""),
            ("https://api:99999", ""),
            ("https://a b", ""),
        ] {
            let fault = base_url(wrong).unwrap_err();
            assert!(fault.starts_with(what) && !fault.contains("hunter2"), "{wrong}: {fault}");
        }
    }

    #[test]
    fn a_path_starts_with_a_slash_and_holds_what_a_request_may() {
        assert!(path("/").is_ok() && path("/a%20b?c=d").is_ok());
        for wrong in ["health", "https://api/health", "/a b", "/a#b", "/\u{1}"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_are_what_can_be_sent() {
        assert!(
            header_name("x-token").is_ok() && header_name("x token").is_err() && header_name("").is_err()
        );
        assert!(sent_header_name("host").is_ok() && sent_header_name("Content-Length").is_err());
        for right in ["", "plain", "Bearer secret:api/token#field"] {
            assert!(header_value(right).is_ok(), "{right}");
        }
        for wrong in ["a\nb", "secret:"] {
            assert!(header_value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_of_statuses_have_two_ends_in_order() {
        assert_eq!(statuses("200-299"), Ok(200..=299));
        assert_eq!(statuses("204-204"), Ok(204..=204));
        for wrong in ["200", "299-200", "99-200", "500-600", "+20-300", "200-", "200-299-300", "2xx"] {
            assert!(statuses(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn identifiers_of_databases_are_what_rds_takes() {
        assert!(rds_identifier("api-db").is_ok() && rds_identifier(&"a".repeat(63)).is_ok());
        let long = "a".repeat(64);
        for wrong in ["1-db", "api--db", "api-", "-api", "arn:aws:rds:eu-west-1:1:db:api", "a_b", &long] {
            assert!(rds_identifier(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn channels_and_repositories_are_names() {
        assert!(channel("#deploys").is_ok());
        for wrong in ["deploys", "#", "#a b", "##a"] {
            assert!(channel(wrong).is_err(), "{wrong}");
        }
        assert!(repository("team/api").is_ok());
        for wrong in ["1.dkr.ecr.eu-west-1.amazonaws.com/api", "api:v1", "api@sha256:0"] {
            assert!(repository(wrong).is_err(), "{wrong}");
        }
    }
}
