//! The words of steps, for the log and the function's answer.

use std::fmt;

use crate::decide::{Nothing, Step, Unsettled};

impl Step {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Guard { .. } => "alarm",
            Self::Settle { .. } => "settle",
            Self::WakeHook { .. } => "wake-hook",
            Self::StopOverdue { .. } => "stop",
            Self::StopTask { .. } => "stop-task",
            Self::Baseline => "baseline",
            Self::Newest { .. } => "start",
            Self::Nothing(_) => "nothing",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guard { alarm, since } => {
                write!(f, "the alarm {alarm} is red since {since}, and what it guards goes on")
            }
            Self::Settle { deployment, why } => {
                let what = deployment.as_deref().unwrap_or("the newest deployment");
                match why {
                    Unsettled::EndUnheard => write!(f, "{what} has ended, and nobody looked"),
                    Unsettled::VerdictDue => write!(f, "the watch over {what} has passed"),
                }
            }
            Self::WakeHook { deployment, event, .. } => {
                write!(f, "what the hook of {event} in {deployment} waits for is over, and it was not told")
            }
            Self::StopOverdue { deployment, event, since } => write!(
                f,
                "the hook of {event} in {deployment} is overdue since {since}, and nobody is at work on it"
            ),
            Self::StopTask { task } => {
                write!(f, "{task} runs for longer than it may, and its deployment has ended")
            }
            Self::Baseline => f.write_str("images count as the next ones from now on"),
            Self::Newest { repository, tags, pushed_at } => {
                write!(f, "{repository}:{} was pushed at {pushed_at}, and waits", tags.join(", "))
            }
            Self::Nothing(nothing) => nothing.fmt(f),
        }
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_newest = |id: &Option<String>| id.clone().unwrap_or_else(|| "a deployment".to_owned());
        match self {
            Self::AtRest => f.write_str("nothing waits"),
            Self::NotActive => f.write_str("the ECS service is not active"),
            Self::Deploying { id } => write!(f, "{} is active", or_newest(id)),
            Self::Ending { id } => {
                write!(f, "{} has just ended: its event has the first turn", or_newest(id))
            }
            Self::Held { text } => write!(f, "an image waits for a hold: {text}"),
            Self::Frozen { until, window } => {
                write!(f, "an image waits for a freeze, {window}, until {until}")
            }
            Self::RejectedBefore { tags } => {
                write!(f, "the newest image ({}) was rejected before", tags.join(", "))
            }
            Self::NotGreen { alarms } => {
                write!(f, "an image waits for alarms that are red or missing: {}", alarms.join(", "))
            }
            Self::LeftToPeople { ended } => {
                write!(f, "an image waits, and the last release ended badly ({ended}): people decide")
            }
        }
    }
}
