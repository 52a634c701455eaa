//! What must have happened in an act, held against what did: what several acts ask. Each
//! gives what is wrong, and nothing where all is well.

use crate::facts::Facts;
use crate::functions::{FUNCTION, HOOK};

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
            .all(|(call, (_, status))| call.is_by(HOOK) && call.status == *status);
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

/// All of live traffic was answered, and the proxy counted what its clients did.
pub fn counts_agree(facts: &Facts) -> Option<String> {
    let Facts { old, new, proxy, clients, .. } = facts;
    let counted = |version: &str| clients.served.get(version).copied().unwrap_or_default();
    let all = clients.served.values().sum::<u64>() == proxy.total();
    let same = all && (counted(old.commit), counted(new.commit)) == (proxy.old, proxy.new);
    otherwise(clients.failed == 0, || {
        format!("no request fails, but {} did ({})", clients.failed, clients.why)
    })
    .or_else(|| {
        otherwise(same, || {
            let proxy = proxy.told(old, new);
            format!("the proxy's count is its clients', but: {proxy}; they were answered {clients}")
        })
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::facts::{Asked, Decision, Ended, Verdict};
    use crate::functions::{AFTER_TEST, BEFORE_TRAFFIC};
    use crate::shares::Shares;
    use crate::traffic::Counts;
    use crate::versions::Version;

    /// Something that goes otherwise.
    pub type Change = fn(&mut Facts);

    /// A deployment that was started, whose hooks reported so, and which ended as the last of them.
    pub fn released(old: &'static Version, new: &'static Version, statuses: [&str; 2]) -> Facts {
        let by = |caller: &str, status: &str| Asked {
            caller: caller.into(),
            status: status.into(),
            refused: None,
        };
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
            created: vec![by("ASIAFNimage-push", "")],
            reported: statuses.map(|status| by("ASIAFNCodeDeployHook_sluice", status)).into(),
            verdicts: hooks().map(verdict).collect(),
            events: hooks().map(|(event, status)| (event.to_owned(), status.to_owned())).collect(),
            ended: Some(Ended { at: 60_000, status: statuses[1].into() }),
            ..Facts::new(old, new)
        }
    }

    /// So many requests, by the proxy's count and its clients'.
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
