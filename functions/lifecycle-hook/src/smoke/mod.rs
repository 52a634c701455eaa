//! Smoke tests: requests to the new tasks before, and while, they take traffic.

mod expect;
mod request;
mod version;

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use shared::aws::Web;
use shared::config::{Smoke, SmokeRequest};
use tokio::time::Instant;

pub use expect::{Wrong, expect};
pub use request::redirected;
pub use version::Deployed;

use crate::secrets::Values;
use request::Asked;

/// Pauses between attempts while the service is not ready: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// What is being deployed; known a little after the first request has left.
pub type Deploying<'a> = Shared<BoxFuture<'a, Result<Deployed, String>>>;

/// How long a service that is not ready is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    Until(Instant),
    /// Not at all: somebody will call again.
    Once,
}

/// A smoke test of one service at the given places.
pub struct Smoker<'a> {
    pub web: &'a Web,
    pub smoke: &'a Smoke,
    /// `scheme://authority` of the test listener, or of each task.
    pub bases: &'a [String],
    pub secrets: &'a Values,
    pub deploying: Deploying<'a>,
    pub patience: Patience,
    /// When the last answer must be there, with time left to say that it is not.
    pub end: Instant,
}

impl Smoker<'_> {
    /// Sends all requests to all places, side by side within the limit; gives what was seen,
    /// or the first thing that was wrong.
    pub async fn run(&self) -> Result<String, Wrong> {
        let everywhere =
            self.bases.iter().flat_map(|base| self.smoke.requests.iter().map(move |r| (base, r)));
        let all: Vec<_> = everywhere.map(|(base, request)| self.one(base, request).boxed()).collect();
        let count = all.len();
        let sent = stream::iter(all).buffer_unordered(self.smoke.concurrency);
        let sent: Vec<u32> = sent.try_collect().await?;
        let (sent, places) = (sent.iter().sum::<u32>(), self.bases.len());
        let at = if places == 1 { String::new() } else { format!(" at {places} tasks") };
        Ok(format!("{count} of {count} held{at} ({sent} requests)"))
    }

    /// One request as often as it is to be sent; gives how often that was.
    async fn one(&self, base: &str, request: &SmokeRequest) -> Result<u32, Wrong> {
        let wrong = |wrong: Wrong| {
            let told = |why: &str| {
                self.secrets.redacted(&format!("{} {base}{}: {why}", request.method, request.path))
            };
            match wrong {
                Wrong::NotReady(why) => Wrong::NotReady(told(&why)),
                Wrong::Failed(why) => Wrong::Failed(told(&why)),
            }
        };
        let asked = Asked::new(self, base, request).map_err(|why| wrong(Wrong::Failed(why)))?;
        let (first, tried) = self.until_ready(&asked).await.map_err(wrong)?;
        let repeated = self.repeat(&asked, first).await.map_err(|why| wrong(Wrong::Failed(why)))?;
        Ok(tried + repeated)
    }

    /// The time that the first right answer took, and how many requests it needed.
    async fn until_ready(&self, asked: &Asked<'_>) -> Result<(Duration, u32), Wrong> {
        let (mut pause, mut tried) = (FIRST_PAUSE, 0);
        loop {
            tried += 1;
            let why = match asked.send(self).await {
                Ok(took) => return Ok((took, tried)),
                Err(Wrong::Failed(why)) => return Err(Wrong::Failed(why)),
                Err(Wrong::NotReady(why)) => why,
            };
            match self.patience {
                Patience::Once => return Err(Wrong::NotReady(why)),
                Patience::Until(ready) if Instant::now() + pause >= ready.min(self.end) => {
                    let limit = if self.end < ready {
                        "in the function's time".to_owned()
                    } else {
                        format!("within {:?}", self.smoke.within)
                    };
                    return Err(Wrong::NotReady(format!("not ready {limit} ({tried} requests), {why}")));
                }
                Patience::Until(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// The rest of a request that is repeated; how many more were sent.
    async fn repeat(&self, asked: &Asked<'_>, first: Duration) -> Result<u32, String> {
        let Some(repeat) = &asked.request.repeat else { return Ok(0) };
        let (mut took, mut failures) = (vec![first], Vec::new());
        for _ in 1..repeat.times {
            match asked.send(self).await {
                Ok(time) => took.push(time),
                Err(wrong) => failures.push(wrong.reason().to_owned()),
            }
            if failures.len() > repeat.failures as usize {
                let last = failures.last().map_or("", String::as_str);
                return Err(format!(
                    "{} of {} requests failed and {} may: {last}",
                    failures.len(),
                    took.len() + failures.len(),
                    repeat.failures
                ));
            }
        }
        let seen = p95(&mut took);
        match repeat.p95 {
            Some(limit) if seen > limit => {
                Err(format!("the 95th percentile of {} answers is {seen:?}, above {limit:?}", took.len()))
            }
            _ => Ok(repeat.times - 1),
        }
    }
}

/// By nearest rank.
fn p95(times: &mut [Duration]) -> Duration {
    times.sort();
    let rank = (times.len() * 95).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let mut times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(p95(&mut times), Duration::from_millis(95));
        assert_eq!(p95(&mut [Duration::from_millis(7)]), Duration::from_millis(7));
        let mut few: Vec<_> = (1..=10).map(Duration::from_millis).collect();
        assert_eq!(p95(&mut few), Duration::from_millis(10));
    }
}
