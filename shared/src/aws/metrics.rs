//! CloudWatch: what deployments are measured by, in the namespace `Sluice`, by service.

use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use jiff::{SignedDuration, Timestamp};

use super::{Aws, date_time, failed};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    pub name: &'static str,
    pub value: f64,
    pub unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Seconds,
}

const NAMESPACE: &str = "Sluice";

/// CloudWatch takes nothing older than two weeks.
const OLDEST: SignedDuration = SignedDuration::from_hours(13 * 24);

impl Measure {
    pub fn one(name: &'static str) -> Self {
        Self { name, value: 1.0, unit: Unit::Count }
    }

    /// None if the end lies before the beginning: clocks differ.
    pub fn span(name: &'static str, from: Timestamp, to: Timestamp) -> Option<Self> {
        let value = to.duration_since(from).as_secs_f64();
        (value >= 0.0).then_some(Self { name, value, unit: Unit::Seconds })
    }
}

impl Aws {
    /// Puts what was measured at that time; of a time that CloudWatch does not take any more, as
    /// of the earliest that it does.
    pub async fn measure(&self, service: &str, at: Timestamp, measures: &[Measure]) -> anyhow::Result<()> {
        let at = at.max(self.now().checked_sub(OLDEST).unwrap_or(at));
        let by_service = Dimension::builder().name("Service").value(service).build();
        let data = measures.iter().map(|measure| {
            let unit = match measure.unit {
                Unit::Count => StandardUnit::Count,
                Unit::Seconds => StandardUnit::Seconds,
            };
            let datum = MetricDatum::builder().metric_name(measure.name).dimensions(by_service.clone());
            datum.timestamp(date_time(at)).value(measure.value).unit(unit).build()
        });
        let call =
            self.cloudwatch.put_metric_data().namespace(NAMESPACE).set_metric_data(Some(data.collect()));
        call.send().await.map(drop).map_err(failed(format!("putting metrics of {service}")))
    }
}
