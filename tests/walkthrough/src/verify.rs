//! What must have happened, held against what did.

use std::collections::BTreeMap;

use crate::scene::{CHECKED, FUNCTION, HOOK};
use crate::shares::Shares;
use crate::traffic::Counts;

/// A decision of image-push, from its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub kind: String,
    pub digest: String,
    pub started: Option<String>,
}

/// A call that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Access key id: a function's is made of its name.
    pub caller: String,
    /// The call's own `status`, if it has one.
    pub status: String,
    pub refused: Option<String>,
}

impl Asked {
    fn is_by(&self, function: &str) -> bool {
        self.refused.is_none() && self.caller.strip_prefix("ASIAFN") == Some(function)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Of the image that was pushed.
    pub digest: String,
    pub decisions: Vec<Decision>,
    /// Calls of CreateDeployment and PutLifecycleEventHookExecutionStatus.
    pub created: Vec<Asked>,
    pub verdicts: Vec<Asked>,
    /// Last status by lifecycle event.
    pub events: BTreeMap<String, String>,
    /// How the deployment ended.
    pub ended: Option<String>,
    /// What the proxy served while version 2 had 10%, in the last second, and in all.
    pub canary: Shares,
    pub last: Shares,
    pub proxy: Shares,
    pub clients: Counts,
    /// The image that is live.
    pub image: String,
}

impl Facts {
    /// Who asked for the last deployment.
    pub fn creator(&self) -> &str {
        let caller = self.created.last().map_or("nobody", |asked| &asked.caller);
        caller.strip_prefix("ASIAFN").unwrap_or(caller)
    }
}

/// Everything that should hold and does not; nothing if all is well.
pub fn unmet(facts: &Facts) -> Vec<String> {
    let mut unmet = released(facts);
    unmet.extend(served(facts));
    unmet
}

fn released(facts: &Facts) -> Vec<String> {
    let Facts { digest, decisions, created, verdicts, events, ended, image, .. } = facts;
    let mut unmet = Vec::new();
    let mut hold = |holds: bool, otherwise: String| {
        if !holds {
            unmet.push(otherwise);
        }
    };
    let started = matches!(&decisions[..], [one] if one.kind == "start" && one.digest == *digest);
    hold(started, format!("{FUNCTION} decides once to start {digest}, but: {decisions:?}"));
    let once = matches!(&created[..], [one] if one.is_by(FUNCTION));
    hold(once, format!("{FUNCTION} alone calls CreateDeployment, once, but: {created:?}"));
    for event in CHECKED {
        let status = events.get(event).map_or("never begun", String::as_str);
        hold(status == "Succeeded", format!("{event} succeeds, but it is: {status}"));
    }
    let right = verdicts.iter().all(|verdict| verdict.is_by(HOOK) && verdict.status == "Succeeded");
    hold(
        right && verdicts.len() == CHECKED.len(),
        format!("{HOOK} reports Succeeded for {CHECKED:?}, but: {verdicts:?}"),
    );
    hold(ended.as_deref() == Some("Succeeded"), format!("the deployment succeeds, but: {ended:?}"));
    let is_live = !digest.is_empty() && image.ends_with(&format!("@{digest}"));
    hold(is_live, format!("{digest} is live, but it is: {image}"));
    unmet
}

fn served(facts: &Facts) -> Vec<String> {
    let Facts { canary, last, proxy, clients, .. } = facts;
    let mut unmet = Vec::new();
    let mut hold = |holds: bool, otherwise: String| {
        if !holds {
            unmet.push(otherwise);
        }
    };
    let both = canary.old > 0 && canary.new > 0;
    let about_a_tenth = both && (5.0..=15.0).contains(&canary.percent());
    hold(about_a_tenth, format!("version 2 serves 5% to 15% while its weight is 10, but: {canary}"));
    let alone = last.new > 0 && last.old + last.none == 0;
    hold(alone, format!("version 2 serves all in the end, but: {last}"));
    hold(clients.failed == 0, format!("no request fails, but {} did ({})", clients.failed, clients.why));
    let counted = |version: &str| clients.served.get(version).copied().unwrap_or_default();
    let all = clients.served.values().sum::<u64>() == proxy.total();
    let same = all && (counted("1"), counted("2")) == (proxy.old, proxy.new);
    hold(same, format!("the proxy's count is its clients', but: {proxy}; they were answered {clients}"));
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        let by = |caller: &str, status: &str| Asked {
            caller: caller.into(),
            status: status.into(),
            refused: None,
        };
        let hook = by("ASIAFNCodeDeployHook_sluice", "Succeeded");
        let start = Decision { kind: "start".into(), digest: "sha256:2".into(), started: Some("d-1".into()) };
        Facts {
            digest: "sha256:2".into(),
            decisions: vec![start],
            created: vec![by("ASIAFNimage-push", "")],
            verdicts: vec![hook.clone(), hook],
            events: CHECKED.map(|event| (event.to_owned(), "Succeeded".to_owned())).into(),
            ended: Some("Succeeded".into()),
            canary: Shares { old: 360, new: 40, none: 0 },
            last: Shares { old: 0, new: 40, none: 0 },
            proxy: Shares { old: 500, new: 200, none: 0 },
            clients: Counts { served: [("1".into(), 500), ("2".into(), 200)].into(), ..Counts::default() },
            image: "registry/api@sha256:2".into(),
        }
    }

    #[test]
    fn nothing_is_missing_where_all_happened() {
        assert_eq!(unmet(&good()), Vec::<String>::new());
    }

    #[test]
    fn each_fact_that_differs_is_named_alone() {
        type Change = fn(&mut Facts);
        let changes: [(Change, &str); 15] = [
            (|f| f.decisions[0].kind = "wait".into(), "decides once to start"),
            (|f| f.decisions[0].digest = "sha256:1".into(), "decides once to start"),
            (|f| f.created.clear(), "alone calls CreateDeployment"),
            (|f| f.created[0].caller = "scenario".into(), "alone calls CreateDeployment"),
            (|f| f.created.push(f.created[0].clone()), "alone calls CreateDeployment"),
            (|f| drop(f.verdicts.pop()), "reports Succeeded"),
            (|f| f.verdicts[0].status = "Failed".into(), "reports Succeeded"),
            (|f| f.verdicts[0].refused = Some("InvalidInputException".into()), "reports Succeeded"),
            (|f| drop(f.events.remove(CHECKED[1])), "never begun"),
            (|f| f.ended = Some("Failed".into()), "the deployment succeeds"),
            (|f| f.canary.new = 100, "5% to 15%"),
            (|f| f.last.old = 1, "serves all in the end"),
            (|f| f.clients.failed = 1, "no request fails"),
            (|f| f.proxy.new += 1, "count is its clients'"),
            (|f| f.image = "registry/api@sha256:1".into(), "is live"),
        ];
        for (change, named) in changes {
            let mut facts = good();
            change(&mut facts);
            let unmet = unmet(&facts);
            assert!(unmet.len() == 1 && unmet[0].contains(named), "{named}: {unmet:?}");
        }
    }
}
