use super::*;
use crate::time::MINUTE;

const NOW: Ms = 1_767_225_600_000;

fn request(method: &str, target: &str, token: &str, body: &Value) -> Request {
    let headers = [("content-type", "application/json; charset=utf-8"), ("authorization", token)];
    Request {
        method: method.into(),
        target: target.into(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: body.to_string().into_bytes(),
    }
}

fn answered(slack: &mut Slack, path: &str, request: &Request, now: Ms) -> Response {
    match slack.handle(path, request, now).0 {
        Outcome::Answer(response) => response,
        other => panic!("{other:?}"),
    }
}

fn call(slack: &mut Slack, method: &str, body: &Value, now: Ms) -> Value {
    let path = format!("/api/{method}");
    let request = request("POST", &path, &format!("Bearer {TOKEN}"), body);
    serde_json::from_slice(&answered(slack, &path, &request, now).body).unwrap()
}

fn read(slack: &mut Slack, method: &str, query: &str) -> Value {
    let path = format!("/api/{method}");
    let request = request("GET", &format!("{path}?{query}"), &format!("Bearer {TOKEN}"), &Value::Null);
    serde_json::from_slice(&answered(slack, &path, &request, NOW).body).unwrap()
}

fn said(text: &str) -> Value {
    json!({ "channel": "#deploys", "text": text,
        "metadata": { "event_type": "sluice", "event_payload": { "key": text } } })
}

#[test]
fn a_message_is_posted_edited_answered_and_found() {
    let mut slack = Slack::default();
    let first = call(&mut slack, "chat.postMessage", &said("one"), NOW);
    let (ts, id) = (first["ts"].clone(), first["channel"].clone());
    assert_eq!(ts, "1767225600.000001");
    let edit = json!({ "channel": id, "ts": ts, "text": "two",
        "metadata": { "event_type": "sluice", "event_payload": { "key": "two" } } });
    assert_eq!(call(&mut slack, "chat.update", &edit, NOW)["ok"], true);
    let reply = json!({ "channel": id, "thread_ts": ts, "text": "more" });
    assert_eq!(call(&mut slack, "chat.postMessage", &reply, NOW + 1_000)["ok"], true);
    let found = read(
        &mut slack,
        "conversations.history",
        &format!("channel={}&include_all_metadata=true", id.as_str().unwrap()),
    );
    assert_eq!(found["messages"].as_array().unwrap().len(), 1);
    assert_eq!(found["messages"][0]["metadata"]["event_payload"]["key"], "two");
    let thread = format!("channel={}&ts={}", id.as_str().unwrap(), ts.as_str().unwrap());
    let thread = read(&mut slack, "conversations.replies", &thread);
    assert_eq!(thread["messages"][1]["text"], "more");
    assert_eq!(thread["messages"][0]["metadata"], Value::Null, "metadata is shown to whoever asks for it");
}

#[test]
fn a_channel_takes_a_message_a_second() {
    let mut slack = Slack::default();
    assert_eq!(call(&mut slack, "chat.postMessage", &said("one"), NOW)["ok"], true);
    let path = "/api/chat.postMessage";
    let again = request("POST", path, &format!("Bearer {TOKEN}"), &said("two"));
    let limited = answered(&mut slack, path, &again, NOW + 400);
    assert_eq!(limited.status, 429);
    assert!(limited.headers.contains(&("retry-after".to_owned(), "1".to_owned())));
    assert_eq!(call(&mut slack, "chat.postMessage", &said("two"), NOW + 1_000)["ok"], true);
    assert_eq!(slack.shown("deploys").len(), 2);
}

#[test]
fn what_slack_refuses_is_refused() {
    let header = |text: &str| json!([{ "type": "header", "text": { "type": "plain_text", "text": text } }]);
    let section = |text: &str| json!([{ "type": "section", "text": { "type": "plain_text", "text": text } }]);
    let many: Vec<_> = (0..51).map(|_| json!({ "type": "divider" })).collect();
    let long: Vec<_> = (0..5).map(|_| section(&"x".repeat(3_000))[0].clone()).collect();
    let cases = [
        ("chat.postMessage", json!({ "channel": "#other", "text": "x" }), "channel_not_found"),
        ("chat.postMessage", json!({ "channel": "#deploys" }), "no_text"),
        (
            "chat.postMessage",
            json!({ "channel": "#deploys", "blocks": header(&"x".repeat(151)) }),
            "invalid_blocks",
        ),
        ("chat.postMessage", json!({ "channel": "#deploys", "blocks": section("") }), "invalid_blocks"),
        (
            "chat.postMessage",
            json!({ "channel": "#deploys", "blocks": section(&"x".repeat(3_001)) }),
            "invalid_blocks",
        ),
        ("chat.postMessage", json!({ "channel": "#deploys", "blocks": many }), "invalid_blocks"),
        ("chat.postMessage", json!({ "channel": "#deploys", "blocks": long }), "msg_blocks_too_long"),
        (
            "chat.postMessage",
            json!({ "channel": "#deploys", "text": "x", "thread_ts": "1.000001" }),
            "thread_not_found",
        ),
        (
            "chat.postMessage",
            json!({ "channel": "#deploys", "text": "x", "metadata": { "a": 1 } }),
            "invalid_metadata_format",
        ),
        ("chat.update", json!({ "channel": "#deploys", "ts": "1.000001", "text": "x" }), "channel_not_found"),
        (
            "chat.update",
            json!({ "channel": "C0000000001", "ts": "1.000001", "text": "x" }),
            "message_not_found",
        ),
        ("chat.nonsense", json!({}), "unknown_method"),
    ];
    let mut slack = Slack::default();
    for (method, body, error) in cases {
        let answer = call(&mut slack, method, &body, NOW);
        assert_eq!((answer["ok"].clone(), answer["error"].clone()), (json!(false), json!(error)), "{body}");
    }
    slack.channels.get_mut("deploys").unwrap().member = false;
    assert_eq!(call(&mut slack, "chat.postMessage", &said("x"), NOW)["error"], "not_in_channel");
    slack.scopes.remove("chat:write");
    assert_eq!(call(&mut slack, "chat.postMessage", &said("x"), NOW)["needed"], "chat:write");
    slack.tokens.clear();
    assert_eq!(call(&mut slack, "chat.postMessage", &said("x"), NOW)["error"], "invalid_auth");
}

#[test]
fn a_webhook_says_ok_and_nothing_else() {
    let mut slack = Slack::default();
    let path = slack.webhook("ops");
    let hook = |body: &Value| request("POST", "", "", body);
    let done = answered(&mut slack, &path, &hook(&json!({ "text": "x" })), NOW);
    assert_eq!((done.status, done.body.as_slice()), (200, b"ok".as_slice()));
    assert_eq!(answered(&mut slack, &path, &hook(&json!({ "text": "x" })), NOW).status, 429);
    assert_eq!(answered(&mut slack, &path, &hook(&json!({})), NOW + MINUTE).body, b"no_text");
    let wrong = path.replace(WEBHOOK_SECRET, "guessed");
    assert_eq!(answered(&mut slack, &wrong, &hook(&json!({ "text": "x" })), NOW + MINUTE).status, 403);
    assert_eq!(slack.shown("ops").len(), 1);
}

#[test]
fn troubles_befall_requests_in_their_order_and_an_outage_ends() {
    let mut slack = Slack::default();
    let setup = json!({ "troubles": [null, "answer-lost", { "rate-limited": 7 }, { "error": "fatal_error" }],
        "channels": ["#more"] });
    let set = answered(&mut slack, "/setup", &request("POST", "/setup", "", &setup), NOW);
    assert_eq!(set.status, 200, "{}", String::from_utf8_lossy(&set.body));
    let path = "/api/chat.postMessage";
    let post = |slack: &mut Slack, n: Ms| {
        let request = request("POST", path, &format!("Bearer {TOKEN}"), &said("x"));
        slack.handle(path, &request, NOW + n * 1_000).0
    };
    assert!(matches!(post(&mut slack, 0), Outcome::Answer(response) if response.status == 200));
    assert_eq!(post(&mut slack, 1), Outcome::Broken("connection reset before the answer"));
    assert_eq!(slack.shown("deploys").len(), 2, "what was lost is the answer");
    assert!(matches!(post(&mut slack, 2), Outcome::Answer(response) if response.status == 429));
    assert!(
        matches!(post(&mut slack, 3), Outcome::Answer(response) if response.body.starts_with(b"{\"ok\":false"))
    );
    slack.outage_until(NOW + MINUTE);
    assert_eq!(post(&mut slack, 59), Outcome::Broken("connection refused"));
    assert!(matches!(post(&mut slack, 60), Outcome::Answer(response) if response.status == 200));
    assert!(slack.channels.contains_key("more"));
}

#[test]
fn the_page_shows_messages_and_never_runs_them() {
    let mut slack = Slack::default();
    call(&mut slack, "chat.postMessage", &said("&lt;script&gt;alert(1)&lt;/script&gt; <b>\"x\"</b>"), NOW);
    let page = answered(&mut slack, "", &request("GET", PATH, "", &Value::Null), NOW);
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &lt;b&gt;&quot;x&quot;"), "{page}");
    assert!(page.contains("<h2>#deploys</h2>") && !page.contains("<script"));
    let json = answered(&mut slack, "", &request("GET", "/_cloud/slack?format=json", "", &Value::Null), NOW);
    let json = String::from_utf8(json.body).unwrap();
    assert!(json.contains("alert(1)") && !json.contains(TOKEN) && !json.contains(WEBHOOK_SECRET));
}
