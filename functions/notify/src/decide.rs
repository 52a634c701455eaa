//! What a message does to the one that stands in a channel already.

use shared::message::Message;
use shared::message::order::State;
use shared::message::route::Form;

use crate::thread::Place;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Headline {
    /// There is none yet: post it, in this state.
    Post(State),
    /// Edit it, to this state.
    Edit(State),
    Leave(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Nothing,
    InThread,
    /// And in the channel as well.
    Loud,
}

pub fn headline(message: &Message, known: Option<&Place>) -> Headline {
    match (known, message.state()) {
        (None, state) => Headline::Post(state.unwrap_or_else(|| message.opening())),
        (Some(_), None) => Headline::Leave("it is a detail"),
        (Some(place), Some(state)) if place.state == state => Headline::Leave("it was told before"),
        (Some(place), Some(state)) if place.state > state => Headline::Leave("a later state was told before"),
        (Some(_), Some(state)) => Headline::Edit(state),
    }
}

/// `headline` is what was done before: what was just posted in the channel is seen there.
pub fn detail(form: Form, headline: &Headline) -> Detail {
    match (form, headline) {
        (Form::State, _) => Detail::Nothing,
        (Form::DetailedState | Form::Detail, _) | (Form::LoudState | Form::LoudDetail, Headline::Post(_)) => {
            Detail::InThread
        }
        (Form::LoudState | Form::LoudDetail, Headline::Edit(_) | Headline::Leave(_)) => Detail::Loud,
    }
}

#[cfg(test)]
mod tests {
    use shared::message::{News, Release};

    use super::*;

    fn message(news: News) -> Message {
        let release = Release { deployment: Some("d-1".into()), ..Release::default() };
        Message { service: "api".into(), at: "2026-01-01T10:00:00Z".parse().unwrap(), release, news }
    }

    #[test]
    fn only_a_later_state_changes_what_stands_there() {
        let started = message(News::Started { reason: "x".into() });
        let succeeded = message(News::Succeeded { lead_time: None });
        let place = |message: &Message| Place { at: None, state: message.state().unwrap() };
        let (s, l) = (started.state().unwrap(), succeeded.state().unwrap());
        assert_eq!(headline(&started, None), Headline::Post(s));
        assert_eq!(headline(&succeeded, Some(&place(&started))), Headline::Edit(l));
        assert_eq!(headline(&started, Some(&place(&started))), Headline::Leave("it was told before"));
        assert_eq!(
            headline(&started, Some(&place(&succeeded))),
            Headline::Leave("a later state was told before")
        );
        let check = message(News::CheckFailed { event: "x".into(), reason: "y".into() });
        assert_eq!(headline(&check, None), Headline::Post(check.opening()));
        assert_eq!(headline(&check, Some(&place(&started))), Headline::Leave("it is a detail"));
    }

    #[test]
    fn what_must_be_heard_is_not_hidden_in_a_thread() {
        let post = Headline::Post(message(News::Succeeded { lead_time: None }).state().unwrap());
        let leave = Headline::Leave("");
        assert_eq!(detail(Form::State, &post), Detail::Nothing);
        assert_eq!(detail(Form::Detail, &leave), Detail::InThread);
        assert_eq!(detail(Form::DetailedState, &leave), Detail::InThread);
        assert_eq!(detail(Form::LoudState, &leave), Detail::Loud);
        assert_eq!(detail(Form::LoudDetail, &leave), Detail::Loud);
        assert_eq!(detail(Form::LoudDetail, &post), Detail::InThread);
    }
}
