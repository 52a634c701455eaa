//! The stories that are crashed: most happen to both engines, a service under CodeDeploy and
//! one that ECS itself rolls.

mod both;
mod codedeploy;
mod several;

use crate::config::Config;
use crate::step::{Image, Step, Story};

/// A story, and whether every pair of its crashes is tried.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub story: Story,
    pub is_core: bool,
}

pub fn all() -> Vec<Scenario> {
    let mut all = both::of("api");
    all.extend(both::of("web"));
    all.extend(codedeploy::all());
    all.extend(several::all());
    all
}

fn scenario(name: impl Into<String>, config: Config, steps: Vec<Step>) -> Scenario {
    Scenario { story: Story { name: name.into(), config, steps, seed: 1, is_told: false }, is_core: false }
}

impl Scenario {
    fn core(mut self) -> Self {
        self.is_core = true;
        self
    }
}

fn push(repository: &'static str, tag: u32) -> Step {
    pushed(repository, tag, Image::Good)
}

fn pushed(repository: &'static str, tag: u32, image: Image) -> Step {
    Step::Push { repository, tag, image }
}

fn red(service: &'static str) -> Step {
    Step::Alarm { service, state: "ALARM" }
}

fn green(service: &'static str) -> Step {
    Step::Alarm { service, state: "OK" }
}
