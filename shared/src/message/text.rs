//! The words of each message: a title, one plain sentence, and what else is known, line by line.
//!
//! Plain text: whoever shows it as something else escapes it ([`super::slack`]).

use jiff::{SignedDuration, Timestamp, Unit};

use super::{Message, News, Release, short};
use crate::revision::short_arn;

/// SNS's limit on a subject is below 100 characters.
const LONGEST_SUBJECT: usize = 99;

/// What of a reason stands in a sentence; the whole is in the details.
const LONGEST_CLAUSE: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub title: String,
    pub sentence: String,
    /// What it is about and what else is known, by name.
    pub details: Vec<(&'static str, String)>,
}

impl Message {
    pub fn text(&self) -> Text {
        Text { title: self.title(), sentence: self.sentence(), details: self.details() }
    }

    fn title(&self) -> String {
        let Self { service, .. } = self;
        let what = self.what();
        match &self.news {
            News::Started { .. } => format!("{service}: {what} is being deployed"),
            News::CheckFailed { event, .. } => format!("{service}: a check of {what} failed at {event}"),
            News::Succeeded { .. } => format!("{service}: {what} is live"),
            News::Failed { .. } => format!("{service}: the deployment of {what} failed"),
            News::RolledBack { .. } => format!("{service}: {what} was rolled back"),
            News::RollbackFailed { .. } => format!("{service}: the rollback of {what} FAILED"),
            News::NoWayBack { .. } => format!("{service}: there is NO WAY BACK from {what}"),
            News::AlarmStopped { .. } => format!("{service}: an alarm stopped {what}"),
            News::AlarmRedBefore { .. } => format!("{service}: an alarm was red before {what}"),
            News::AlarmAfterWatch { .. } => {
                format!("{service}: an alarm went red after the watch over {what}")
            }
            News::AlarmDuringRollback { .. } => {
                format!("{service}: an alarm is red during the rollback of {what}")
            }
            News::Waiting { .. } => format!("{service}: {what} waits"),
            News::Refused { .. } => format!("{service}: {what} was refused"),
            News::WrongImageLive { .. } => format!("{service}: the wrong image is live"),
            News::HookOverdue { event } => format!("{service}: the hook of {event} is overdue"),
        }
    }

    fn sentence(&self) -> String {
        let Self { service, .. } = self;
        let what = self.what();
        let because = self.news.reason().map(clause).unwrap_or_default();
        match &self.news {
            News::Started { .. } => format!("{what} is being deployed to {service}{because}."),
            News::CheckFailed { event, .. } => {
                format!("{what} did not pass the checks of {service} at {event}{because}.")
            }
            News::Succeeded { lead_time: Some(time) } => {
                format!("{what} serves all traffic of {service}, {} after its push.", span(*time))
            }
            News::Succeeded { lead_time: None } => format!("{what} serves all traffic of {service}."),
            News::Failed { .. } => format!("{what} did not become the live version of {service}{because}."),
            News::RolledBack { to: Some(to), .. } => {
                format!(
                    "{what} was taken back from {service}, which serves {} again{because}.",
                    short_arn(to)
                )
            }
            News::RolledBack { to: None, .. } => format!("{what} was taken back from {service}{because}."),
            News::RollbackFailed { .. } => {
                format!("{what} could not be taken back from {service}: look at it now{because}.")
            }
            News::NoWayBack { .. } => format!(
                "{what} should be taken back from {service}, but there is nothing to go back to: deploy a \
                 good image by hand{because}."
            ),
            News::AlarmStopped { alarm, .. } => {
                format!("The alarm {alarm} stopped {what} on {service}; the rollback is under way{because}.")
            }
            News::AlarmRedBefore { alarm } => format!(
                "The alarm {alarm} of {service} was red before the deployment of {what}, which is not blamed \
                 for it: find out why."
            ),
            News::AlarmAfterWatch { alarm } => format!(
                "The alarm {alarm} of {service} went red after the watch over {what} had ended: nothing is \
                 rolled back."
            ),
            News::AlarmDuringRollback { alarm } => format!(
                "The alarm {alarm} of {service} is red while {what} is rolled back: a rollback does not \
                 start another."
            ),
            News::Waiting { .. } => format!("{what} waits for its deployment to {service}{because}."),
            News::Refused { .. } => format!("{what} is not deployed to {service}{because}."),
            News::WrongImageLive { expected, found } => {
                format!("{service} serves {found}, where the last deployment brought {expected}.")
            }
            News::HookOverdue { event } => format!(
                "The hook of {event} in the deployment of {what} to {service} has not reported in its time: \
                 look at its log."
            ),
        }
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let Release { deployment, revision, repository, digest, tag } = &self.release;
        let image =
            repository.as_ref().map(|r| tag.as_ref().map_or_else(|| r.clone(), |t| format!("{r}:{t}")));
        let known = [
            ("Reason", self.news.reason().map(str::to_owned)),
            ("Image", image),
            ("Digest", digest.as_ref().map(ToString::to_string)),
            ("Deployment", deployment.as_deref().map(|id| short(id).to_owned())),
            ("Revision", revision.as_deref().map(|arn| short_arn(arn).to_owned())),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        known.chain(self.news.times()).chain([("Time", moment(self.at))]).collect()
    }

    /// The release in a word or two.
    fn what(&self) -> String {
        let Release { repository, digest, tag, revision, .. } = &self.release;
        match (repository, tag, digest, revision) {
            (Some(repository), Some(tag), ..) => format!("{repository}:{tag}"),
            (_, Some(tag), ..) => tag.clone(),
            (_, None, Some(digest), _) => digest.short().to_owned(),
            (_, None, None, Some(revision)) => short_arn(revision).to_owned(),
            (_, None, None, None) => "a release".to_owned(),
        }
    }
}

impl News {
    /// The steps of a rollback, and how long they took from the alarm on.
    fn times(&self) -> Vec<(&'static str, String)> {
        let Self::RolledBack { times, .. } = self else { return Vec::new() };
        let since = |time: Timestamp| match times.alarm {
            Some(alarm) if alarm < time => {
                format!("{} ({} later)", moment(time), span(time.duration_since(alarm)))
            }
            _ => moment(time),
        };
        let steps = [
            ("Alarm", times.alarm.map(moment)),
            ("Stopped", times.stopped.map(since)),
            ("Traffic back", times.traffic_back.map(since)),
        ];
        steps.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl Text {
    /// For SNS: printable ASCII in one line, short enough, and never empty.
    pub fn subject(&self) -> String {
        let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
        let subject: String = one_line(&self.title).chars().map(plain).collect();
        let subject = if subject.chars().count() <= LONGEST_SUBJECT {
            subject
        } else {
            let kept: String = subject.chars().take(LONGEST_SUBJECT - 3).collect();
            format!("{}...", kept.trim_end())
        };
        if subject.is_empty() { "Sluice".to_owned() } else { subject }
    }

    /// For people who read it as it is, as in an e-mail.
    pub fn plain(&self) -> String {
        let details = self.details.iter().map(|(name, value)| format!("{name}: {value}\n"));
        format!("{}\n\n{}", self.sentence, details.collect::<String>())
    }
}

/// A reason as the end of a sentence: its first line, not too long, without a full stop.
fn clause(reason: &str) -> String {
    let first = reason.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let first = cut(first.trim(), LONGEST_CLAUSE);
    let first = first.trim_end_matches(['.', ' ']);
    if first.is_empty() { String::new() } else { format!(" ({first})") }
}

/// At most so many characters, with a sign that something is missing.
pub fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// To the second, in UTC.
fn moment(time: Timestamp) -> String {
    time.round(Unit::Second).unwrap_or(time).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `1 h 5 min`, `3 min 20 s`, `4 s`.
fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests;
