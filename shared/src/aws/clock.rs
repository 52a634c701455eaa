//! The time by AWS's clock, from the `Date` of its answers: a machine's own may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use jiff::Timestamp;

/// Remembers the newest `Date` that any client saw. Precise to a second.
#[derive(Debug, Clone)]
pub struct Clock {
    heard: Arc<AtomicI64>,
    machine: SharedTimeSource,
}

impl Clock {
    pub fn new(machine: SharedTimeSource) -> Self {
        Self { heard: Arc::default(), machine }
    }

    /// The newest time heard; the machine's before the first answer.
    pub fn now(&self) -> Timestamp {
        let heard = match self.heard.load(Ordering::Relaxed) {
            0 => None,
            seconds => Timestamp::from_second(seconds).ok(),
        };
        heard.unwrap_or_else(|| self.machine())
    }

    /// The machine's own time.
    pub fn machine(&self) -> Timestamp {
        Timestamp::try_from(self.machine.now()).unwrap_or_else(|_| Timestamp::now())
    }
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) = date.and_then(|text| DateTime::from_str(text, Format::HttpDate).ok()) {
            self.heard.fetch_max(date.secs(), Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use aws_smithy_async::time::TimeSource;

    use super::*;

    #[derive(Debug)]
    struct Wrong;

    impl TimeSource for Wrong {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(600)
        }
    }

    #[test]
    fn before_an_answer_it_is_the_configured_clock_that_counts() {
        let clock = Clock::new(SharedTimeSource::new(Wrong));
        assert_eq!((clock.now().as_second(), clock.machine().as_second()), (600, 600));
        clock.heard.fetch_max(1_000, Ordering::Relaxed);
        assert_eq!((clock.now().as_second(), clock.machine().as_second()), (1_000, 600));
    }
}
