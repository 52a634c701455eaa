//! What must have happened in an act, held against what did: what several acts ask. Each
//! gives what is wrong, and nothing where all is well.

use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::functions::{FUNCTION, HOOK};
use crate::versions::Version;

pub fn otherwise(holds: bool, told: impl FnOnce() -> String) -> Option<String> {
    (!holds).then(told)
}

/// The first decision starts the image, and one deployment comes of all of them.
pub fn once_started(facts: &Facts) -> Option<String> {
    let Facts { digest, decisions, created, .. } = facts;
    let started = decisions.first().is_some_and(|first| first.kind == "start" && first.digest == *digest);
    let once = matches!(&created[..], [one] if one.is_by(FUNCTION));
    otherwise(started, || format!("{FUNCTION} decides to start {digest}, but: {decisions:?}")).or_else(|| {
        otherwise(once, || format!("{FUNCTION} alone calls CreateDeployment, once, but: {created:?}"))
    })
}

/// These lifecycle events ended so, each by one report of the hook, whose log says the same.
pub fn reported(facts: &Facts, expected: &[(&str, &str)]) -> Option<String> {
    let Facts { verdicts, reported, events, .. } = facts;
    let logged: Vec<_> = verdicts.iter().map(|verdict| (&verdict.event[..], &verdict.status[..])).collect();
    let calls = reported.len() == expected.len()
        && reported
            .iter()
            .zip(expected)
            .all(|(call, (_, status))| call.is_by(HOOK) && call.status() == *status);
    otherwise(calls && logged == expected, || {
        format!("{HOOK} reports {expected:?}, but: {reported:?}, and its log says {logged:?}")
    })
    .or_else(|| {
        expected.iter().find_map(|(event, status)| {
            let found = events.get(*event).map_or("never begun", String::as_str);
            otherwise(found == *status, || format!("{event} is {status}, but it is: {found}"))
        })
    })
}

pub fn ended(facts: &Facts, status: &str) -> Option<String> {
    let found = facts.ended.as_ref();
    otherwise(found.is_some_and(|end| end.status == status), || {
        format!("the deployment ends {status}, but: {found:?}")
    })
}

/// By its name, or the end of it.
pub fn image_is_live(facts: &Facts, image: &str) -> Option<String> {
    let found = &facts.image;
    // An act that did not begin has an empty name, with which every other one ends.
    let holds = image.len() > 1 && found.ends_with(image);
    otherwise(holds, || format!("{image} is live, but it is: {found}"))
}

/// A tag of the new revision, by its beginning.
pub fn tagged(facts: &Facts, key: &str, value: &str) -> Option<String> {
    let found = facts.tags.get(key).map_or("not there", String::as_str);
    otherwise(found.starts_with(value), || format!("the revision's {key} is {value}, but it is: {found}"))
}

/// These words stand in a channel.
pub fn shown(facts: &Facts, channel: &str, words: &str) -> Option<String> {
    let posts = &facts.posts;
    otherwise(facts.shown(channel, words), || format!("{channel} shows that it {words}, but: {posts:?}"))
}

/// Nobody but CodeDeploy ends the deployment.
pub fn nobody_stops(facts: &Facts) -> Option<String> {
    let Facts { stops, reds, .. } = facts;
    otherwise(stops.is_empty() && reds.is_empty(), || {
        format!("no alarm turns red and nobody stops a deployment, but: {reds:?}, {stops:?}")
    })
}

/// A new tag on the same image changes nothing.
pub fn rejected(facts: &Facts) -> Option<String> {
    let Facts { digest, decisions, .. } = facts;
    let again = &decisions.get(1..).unwrap_or_default();
    let nothing = matches!(again, [one] if one.kind == "nothing" && one.digest == *digest
        && one.reason.contains("rejected before"));
    otherwise(nothing, || format!("{digest} is rejected when it is pushed again, but: {again:?}"))
}

/// All of live traffic had a good answer, and the proxy counted what its clients did.
pub fn all_answered(facts: &Facts) -> Option<String> {
    let clients = &facts.clients;
    otherwise(clients.failed() == 0, || {
        format!("no request fails, but {} did ({})", clients.failed(), clients.why)
    })
    .or_else(|| counts_agree(facts))
}

/// The proxy counted what its clients did, errors of each version too.
pub fn counts_agree(facts: &Facts) -> Option<String> {
    let Facts { old, new, proxy, errors, clients, .. } = facts;
    let of = |counts: &BTreeMap<String, u64>, version: &Version| {
        counts.get(version.commit).copied().unwrap_or_default()
    };
    let good = |version| of(&clients.served, version);
    let bad = |version| of(&clients.errors, version);
    let same = clients.total() == proxy.total()
        && (good(old) + bad(old), good(new) + bad(new)) == (proxy.old, proxy.new)
        && (bad(old), bad(new)) == (errors.old, errors.new);
    otherwise(same, || {
        let proxy = proxy.told(old, new);
        format!("the proxy's count is its clients', but: {proxy}; {errors:?}; they were answered {clients}")
    })
}

#[cfg(test)]
pub mod tests {
    use cloud::Ms;
    use serde_json::{Value, json};

    use super::*;
    use crate::facts::{Asked, Decision, Ended, Verdict};
    use crate::functions::{AFTER_TEST, BEFORE_TRAFFIC};
    use crate::shares::Shares;
    use crate::traffic::Counts;

    /// Something that goes otherwise.
    pub type Change = fn(&mut Facts);

    /// A call at that time.
    pub fn call(at: Ms, caller: &str, input: Value) -> Asked {
        Asked { at, caller: caller.into(), input, refused: None }
    }

    /// A deployment that was started, whose hooks reported so, and which ended as the last of them.
    pub fn released(old: &'static Version, new: &'static Version, statuses: [&str; 2]) -> Facts {
        let report = |status| call(50_000, "ASIAFNCodeDeployHook_sluice", json!({ "status": status }));
        let (events, digest) = ([AFTER_TEST, BEFORE_TRAFFIC], "sha256:new".to_owned());
        let hooks = || events.into_iter().zip(statuses);
        let verdict = |(event, status): (&str, &str)| Verdict {
            event: event.into(),
            status: status.into(),
            reason: "smoke: 1 of 1 held".into(),
        };
        Facts {
            before: "registry/api@sha256:old".into(),
            decisions: vec![Decision {
                kind: "start".into(),
                digest: digest.clone(),
                reason: "tag new".into(),
                started: Some("d-1".into()),
            }],
            digest,
            created: vec![call(2_000, "ASIAFNimage-push", json!({}))],
            reported: statuses.map(report).into(),
            verdicts: hooks().map(verdict).collect(),
            events: hooks().map(|(event, status)| (event.to_owned(), status.to_owned())).collect(),
            ended: Some(Ended { at: 60_000, status: statuses[1].into() }),
            ..Facts::new(old, new)
        }
    }

    /// The same image, pushed again and rejected.
    pub fn again(facts: &Facts) -> Decision {
        let reason = "this image was rejected before (d-1: Failed)".into();
        Decision { kind: "nothing".into(), digest: facts.digest.clone(), reason, started: None }
    }

    pub fn tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// So many requests, by the proxy's count and its clients'; none failed.
    pub fn counted(facts: Facts, old: u64, new: u64) -> Facts {
        let served = [(facts.old.commit.to_owned(), old), (facts.new.commit.to_owned(), new)].into();
        Facts {
            proxy: Shares { old, new, none: 0 },
            clients: Counts { served, ..Counts::default() },
            ..facts
        }
    }

    pub fn each_is_named_alone(good: &Facts, unmet: fn(&Facts) -> Vec<String>, changes: &[(Change, &str)]) {
        for (change, named) in changes {
            let mut facts = good.clone();
            change(&mut facts);
            let unmet = unmet(&facts);
            assert!(unmet.len() == 1 && unmet[0].contains(named), "{named}: {unmet:?}");
        }
    }
}
