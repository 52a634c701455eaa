use super::*;
use crate::message::tests::{every_news, message};

/// What Slack would show: the texts of all blocks, unescaped.
fn shown(blocks: &Blocks) -> String {
    let blocks = blocks.blocks.as_array().unwrap();
    let texts = blocks.iter().map(|block| match block["elements"][0]["text"].as_str() {
        Some(text) => text.to_owned(),
        None => block["text"]["text"].as_str().unwrap().to_owned(),
    });
    let all = texts.collect::<Vec<_>>().join("\n");
    all.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn of(kind: &str) -> Message {
    message(every_news().into_iter().find(|news| news.kind() == kind).unwrap())
}

#[test]
fn a_headline_is_a_title_a_sentence_and_what_it_is_about() {
    let expected = serde_json::json!([
        { "type": "header", "text": {
            "type": "plain_text", "text": "🚀 api-production: api:v2 is being deployed", "emoji": false } },
        { "type": "section", "text": {
            "type": "plain_text", "emoji": false,
            "text": "api:v2 is being deployed to api-production (tag v2 of api was pushed)." } },
        { "type": "context", "elements": [{
            "type": "plain_text", "emoji": false,
            "text": format!(
                "Image: api:v2  ·  Digest: sha256:{}  ·  Deployment: d-ABCDEFGHI  ·  Revision: api:42  ·  \
                 Time: 2026-01-01 10:00:00 UTC", "ab".repeat(32)) }] },
    ]);
    let blocks = of("started").headline();
    assert_eq!(blocks.blocks, expected);
    assert_eq!(blocks.text, "api:\u{200b}v2 is being deployed to api-production (tag v2 of api was pushed).");
}

#[test]
fn a_thread_holds_all_that_is_known() {
    let expected = format!(
        "↩️ api:v2 was taken back from api-production, which serves api:41 again (the alarm api-5xx).
Reason: the alarm api-5xx
Image: api:v2
Digest: sha256:{}
Deployment: d-ABCDEFGHI
Revision: api:42
Alarm: 2026-01-01 10:00:00 UTC
Stopped: 2026-01-01 10:00:04 UTC (4 s later)
Traffic back: 2026-01-01 10:01:10 UTC (1 min 10 s later)
Time: 2026-01-01 10:00:00 UTC",
        "ab".repeat(32)
    );
    assert_eq!(shown(&of("rolled-back").in_thread()), expected);
    let whole = shown(&of("rolled-back").whole());
    assert!(whole.starts_with("↩️ api-production: api:v2 was rolled back\napi:v2 was taken back"), "{whole}");
    assert!(whole.ends_with(&expected[expected.find("Reason").unwrap()..]), "{whole}");
}

#[test]
fn text_of_others_never_becomes_markup() {
    let evil = "<!channel> *bold* `code` <https://evil|click> @here & #general :tada: ~x~ _y_";
    let mut message = message(News::CheckFailed { event: evil.into(), reason: evil.into() });
    (message.service, message.release.tag) = (evil.into(), Some(evil.into()));
    message.release.repository = Some(evil.into());
    for blocks in [message.headline(), message.in_thread(), message.whole()] {
        let json = blocks.blocks.to_string();
        assert!(!json.contains('<') && !json.contains('>') && !json.contains("mrkdwn"), "{json}");
        assert!(shown(&blocks).contains(evil), "{json}");
        for sign in ["<", ">", "*b", "`c", "@h", "#g", ":t", "~x", "_y"] {
            assert!(!blocks.text.contains(sign), "{sign}: {}", blocks.text);
        }
        assert!(!blocks.text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").contains('&'));
    }
}

#[test]
fn whatever_its_length_a_message_is_within_slacks_limits() {
    for size in [0, 149, 150, 151, 2_999, 3_000, 3_001, 6_500, 20_000] {
        for sign in ["x", "&", "é", "<", "\n", " ", "𝔘"] {
            let text = sign.repeat(size);
            for news in [
                News::CheckFailed { event: text.clone(), reason: text.clone() },
                News::AlarmStopped { alarm: text.clone(), reason: text.clone() },
                News::WrongImageLive { expected: text.clone(), found: text.clone() },
            ] {
                let mut message = message(news);
                message.service.clone_from(&text);
                for blocks in [message.headline(), message.in_thread(), message.whole()] {
                    within_limits(&blocks);
                }
            }
        }
    }
}

fn within_limits(blocks: &Blocks) {
    let list = blocks.blocks.as_array().unwrap();
    assert!(list.len() <= 50, "{} blocks", list.len());
    let mut all = 0;
    for block in list {
        let text = block["elements"][0]["text"].as_str().or(block["text"]["text"].as_str()).unwrap();
        let longest = if block["type"] == "header" { 150 } else { 3_000 };
        let size = text.chars().count();
        assert!((1..=longest).contains(&size), "{} of {size}", block["type"]);
        assert!(!text.trim().is_empty());
        all += size;
    }
    assert!(all <= 13_000, "{all} in all");
    assert!(blocks.text.chars().count() <= 4_000);
}

#[test]
fn what_is_cut_is_cut_between_escapes_and_says_so() {
    assert_eq!(escaped("a&b", 7), "a&amp;b");
    assert_eq!(escaped("a&b", 6), "a…");
    assert_eq!(escaped("<<<", 9), "&lt;&lt;…");
    let whole = parts(&"&".repeat(1_000));
    assert_eq!(whole.iter().map(String::len).collect::<Vec<_>>(), [600, 400]);
    assert!(parts(" \n").is_empty());
}
