//! How the last deployment of a revision ended: the tag `sluice:ended`, as `<how> <RFC 3339>`.
//! It says what was told and counted already, so that a later delivery does neither again.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub how: How,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Succeeded,
    /// Failed or stopped; its rollback, if it needs one, is still to end.
    Failed,
    RolledBack,
    RollbackFailed,
}

impl How {
    const ALL: [Self; 4] = [Self::Succeeded, Self::Failed, Self::RolledBack, Self::RollbackFailed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::RollbackFailed => "rollback-failed",
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.how.as_str(), self.at)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' does not say how a deployment ended")]
pub struct NotAnEnd(String);

impl FromStr for Ended {
    type Err = NotAnEnd;

    fn from_str(text: &str) -> Result<Self, NotAnEnd> {
        let parsed = text.split_once(' ').and_then(|(how, at)| {
            let how = How::ALL.into_iter().find(|known| known.as_str() == how)?;
            Some(Self { how, at: at.parse().ok()? })
        });
        parsed.ok_or_else(|| NotAnEnd(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_reads_back_from_its_text() {
        let at = "2026-01-01T00:10:00.123Z".parse().unwrap();
        for how in How::ALL {
            let ended = Ended { how, at };
            assert_eq!(ended.to_string().parse(), Ok(ended));
        }
        for wrong in ["", "succeeded", "succeeded then", "sunk 2026-01-01T00:10:00Z"] {
            assert!(wrong.parse::<Ended>().is_err(), "{wrong}");
        }
    }
}
