use super::*;
use crate::message::tests::{every_news, message};

#[test]
fn each_message_has_its_words() {
    let said: Vec<_> = every_news()
        .into_iter()
        .flat_map(|news| {
            let text = message(news).text();
            [text.title, text.sentence]
        })
        .collect();
    let expected = [
        "api-production: api:v2 is being deployed",
        "api:v2 is being deployed to api-production (tag v2 of api was pushed).",
        "api-production: a check of api:v2 failed at BeforeAllowTraffic",
        "api:v2 did not pass the checks of api-production at BeforeAllowTraffic (smoke: GET /health: status 500, \
         expected 200).",
        "api-production: api:v2 is live",
        "api:v2 serves all traffic of api-production, 12 min 5 s after its push.",
        "api-production: the deployment of api:v2 failed",
        "api:v2 did not become the live version of api-production (HOOK_EXECUTION_FAILURE: a hook failed).",
        "api-production: api:v2 was rolled back",
        "api:v2 was taken back from api-production, which serves api:41 again (the alarm api-5xx).",
        "api-production: the rollback of api:v2 FAILED",
        "api:v2 could not be taken back from api-production: look at it now (why).",
        "api-production: there is NO WAY BACK from api:v2",
        "api:v2 should be taken back from api-production, but there is nothing to go back to: deploy a good image \
         by hand (why).",
        "api-production: an alarm stopped api:v2",
        "The alarm api-5xx stopped api:v2 on api-production; the rollback is under way (Threshold Crossed: 3 \
         datapoints).",
        "api-production: an alarm was red before api:v2",
        "The alarm api-5xx of api-production was red before the deployment of api:v2, which is not blamed for it: \
         find out why.",
        "api-production: an alarm went red after the watch over api:v2",
        "The alarm api-5xx of api-production went red after the watch over api:v2 had ended: nothing is rolled back.",
        "api-production: an alarm is red during the rollback of api:v2",
        "The alarm api-5xx of api-production is red while api:v2 is rolled back: a rollback does not start another.",
        "api-production: api:v2 waits",
        "api:v2 waits for its deployment to api-production (d-OTHER is active).",
        "api-production: api:v2 was refused",
        "api:v2 is not deployed to api-production (its scan found 2 CRITICAL).",
        "api-production: the wrong image is live",
        "api-production serves api:v1, where the last deployment brought api:v2.",
        "api-production: the hook of BeforeAllowTraffic is overdue",
        "The hook of BeforeAllowTraffic in the deployment of api:v2 to api-production has not reported in its \
         time: look at its log.",
    ];
    assert_eq!(said, expected);
}

#[test]
fn where_less_is_known_less_is_said() {
    let bare = |news| Message { release: Release::default(), ..message(news) };
    let succeeded = bare(News::Succeeded { lead_time: None }).text();
    assert_eq!(succeeded.sentence, "a release serves all traffic of api-production.");
    assert_eq!(succeeded.details, [("Time", "2026-01-01 10:00:00 UTC".to_owned())]);
    let back = News::RolledBack { reason: String::new(), to: None, times: Default::default() };
    assert_eq!(bare(back).text().sentence, "a release was taken back from api-production.");
}

#[test]
fn an_e_mail_is_a_sentence_and_lines() {
    let text = message(News::Waiting { reason: "a freeze is on\nuntil Monday".into() }).text();
    assert_eq!(
        text.plain(),
        format!(
            "api:v2 waits for its deployment to api-production (a freeze is on).\n\nReason: a freeze is on\nuntil \
             Monday\nImage: api:v2\nDigest: sha256:{}\nDeployment: d-ABCDEFGHI\nRevision: api:42\nTime: 2026-01-01 \
             10:00:00 UTC\n",
            "ab".repeat(32)
        )
    );
}

#[test]
fn a_subject_is_what_sns_takes() {
    let subject = |service: &str| {
        let mut message = message(News::Succeeded { lead_time: None });
        message.service = service.into();
        message.text().subject()
    };
    assert_eq!(subject("api"), "api: api:v2 is live");
    assert_eq!(subject("café\r\nSubject: x\u{7}"), "caf? Subject: x?: api:v2 is live");
    for size in [80, 85, 86, 99, 100, 300] {
        let long = subject(&"x".repeat(size));
        assert!(long.len() < 100 && long.is_ascii(), "{long}");
    }
    assert!(subject(&"x".repeat(300)).ends_with("..."));
    let text = Text { title: String::new(), sentence: String::new(), details: Vec::new() };
    assert_eq!(text.subject(), "Sluice");
}

#[test]
fn a_sentence_holds_the_beginning_of_a_reason() {
    assert_eq!(clause("first.\nsecond"), " (first)");
    assert_eq!(clause(" \n\n later "), " (later)");
    assert_eq!(clause(" \n"), "");
    assert_eq!(clause(&"x".repeat(400)).chars().count(), 303);
    assert!(clause(&"x".repeat(400)).ends_with("x…)"));
}

#[test]
fn spans_are_told_in_their_two_largest_units() {
    let told = |seconds| span(SignedDuration::from_secs(seconds));
    let seconds = [-5, 0, 59, 60, 61, 3_599, 3_600, 3_605, 3_660, 90_000];
    let expected =
        ["0 s", "0 s", "59 s", "1 min", "1 min 1 s", "59 min 59 s", "1 h", "1 h", "1 h 1 min", "25 h"];
    assert_eq!(seconds.map(told), expected);
}
