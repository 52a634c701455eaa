//! Whom each piece of news is for: the one table.

use super::News;
use crate::config::Notify;

/// Who reads a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// `notify.slack`: those who release.
    Deploy,
    /// `notify.alarms`, or `notify.slack` where that is not set: those who are on call.
    Ops,
}

/// How news stands in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The state of a deployment, or of an image that waits: its message is edited.
    State,
    /// The same, with details in its thread.
    DetailedState,
    /// The same, with the details in the channel as well: nobody is told of an edit.
    LoudState,
    /// In the thread of the deployment.
    Detail,
    /// In the thread, and in the channel as well.
    LoudDetail,
}

/// Where something is posted. One channel has one audience: where both read the same one, it is
/// that of the deployments, whose messages stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub audience: Audience,
    /// With its `#`.
    pub name: String,
}

impl Audience {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Ops => "ops",
        }
    }
}

impl News {
    pub fn audiences(&self) -> &'static [Audience] {
        use Audience::{Deploy, Ops};
        match self {
            Self::Started { .. }
            | Self::CheckFailed { .. }
            | Self::Succeeded { .. }
            | Self::Waiting { .. }
            | Self::Refused { .. } => &[Deploy],
            Self::Failed { .. }
            | Self::RolledBack { .. }
            | Self::RollbackFailed { .. }
            | Self::NoWayBack { .. }
            | Self::WrongImageLive { .. } => &[Deploy, Ops],
            Self::AlarmStopped { .. }
            | Self::AlarmRedBefore { .. }
            | Self::AlarmAfterWatch { .. }
            | Self::AlarmDuringRollback { .. }
            | Self::HookOverdue { .. } => &[Ops],
        }
    }

    pub fn form(&self) -> Form {
        match self {
            Self::Started { .. } | Self::Succeeded { .. } | Self::Waiting { .. } | Self::Refused { .. } => {
                Form::State
            }
            Self::Failed { .. } | Self::RolledBack { .. } | Self::AlarmStopped { .. } => Form::DetailedState,
            Self::RollbackFailed { .. } | Self::NoWayBack { .. } => Form::LoudState,
            Self::CheckFailed { .. } | Self::AlarmRedBefore { .. } => Form::Detail,
            Self::AlarmAfterWatch { .. }
            | Self::AlarmDuringRollback { .. }
            | Self::WrongImageLive { .. }
            | Self::HookOverdue { .. } => Form::LoudDetail,
        }
    }

    /// The channels of a service that hear of it, each once; none if none is configured.
    pub fn channels(&self, notify: &Notify) -> Vec<Channel> {
        let mut channels: Vec<Channel> = Vec::new();
        for audience in self.audiences() {
            let channel = match audience {
                Audience::Deploy => channel(Audience::Deploy, notify.slack.as_ref()),
                Audience::Ops if matches!(self, Self::AlarmAfterWatch { .. }) && !notify.unwatched => None,
                Audience::Ops if notify.alarms.is_none() || notify.alarms == notify.slack => {
                    channel(Audience::Deploy, notify.slack.as_ref())
                }
                Audience::Ops => channel(Audience::Ops, notify.alarms.as_ref()),
            };
            channels.extend(channel.filter(|channel| !channels.contains(channel)));
        }
        channels
    }
}

fn channel(audience: Audience, name: Option<&String>) -> Option<Channel> {
    name.map(|name| Channel { audience, name: name.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::every_news;

    fn told(notify: &Notify) -> Vec<(&'static str, Vec<String>)> {
        let names = |news: &News| news.channels(notify).into_iter().map(|c| c.name).collect();
        every_news().iter().map(|news| (news.kind(), names(news))).collect()
    }

    #[test]
    fn each_piece_of_news_reaches_whom_it_is_for() {
        let both = Notify { slack: Some("#deploys".into()), alarms: Some("#ops".into()), unwatched: true };
        let deploys = vec!["#deploys".to_owned()];
        let ops = vec!["#ops".to_owned()];
        let all = vec!["#deploys".to_owned(), "#ops".to_owned()];
        let expected = [
            ("started", &deploys),
            ("check-failed", &deploys),
            ("succeeded", &deploys),
            ("failed", &all),
            ("rolled-back", &all),
            ("rollback-failed", &all),
            ("no-way-back", &all),
            ("alarm-stopped", &ops),
            ("alarm-red-before", &ops),
            ("alarm-after-watch", &ops),
            ("alarm-during-rollback", &ops),
            ("waiting", &deploys),
            ("refused", &deploys),
            ("wrong-image-live", &all),
            ("hook-overdue", &ops),
        ];
        assert_eq!(told(&both), expected.map(|(kind, channels)| (kind, channels.clone())));
    }

    #[test]
    fn without_a_channel_for_alarms_the_deploy_channel_hears_of_them_once() {
        let one = Notify { slack: Some("#all".into()), alarms: None, unwatched: true };
        let same = Notify { alarms: Some("#all".into()), ..one.clone() };
        for notify in [&one, &same] {
            assert!(told(notify).iter().all(|(_, channels)| channels == &["#all"]));
        }
        for notify in [one, same] {
            let mut channels = every_news().into_iter().flat_map(|news| news.channels(&notify));
            assert!(
                channels.all(|channel| channel.audience == Audience::Deploy),
                "its messages are found again"
            );
        }
    }

    #[test]
    fn alarms_after_the_watch_are_told_to_whoever_asked_for_them() {
        let not = Notify { slack: Some("#deploys".into()), alarms: Some("#ops".into()), unwatched: false };
        let silent = told(&not).into_iter().filter(|(_, channels)| channels.is_empty());
        assert_eq!(silent.map(|(kind, _)| kind).collect::<Vec<_>>(), ["alarm-after-watch"]);
    }

    #[test]
    fn without_any_channel_nobody_is_told() {
        assert!(told(&Notify::default()).iter().all(|(_, channels)| channels.is_empty()));
        let ops = Notify { slack: None, alarms: Some("#ops".into()), unwatched: false };
        let started = told(&ops).into_iter().find(|(kind, _)| *kind == "started").unwrap();
        assert_eq!(started.1, Vec::<String>::new());
    }
}
