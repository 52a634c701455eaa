//! What happens in an account, as data: so it can be drawn, shrunk, printed and run again.

use std::collections::BTreeSet;
use std::fmt;

use crate::config::Config;

/// Something that happens to an account.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A new image is pushed as `v<tag>`.
    Push {
        repository: &'static str,
        tag: u32,
        image: Image,
    },
    /// Two images are pushed in the same moment, as `v<tag>` and the next.
    PushTwo {
        repository: &'static str,
        tag: u32,
    },
    /// The image that was pushed as `v<of>` gets another tag.
    Retag {
        repository: &'static str,
        of: u32,
        image: Image,
        tag: u32,
    },
    /// Pushes that concern nobody: without a tag, a signature, `latest`.
    Chaff(&'static str),
    /// A person deletes the image of a tag.
    Delete {
        repository: &'static str,
        tag: u32,
    },
    Alarm {
        service: &'static str,
        state: &'static str,
    },
    /// A person deletes the alarm, or makes it again.
    AlarmGone(&'static str),
    AlarmBack(&'static str),
    /// Time passes.
    Wait(u64),
    /// Time passes until the service's canary has traffic, or its new tasks run.
    Canary(&'static str),
    /// Time passes until all traffic is on the new tasks, and the old ones still run.
    Shifted(&'static str),
    /// Time passes until no deployment of the service is active.
    Ended(&'static str),
    /// A person stops what is active, with or without AWS's rollback.
    Stop {
        service: &'static str,
        rolls_back: bool,
    },
    /// A person deploys the revision that serves once more, with another setting of theirs.
    ByHand(&'static str),
    /// A person puts a hold on a service, or takes it off.
    Hold(&'static str),
    Unhold(&'static str),
    /// A person scales the service.
    Scale {
        service: &'static str,
        count: u32,
    },
    /// A person deregisters the revision that serves.
    Deregister(&'static str),
    /// Slack does not answer for so many seconds.
    SlackDown(u64),
    /// What becomes of the next event of a function.
    Next {
        function: &'static str,
        fate: Fate,
    },
    /// The last event of a function comes once more.
    Again(&'static str),
    /// The next handlers of these two functions are let through call by call, in turns.
    Together {
        first: &'static str,
        second: &'static str,
    },
    /// What befalls calls and events from now on.
    Weather(Weather),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    Good,
    /// Fails its smoke test.
    Sick,
    /// Never answers its smoke test.
    Hanging,
    /// Never becomes healthy.
    Unhealthy,
    /// Its tasks end by themselves.
    Crashing,
    /// Its migration fails, and nothing else.
    Unmigrated,
    /// A scan finds something CRITICAL in it.
    Vulnerable,
    /// It cannot be scanned.
    Unscanned,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    Lost,
    /// It comes so many seconds later.
    Late(u64),
    /// It comes, and so many seconds later again.
    Twice(u64),
}

/// What befalls calls and events, by chance: shares from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    pub throttled: u8,
    pub errors: u8,
    /// Calls that stall for 30 s, and are then executed, or are not.
    pub stalled: u8,
    pub answers_lost: u8,
    /// Reads that are 5 s old.
    pub stale: u8,
    /// Calls at which their handler ends.
    pub crashes: u8,
    pub events_lost: u8,
    pub events_twice: u8,
    pub events_late: u8,
    /// Seconds by which they are late, at the most.
    pub late: u32,
    /// Seconds by which the functions' clocks are wrong.
    pub skew: i32,
}

impl Weather {
    pub const FAIR: Self = Self {
        throttled: 0,
        errors: 0,
        stalled: 0,
        answers_lost: 0,
        stale: 0,
        crashes: 0,
        events_lost: 0,
        events_twice: 0,
        events_late: 0,
        late: 0,
        skew: 0,
    };
}

/// A story, and the account it happens in.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    pub name: String,
    pub config: Config,
    pub steps: Vec<Step>,
    /// Of what happens by chance.
    pub seed: u64,
    /// Whether its timeline is wanted.
    pub is_told: bool,
}

impl Story {
    /// Whether a bad image is pushed where a good one was pushed before.
    pub fn spoils_a_repository(&self) -> bool {
        let pushed = |step: &Step| match step {
            Step::Push { repository, image, .. } | Step::Retag { repository, image, .. } => {
                Some((*repository, *image == Image::Good))
            }
            _ => None,
        };
        let mut good = BTreeSet::new();
        self.steps.iter().filter_map(pushed).any(|(repository, is_good)| {
            good.extend(is_good.then_some(repository));
            !is_good && good.contains(repository)
        })
    }

    /// Whether the same comes of it, however late each thing is done: nothing in it is over
    /// before it is dealt with.
    pub fn is_settled(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Push { .. }
            | Step::Retag { .. }
            | Step::Chaff(_)
            | Step::Wait(_)
            | Step::Canary(_)
            | Step::Shifted(_)
            | Step::Ended(_)
            | Step::Hold(_)
            | Step::Unhold(_)
            | Step::SlackDown(_)
            | Step::Next { .. }
            | Step::Again(_) => true,
            Step::PushTwo { .. }
            | Step::Delete { .. }
            | Step::Alarm { .. }
            | Step::AlarmGone(_)
            | Step::AlarmBack(_)
            | Step::Stop { .. }
            | Step::ByHand(_)
            | Step::Scale { .. }
            | Step::Deregister(_)
            | Step::Together { .. }
            | Step::Weather(_) => false,
        })
    }
}

impl Image {
    /// The environment that makes it behave so.
    pub fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Good | Self::Vulnerable | Self::Unscanned => &[],
            Self::Sick => &[("APP_ERROR_RATE", "1")],
            Self::Hanging => &[("APP_HANG", "/orders")],
            Self::Unhealthy => &[("APP_HEALTH", "fail")],
            Self::Crashing => &[("APP_EXIT_AFTER_MS", "1000"), ("APP_EXIT_CODE", "1")],
            Self::Unmigrated => &[("APP_EXIT_CODE", "1")],
        }
    }

    /// What a scan finds in it, as the local cloud's label has it.
    pub fn findings(self) -> Option<&'static str> {
        match self {
            Self::Vulnerable => Some("CRITICAL=1"),
            Self::Unscanned => Some("FAILED"),
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push { repository, tag, image } => write!(f, "push {repository}:v{tag} ({image:?})"),
            Self::PushTwo { repository, tag } => {
                write!(f, "push {repository}:v{tag} and {repository}:v{} at once", tag + 1)
            }
            Self::Retag { repository, of, tag, .. } => {
                write!(f, "{repository}:v{of} is pushed as v{tag} as well")
            }
            Self::Chaff(repository) => write!(f, "pushes to {repository} that are no versions"),
            Self::Delete { repository, tag } => write!(f, "a person deletes {repository}:v{tag}"),
            Self::Alarm { service, state } => write!(f, "the alarm of {service}: {state}"),
            Self::AlarmGone(service) => write!(f, "the alarm of {service} is deleted"),
            Self::AlarmBack(service) => write!(f, "the alarm of {service} is made again"),
            Self::Wait(seconds) => write!(f, "{seconds} s pass"),
            Self::Canary(service) => write!(f, "until {service} has a canary"),
            Self::Shifted(service) => write!(f, "until the new tasks of {service} have all traffic"),
            Self::Ended(service) => write!(f, "until nothing of {service} is active"),
            Self::Stop { service, rolls_back: true } => write!(f, "a person stops {service}, with rollback"),
            Self::Stop { service, rolls_back: false } => {
                write!(f, "a person stops {service}, without rollback")
            }
            Self::ByHand(service) => write!(f, "a person deploys {service} by hand"),
            Self::Hold(service) => write!(f, "a person holds {service}"),
            Self::Unhold(service) => write!(f, "a person takes the hold off {service}"),
            Self::Scale { service, count } => write!(f, "a person scales {service} to {count}"),
            Self::Deregister(service) => write!(f, "a person deregisters what serves in {service}"),
            Self::SlackDown(seconds) => write!(f, "Slack is down for {seconds} s"),
            Self::Next { function, fate } => write!(f, "the next event of {function}: {fate:?}"),
            Self::Again(function) => write!(f, "the last event of {function} comes again"),
            Self::Together { first, second } => write!(f, "{first} and {second} take turns"),
            Self::Weather(weather) => write!(f, "{weather}"),
        }
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::FAIR {
            return f.write_str("fair weather");
        }
        f.write_str("foul weather:")?;
        let shares = [
            ("calls throttled", self.throttled),
            ("answered 500", self.errors),
            ("stalled 30 s", self.stalled),
            ("answers lost", self.answers_lost),
            ("stale reads", self.stale),
            ("crashes", self.crashes),
            ("events lost", self.events_lost),
            ("events twice", self.events_twice),
            ("events late", self.events_late),
        ];
        for (what, share) in shares.iter().filter(|(_, share)| *share > 0) {
            write!(f, " {share}% {what}")?;
        }
        if self.events_late > 0 || self.events_twice > 0 {
            write!(f, " (up to {} s)", self.late)?;
        }
        if self.skew != 0 {
            write!(f, " clocks {} s wrong", self.skew)?;
        }
        Ok(())
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (seed {})", self.name, self.seed)?;
        writeln!(f, "  {}", self.config)?;
        self.steps.iter().enumerate().try_for_each(|(n, step)| writeln!(f, "  {:>2} {step}", n + 1))
    }
}
