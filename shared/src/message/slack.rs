//! Messages as Slack takes them: blocks within its limits, in which no text of others
//! becomes markup.
//!
//! All words go into `plain_text` objects, which know no markup; the fallback, which is what a
//! notification shows, is escaped and defused besides.

use serde_json::{Value, json};

use super::Message;
use super::News;
use super::text::Text;

/// Slack's limits: characters of a header and of a section.
const HEADER: usize = 150;
const SECTION: usize = 3_000;

/// Characters of a reason, and of any other value: with a sentence and a header no more than
/// 13,000 in all. The rest is in the log of who said it.
const REASON: usize = 6_500;
const VALUE: usize = 300;

/// Characters of the fallback.
const FALLBACK: usize = 600;

/// `blocks` and `text` of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    pub text: String,
    pub blocks: Value,
}

impl Message {
    /// What stands in the channel.
    pub fn headline(&self) -> Blocks {
        let text = self.text();
        let about: Vec<_> = text.details.iter().filter(|(name, _)| *name != "Reason").collect();
        let about: Vec<_> = about.iter().map(|(name, value)| line(name, value)).collect();
        let blocks =
            vec![header(&titled(&self.news, &text)), section(&text.sentence), context(&about.join("  ·  "))];
        Blocks { text: fallback(&text), blocks: blocks.into() }
    }

    /// What stands in its thread: all that is known.
    pub fn in_thread(&self) -> Blocks {
        let text = self.text();
        let blocks = vec![section(&format!("{} {}", symbol(&self.news), text.sentence))];
        Blocks { text: fallback(&text), blocks: with_details(blocks, &text) }
    }

    /// For an incoming webhook, which has no thread.
    pub fn whole(&self) -> Blocks {
        let text = self.text();
        let blocks = vec![header(&titled(&self.news, &text)), section(&text.sentence)];
        Blocks { text: fallback(&text), blocks: with_details(blocks, &text) }
    }
}

fn titled(news: &News, text: &Text) -> String {
    format!("{} {}", symbol(news), text.title)
}

fn with_details(mut blocks: Vec<Value>, text: &Text) -> Value {
    for (name, value) in &text.details {
        blocks.extend(parts(&line(name, value)).iter().map(|part| section(part)));
    }
    blocks.into()
}

fn line(name: &str, value: &str) -> String {
    format!("{name}: {}", fitting(value, if name == "Reason" { REASON } else { VALUE }))
}

/// What the eye finds first.
fn symbol(news: &News) -> &'static str {
    match news {
        News::Started { .. } => "🚀",
        News::Succeeded { .. } => "✅",
        News::Failed { .. } | News::CheckFailed { .. } => "❌",
        News::RolledBack { .. } => "↩️",
        News::RollbackFailed { .. } | News::NoWayBack { .. } => "🆘",
        News::AlarmStopped { .. } | News::AlarmAfterWatch { .. } | News::AlarmDuringRollback { .. } => "🚨",
        News::Waiting { .. } => "⏳",
        News::Refused { .. } => "⛔",
        News::AlarmRedBefore { .. } | News::WrongImageLive { .. } | News::HookOverdue { .. } => "⚠️",
    }
}

fn header(text: &str) -> Value {
    json!({ "type": "header", "text": plain(text, HEADER) })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": plain(text, SECTION) })
}

fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [plain(text, SECTION)] })
}

fn plain(text: &str, longest: usize) -> Value {
    json!({ "type": "plain_text", "text": escaped(text, longest), "emoji": false })
}

/// Text in pieces that each fit a section, however much longer escaping makes them.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut size = 0;
    for c in text.chars() {
        let width = escape(c).chars().count();
        if size + width > SECTION {
            parts.push(String::new());
            size = 0;
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        size += width;
    }
    // Slack refuses a section of nothing.
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// `&`, `<` and `>` written as Slack wants them, in at most so many characters.
fn escaped(text: &str, longest: usize) -> String {
    fitting(text, longest).chars().map(escape).collect()
}

/// As much of a text as has so many characters once it is escaped, with a sign that
/// something is missing.
fn fitting(text: &str, longest: usize) -> String {
    let width = |c: char| escape(c).chars().count();
    if text.chars().map(width).sum::<usize>() <= longest {
        return text.to_owned();
    }
    let mut room = longest.saturating_sub(1);
    let kept = text.chars().take_while(|c| match room.checked_sub(width(*c)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    });
    kept.collect::<String>() + "…"
}

fn escape(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        other => other.to_string(),
    }
}

/// One line in which nothing is markup: Slack reads the fallback as `mrkdwn`.
fn fallback(text: &Text) -> String {
    let line = text.sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = escaped(&line, FALLBACK);
    // A space of no width keeps signs from working in pairs, and an @ from calling anyone.
    line.chars().fold(String::new(), |mut out, c| {
        out.push(c);
        if "*_~`@#:".contains(c) {
            out.push('\u{200b}');
        }
        out
    })
}

#[cfg(test)]
mod tests;
