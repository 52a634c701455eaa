//! Starts the functions in turn, so that whatever else the machine does hits all alike.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::aws::{Aws, Traffic};
use crate::figures::{Spread, Start};
use crate::function::Function;
use crate::table::{self, Row};
use crate::{binaries, certificates, scene};

pub const EMPTY: &str = "empty";
pub const OURS: &str = "image-push";

/// Starts of each function that are not counted.
const DISCARDED: u16 = 2;

/// Starts the release binaries of an empty function and of image-push in turn, and compares
/// cold start, memory and size. Ends with 1 if a limit is exceeded.
#[derive(Parser)]
#[command(name = "cold-start")]
pub struct Plan {
    /// Starts of each function that are counted
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Warm invocations after each start
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    warm: u16,
    /// Also start image-push with so many services in releases.yaml
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..))]
    services: Option<u16>,
}

pub struct Report {
    pub text: String,
    /// Whether all limits are.
    pub kept: bool,
}

/// A function that is measured, and its figures so far.
struct Contender {
    name: String,
    binary: PathBuf,
    variables: Vec<(String, String)>,
    /// Whether it has to start a deployment.
    works: bool,
    starts: Vec<Start>,
    /// Up to its last first answer.
    traffic: Traffic,
}

/// A folder that is gone afterwards.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What remains of it is in the machine's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// To be called within a `LocalSet`; the binaries are in `folder`.
pub async fn run(plan: &Plan, folder: &Path) -> Result<Report> {
    let scratch = Scratch(std::env::temp_dir().join(format!("cold-start-{}", std::process::id())));
    fs::create_dir(&scratch.0)?;
    let certificates = certificates::make()?;
    fs::write(scratch.0.join("roots.pem"), certificates.roots)?;
    let aws = Aws::start(&certificates.acceptor).await?;
    let mut contenders = vec![Contender::new(EMPTY, folder), Contender::new(OURS, folder)];
    contenders[1].work(&scratch.0, &aws, 1)?;
    if let Some(services) = plan.services {
        let mut many = Contender::new(OURS, folder);
        many.work(&scratch.0, &aws, services.into())?;
        many.name = format!("{services} services");
        contenders.push(many);
    }
    for n in 0..DISCARDED + plan.runs {
        for contender in &mut contenders {
            let start = contender.start(&aws, plan.warm, &scratch.0.join("log")).await;
            let start = start.with_context(|| format!("{}, start {}", contender.name, n + 1))?;
            if n >= DISCARDED {
                contender.starts.push(start);
            }
        }
    }
    report(&contenders)
}

impl Contender {
    fn new(binary: &str, folder: &Path) -> Self {
        Self {
            name: binary.to_owned(),
            binary: folder.join(binary),
            variables: Vec::new(),
            works: false,
            starts: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    /// Gives it what it needs to start a deployment: the cloud, roots, `releases.yaml`.
    fn work(&mut self, scratch: &Path, aws: &Aws, services: usize) -> Result<()> {
        let releases = scratch.join(format!("releases-{services}.yaml"));
        fs::write(&releases, scene::releases(services))?;
        let variables = [
            ("AWS_REGION", scene::REGION.to_owned()),
            ("AWS_DEFAULT_REGION", scene::REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "ASIACOLDSTART".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_SESSION_TOKEN", "local".to_owned()),
            ("SSL_CERT_FILE", scratch.join("roots.pem").display().to_string()),
            ("SLUICE_RELEASES", releases.display().to_string()),
            ("SLUICE_HOOK_FUNCTION", scene::HOOKS.to_owned()),
        ];
        self.variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        self.variables.extend(aws.variables.iter().cloned());
        self.works = true;
        Ok(())
    }

    /// One start in a fresh world, and so many warm invocations.
    async fn start(&mut self, aws: &Rc<Aws>, warm: u16, log: &Path) -> Result<Start> {
        let pushed = scene::pushed(&aws.layers)?;
        aws.replace(pushed.world);
        let (mut function, first) =
            Function::start(&self.binary, &self.variables, &pushed.event, log).await?;
        let usage = function.usage()?;
        self.traffic = aws.traffic();
        if self.works {
            scene::check_start(&first.value, &mut aws.world.borrow_mut())?;
        }
        let mut invocations = Vec::new();
        for _ in 0..warm {
            invocations.push(function.invoke().await?.as_secs_f64());
        }
        if self.works {
            scene::check_duplicates(&mut aws.world.borrow_mut())?;
        }
        function.end().await?;
        let warm = Spread::of(invocations).context("no warm invocation")?.median;
        Ok(Start {
            ready: first.ready,
            cold: first.cold,
            cpu: usage.cpu,
            memory: usage.memory,
            warm: Duration::from_secs_f64(warm),
        })
    }
}

fn report(contenders: &[Contender]) -> Result<Report> {
    let row = |contender: &Contender| {
        let (binary, zip) = binaries::sizes(&contender.binary)?;
        Row::of(&contender.name, &contender.starts, binary, zip).context("no start")
    };
    let rows: Vec<_> = contenders.iter().map(row).collect::<Result<_>>()?;
    let verdicts = table::verdicts(&rows[1], &rows[0]);
    let Traffic { requests, connections } = contenders[1].traffic;
    let runs = contenders[1].starts.len();
    let mut text = format!("median (least–most) of {runs} starts\n\n{}\n\n", table::table(&rows));
    writeln!(text, "{OURS}'s first answer takes {requests} requests on {connections} connections")?;
    for verdict in &verdicts {
        write!(text, "\n{}", verdict.text)?;
    }
    Ok(Report { text, kept: verdicts.iter().all(|verdict| verdict.kept) })
}
