//! JSON bodies, and the compression that any protocol's body may come in.

use std::borrow::Cow;
use std::io::Read;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::http::Request;

/// Largest body taken, decompressed: what Lambda's direct upload allows, and some.
const MOST: u64 = 256 * 1024 * 1024;

pub fn decompressed(request: &Request) -> Result<Cow<'_, [u8]>, Fault> {
    match request.header("content-encoding") {
        Some("gzip") => {
            let mut body = Vec::new();
            flate2::read::GzDecoder::new(request.body.as_slice())
                .take(MOST)
                .read_to_end(&mut body)
                .map_err(|e| Fault::new("SerializationException", format!("body is not gzip: {e}")))?;
            Ok(Cow::Owned(body))
        }
        _ => Ok(Cow::Borrowed(&request.body)),
    }
}

pub fn parse(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .map_err(|e| Fault::new("SerializationException", format!("body is not JSON: {e}")))
}
