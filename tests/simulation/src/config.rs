//! What differs between the accounts of scenarios: their `releases.yaml`, and what of AWS goes
//! with it.

use std::fmt::{self, Write as _};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Minutes after a success in which an alarm still takes a release back.
    pub watch: u32,
    pub gate: Gate,
    pub checks: Checks,
    /// The deployment group names the alarm as well, so that CodeDeploy stops by itself.
    pub group_alarms: bool,
    /// Both services take the images of `api`.
    pub one_repository: bool,
    /// Minutes from one sweep to the next.
    pub sweep: u32,
    /// AWS's lists come a row a page.
    pub short_pages: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    None,
    /// Findings that are CRITICAL keep an image back.
    Scan,
    /// Nothing starts from 00:30 to 02:30 of the first day.
    Freeze,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// A smoke test before traffic.
    Smoke,
    /// A migration, two smoke tests.
    All,
    None,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            watch: 10,
            gate: Gate::None,
            checks: Checks::Smoke,
            group_alarms: false,
            one_repository: false,
            sweep: 5,
            short_pages: false,
        }
    }
}

/// A request with a secret, to the test listener.
const SMOKE: &str = "
        - smoke:
            base-url: http://localhost:8081
            within: 20s
            requests: [{ get: /orders, headers: { authorization: 'Bearer secret:token' } }]";

const MIGRATE: &str = "
        - migrate: { container: app, command: [print, migrated], timeout: 5m }";

impl Config {
    /// The `releases.yaml`: `api` under CodeDeploy, and `web`, which ECS itself rolls. There is
    /// a third service in the account that it does not name.
    pub fn releases(&self) -> String {
        let mut text = "services:\n".to_owned();
        for (name, deploy, checks) in [
            ("api", "codedeploy: { application: api-deploy, group: api-group }", self.checks()),
            ("web", "ecs: {}", String::new()),
        ] {
            let repository = if self.one_repository { "api" } else { name };
            let _ = write!(
                text,
                "  {name}:
    cluster: {name}-cluster
    service: {name}
    images: [{{ repository: {repository}, container: app, tags: 'v[0-9]+' }}]
    deploy: {{ {deploy} }}
{checks}    alarms: [{name}-5xx]
    watch: {}m
{}    notify: {{ slack: '#deploys', alarms: '#ops' }}
",
                self.watch,
                self.gate.text(),
            );
        }
        text
    }

    fn checks(&self) -> String {
        match self.checks {
            Checks::None => String::new(),
            Checks::Smoke => format!("    checks:\n      before-allow-traffic:{SMOKE}\n"),
            Checks::All => format!(
                "    checks:\n      before-install:{MIGRATE}\n      after-allow-test-traffic:{SMOKE}\n      before-allow-traffic:{SMOKE}\n"
            ),
        }
    }
}

impl Gate {
    fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Scan => "    gates: { scan: { block: [CRITICAL], wait: 10m } }\n",
            Self::Freeze => "    gates: { freeze: ['2026-01-01 00:30 - 2026-01-01 02:30 UTC'] }\n",
        }
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watch, gate, checks, group_alarms, one_repository, sweep, short_pages } = self;
        write!(f, "watch {watch} min, gate {gate:?}, checks {checks:?}, a sweep each {sweep} min")?;
        if *group_alarms {
            f.write_str(", the deployment group names the alarm")?;
        }
        if *one_repository {
            f.write_str(", both services take api's images")?;
        }
        if *short_pages {
            f.write_str(", a row a page")?;
        }
        Ok(())
    }
}
