//! The workspace as a person sees it: a page of channels, messages and their threads.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Channel, Post, Slack, shown};
use crate::http::Response;
use crate::time::iso_seconds;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:0;background:#f8f8f8;color:#1d1c1d}\
main{max-width:52rem;margin:0 auto;padding:1rem}h1{font-size:1.2rem}h2{font-size:1.05rem;margin:1.5rem 0 .5rem}\
article{background:#fff;border:1px solid #ddd;border-radius:6px;padding:.6rem .9rem;margin:.5rem 0}\
article article{background:#fafafa;border-width:0 0 0 3px;border-radius:0;margin-left:.5rem}\
h3{font-size:1rem;margin:0}p{margin:.25rem 0;white-space:pre-wrap;overflow-wrap:anywhere}\
small{color:#616061}.context{color:#616061;font-size:.85rem}";

pub fn whole(slack: &Slack) -> Response {
    let mut html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=2>\
         <title>Slack of the local cloud</title><style>{STYLE}</style><main><h1>Slack of the local cloud</h1>"
    );
    for (name, channel) in &slack.channels {
        // Writing to a String does not fail.
        let _ = write!(html, "<section><h2>#{}</h2>", escaped(name));
        html += &messages(channel);
        html += "</section>";
    }
    html += "</main></html>";
    let headers = vec![("content-type".into(), "text/html; charset=utf-8".into())];
    Response { status: 200, headers, body: html.into_bytes() }
}

fn messages(channel: &Channel) -> String {
    let top = channel.messages.iter().filter(|post| post.thread_ts.is_none() || post.broadcast);
    let shown: String = top
        .map(|post| {
            let thread = channel.messages.iter().filter(|reply| reply.thread_ts.as_ref() == Some(&post.ts));
            let thread: String = thread.map(|reply| article(reply, "")).collect();
            article(post, &thread)
        })
        .collect();
    if shown.is_empty() { "<p><small>no messages</small></p>".to_owned() } else { shown }
}

fn article(post: &Post, thread: &str) -> String {
    let seconds: f64 = post.ts.parse().unwrap_or_default();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let time = iso_seconds((seconds * 1_000.0) as u64);
    let edited = if post.edits > 0 { " (edited)" } else { "" };
    let from = if post.broadcast { " replied to a thread" } else { "" };
    format!("<article><small>Sluice{from} {time}{edited}</small>{}{thread}</article>", content(post))
}

fn content(post: &Post) -> String {
    let Some(blocks) = post.blocks.as_array().filter(|blocks| !blocks.is_empty()) else {
        return format!("<p>{}</p>", text(&post.text));
    };
    blocks.iter().map(block).collect()
}

fn block(block: &Value) -> String {
    let said = |object: &Value| text(object["text"].as_str().unwrap_or_default());
    match block["type"].as_str() {
        Some("header") => format!("<h3>{}</h3>", said(&block["text"])),
        Some("context") => {
            let elements: Vec<_> = block["elements"].as_array().into_iter().flatten().map(said).collect();
            format!("<p class=context>{}</p>", elements.join(" "))
        }
        Some("divider") => "<hr>".to_owned(),
        _ => format!("<p>{}</p>", said(&block["text"])),
    }
}

/// As Slack shows it, escaped for HTML.
fn text(text: &str) -> String {
    escaped(&shown(text))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
