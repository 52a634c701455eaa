//! From what the checks found to what is reported. Pure: nothing in here looks at anything.

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended, and all of it held; what was seen.
    Passed(String),
    /// It ended, and something did not hold.
    Failed(String),
    /// It ended without an answer: what it needed could not be seen, or not in time.
    Inconclusive(String),
    /// It could not be carried out.
    Error(String),
    /// Its end is still to come, and will wake the function.
    Pending(String),
}

/// What is done with a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Succeeded(String),
    Failed(String),
    /// No verdict yet.
    Later(String),
}

impl Decision {
    /// With another reason.
    pub fn map(self, reason: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Succeeded(why) => Self::Succeeded(reason(why)),
            Self::Failed(why) => Self::Failed(reason(why)),
            Self::Later(why) => Self::Later(reason(why)),
        }
    }
}

impl Outcome {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Passed(_) => "passed",
            Self::Failed(_) => "failed",
            Self::Inconclusive(_) => "inconclusive",
            Self::Error(_) => "error",
            Self::Pending(_) => "pending",
        }
    }

    pub fn reason(&self) -> &str {
        match self {
            Self::Passed(why)
            | Self::Failed(why)
            | Self::Inconclusive(why)
            | Self::Error(why)
            | Self::Pending(why) => why,
        }
    }
}

/// The verdict on a hook with so many checks, of which these have come to an outcome, in
/// their order. Only checks that all passed let a deployment go on: one that failed, one
/// that saw nothing and one that could not be made each end it, and the words tell which.
pub fn decide(event: &str, checks: usize, outcomes: &[(&str, Outcome)]) -> Decision {
    if checks == 0 {
        return Decision::Failed(format!(
            "releases.yaml has no checks for {event}; take the hook out of the AppSpec, or give it checks"
        ));
    }
    for (check, outcome) in outcomes {
        let told = |how: &str, why: &str| format!("{check} {how}: {why}");
        match outcome {
            Outcome::Passed(_) => {}
            Outcome::Failed(why) => return Decision::Failed(told("failed", why)),
            Outcome::Inconclusive(why) => return Decision::Failed(told("was inconclusive", why)),
            Outcome::Error(why) => return Decision::Failed(told("could not be carried out", why)),
            Outcome::Pending(why) => return Decision::Later(told("is not finished", why)),
        }
    }
    if outcomes.len() < checks {
        return Decision::Failed(format!("only {} of {checks} checks were made", outcomes.len()));
    }
    let seen: Vec<_> =
        outcomes.iter().map(|(check, outcome)| format!("{check}: {}", outcome.reason())).collect();
    Decision::Succeeded(seen.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_checks_that_all_passed_succeed() {
        let passed = || ("smoke", Outcome::Passed("2 requests".into()));
        let one = |outcome: Outcome| vec![passed(), ("migrate", outcome)];
        type Case = (usize, Vec<(&'static str, Outcome)>, Result<&'static str, &'static str>);
        let cases: [Case; 8] = [
            (1, vec![passed()], Ok("smoke: 2 requests")),
            (2, vec![passed(), passed()], Ok("smoke: 2 requests; smoke: 2 requests")),
            (2, vec![passed()], Err("only 1 of 2")),
            (0, vec![], Err("no checks for BeforeInstall")),
            (2, one(Outcome::Failed("exit code 3".into())), Err("migrate failed: exit code 3")),
            (2, one(Outcome::Inconclusive("no log".into())), Err("migrate was inconclusive: no log")),
            (2, one(Outcome::Error("no rights".into())), Err("migrate could not be carried out: no rights")),
            (1, vec![], Err("only 0 of 1")),
        ];
        for (checks, outcomes, expected) in cases {
            match (decide("BeforeInstall", checks, &outcomes), expected) {
                (Decision::Succeeded(why), Ok(text)) => assert_eq!(why, text),
                (Decision::Failed(why), Err(text)) => assert!(why.contains(text), "{why}"),
                (decision, expected) => panic!("{decision:?} instead of {expected:?}"),
            }
        }
        let later = decide("BeforeInstall", 3, &one(Outcome::Pending("running".into())));
        assert_eq!(later, Decision::Later("migrate is not finished: running".into()));
    }
}
