//! What a start costs, and what many starts together say.

use std::time::Duration;

/// One start of a function, and its warm invocations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start {
    /// From just before exec to the first question for an event.
    pub ready: Duration,
    /// From just before exec to the arrival of the first answer.
    pub cold: Duration,
    /// CPU time of all its threads until then.
    pub cpu: Duration,
    /// The most memory that it held until then, in KiB.
    pub memory: u64,
    /// From the event's departure to the answer's arrival, the median of all.
    pub warm: Duration,
}

/// The middle of some figures, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// `None` if there are no figures.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<_> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { median, least, most })
    }
}

/// The peak of resident memory that `/proc/PID/status` tells, in KiB.
pub fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The time on a CPU that a thread's `/proc/PID/task/TID/schedstat` tells.
pub fn time_on_cpu(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two_middle_ones() {
        let spread = |figures: &[f64]| Spread::of(figures.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 9.0]), Some(Spread { median: 3.0, least: 1.0, most: 9.0 }));
        assert_eq!(spread(&[4.0, 1.0, 9.0, 2.0]), Some(Spread { median: 3.0, least: 1.0, most: 9.0 }));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn memory_is_the_peak_and_not_what_is_held_now() {
        let status = "Name:\tbootstrap\nVmPeak:\t  99999 kB\nVmHWM:\t    6912 kB\nVmRSS:\t    6000 kB\n";
        assert_eq!(peak_memory(status), Some(6912));
        assert_eq!(peak_memory("Name:\tbootstrap\n"), None);
    }

    #[test]
    fn cpu_time_is_the_first_number_in_nanoseconds() {
        assert_eq!(time_on_cpu("3187339 12 1\n"), Some(Duration::from_nanos(3_187_339)));
        assert_eq!(time_on_cpu(""), None);
    }
}
