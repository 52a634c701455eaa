//! Virtual time as a multiple of real time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Ms;

#[derive(Debug)]
pub struct Clock {
    start: Ms,
    began: Instant,
    speed: f64,
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
impl Clock {
    /// Begins at the machine's own time.
    pub fn new(speed: f64) -> Self {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as Ms;
        Self { start, began: Instant::now(), speed }
    }

    pub fn now(&self) -> Ms {
        self.start + (self.began.elapsed().as_secs_f64() * 1000.0 * self.speed) as Ms
    }

    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Real time until a virtual moment.
    pub fn until(&self, at: Ms) -> Duration {
        self.real(at.saturating_sub(self.now()))
    }

    /// A virtual span as a real one, rounded up so that waiting for it is enough.
    pub fn real(&self, span: Ms) -> Duration {
        Duration::from_secs_f64((span as f64 + 1.0) / 1000.0 / self.speed)
    }
}
