//! deployment-state in front of the local cloud: real deployments, their events through rules.

mod codedeploy;
mod faults;
mod outage;
mod rolling;
mod scene;
