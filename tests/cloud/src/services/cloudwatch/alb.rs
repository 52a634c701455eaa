//! What load balancers measure, and the minute's clock.

use super::metrics::{Bucket, Metric, record};
use super::{Timer, evaluate};
use crate::cloud::Cloud;
use crate::services::elbv2;
use crate::time::{MINUTE, Ms, SECOND};

const NAMESPACE: &str = "AWS/ApplicationELB";

/// How long after a full minute alarms are evaluated.
const EVALUATION_DELAY: Ms = 10 * SECOND;

/// How long the clock goes on after the last thing that happened, beside what alarms look back.
const IDLE: Ms = 5 * MINUTE;

/// `app/<name>/<id>`
fn balancer_dimension(arn: &str) -> &str {
    arn.split_once("loadbalancer/").map_or(arn, |(_, name)| name)
}

/// `targetgroup/<name>/<id>`
fn group_dimension(arn: &str) -> &str {
    arn.rsplit_once(':').map_or(arn, |(_, name)| name)
}

/// Counts requests that a load balancer served, with ALB's rules. Both ids are ARNs.
pub(crate) fn served(
    cloud: &mut Cloud,
    load_balancer: &str,
    target_group: Option<&str>,
    status: u16,
    latency_ms: f64,
    count: u64,
) {
    awake(cloud);
    #[allow(clippy::cast_precision_loss)]
    let count = count as f64;
    let balancer = ("LoadBalancer", balancer_dimension(load_balancer));
    let ones = Bucket::of_value(1.0, count);
    let Some(group) = target_group else {
        if (500..600).contains(&status) {
            measure(cloud, "HTTPCode_ELB_5XX_Count", &[balancer], "Count", &ones);
        }
        return;
    };
    let code = format!("HTTPCode_Target_{}XX_Count", status / 100);
    let times = Bucket::of_value(latency_ms.max(0.0) / 1000.0, count);
    for dimensions in [&[balancer, ("TargetGroup", group_dimension(group))][..], &[balancer]] {
        measure(cloud, "RequestCount", dimensions, "Count", &ones);
        measure(cloud, &code, dimensions, "Count", &ones);
        measure(cloud, "TargetResponseTime", dimensions, "Seconds", &times);
    }
}

fn measure(cloud: &mut Cloud, name: &str, dimensions: &[(&str, &str)], unit: &str, samples: &Bucket) {
    let metric = Metric::new(NAMESPACE, name, dimensions);
    record(&mut cloud.state.cloudwatch, &metric, cloud.now, MINUTE, unit, samples);
}

/// Something happened: the clock runs from now on.
pub(super) fn awake(cloud: &mut Cloud) {
    let now = cloud.now;
    let state = &mut cloud.state.cloudwatch;
    state.active = now;
    if !state.ticking {
        state.ticking = true;
        cloud.after(MINUTE - now % MINUTE, Timer::Minute);
    }
}

/// A minute is full: hosts are counted for it, and alarms are evaluated a little later.
pub(super) fn minute(cloud: &mut Cloud) {
    let hosts = elbv2::host_counts(cloud);
    for (balancer, group, healthy, unhealthy) in &hosts {
        for (name, count) in [("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)] {
            let dimensions =
                [("LoadBalancer", balancer_dimension(balancer)), ("TargetGroup", group_dimension(group))];
            let metric = Metric::new(NAMESPACE, name, &dimensions);
            let at = cloud.now.saturating_sub(MINUTE);
            let samples = Bucket::of_value(f64::from(*count), 1.0);
            record(&mut cloud.state.cloudwatch, &metric, at, MINUTE, "Count", &samples);
        }
    }
    let alarms = !cloud.state.cloudwatch.alarms.is_empty();
    if alarms {
        cloud.after(EVALUATION_DELAY, Timer::Evaluate);
    }
    let look_back = cloud.state.cloudwatch.alarms.values().map(evaluate::look_back).max().unwrap_or(0);
    let recent = cloud.now - cloud.state.cloudwatch.active < IDLE + look_back;
    cloud.state.cloudwatch.ticking = !hosts.is_empty() || (alarms && recent);
    if cloud.state.cloudwatch.ticking {
        cloud.after(MINUTE - cloud.now % MINUTE, Timer::Minute);
    }
}
