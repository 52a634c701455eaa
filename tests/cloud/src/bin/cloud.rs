//! `cargo cloud`: the local cloud on a port of this machine; and, called `sample-app` or
//! `sample-task`, the programs that it brings along.

use clap::Parser;
use cloud::samples;
use cloud::server::{self, Options};
use tokio::signal::unix::{SignalKind, signal};

/// A model of the parts of AWS that Sluice meets, on one loopback port. Prints
/// `ready http://127.0.0.1:N` when requests are taken.
#[derive(Parser)]
#[command(name = "cloud")]
struct Arguments {
    /// Port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Virtual seconds per real second
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Seed of all identifiers
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Region; without it, that of the first request
    #[arg(long)]
    region: Option<String>,
    /// Print the timeline as it happens
    #[arg(long)]
    timeline: bool,
    /// Let an alarm that is red before a CodeDeploy deployment starts not stop it
    #[arg(long)]
    ignore_alarms_red_at_start: bool,
    /// Give services under CodeDeploy an empty list of deployments, as AWS does: the waiter
    /// `services-stable` then never returns for them
    #[arg(long)]
    no_deployments_under_codedeploy: bool,
    /// Stop when standard input ends
    #[arg(long)]
    exit_with_parent: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.01 to 10000".into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    if let Some(ended) = samples::run().await {
        return ended;
    }
    let arguments = Arguments::parse();
    let options = Options {
        port: arguments.port,
        speed: arguments.speed,
        seed: arguments.seed,
        region: arguments.region,
        print_timeline: arguments.timeline,
        red_alarm_stops_at_start: !arguments.ignore_alarms_red_at_start,
        task_sets_as_deployments: !arguments.no_deployments_under_codedeploy,
    };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = input_ended(), if arguments.exit_with_parent => {}
        }
    };
    server::run(options, stop).await
}

/// Reads on a thread of its own: a read of standard input cannot be cancelled, and
/// must not keep the process from ending.
async fn input_ended() {
    let (ended, wait) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whatever ends the copy, the input has ended; dropping the sender says so.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(ended);
    });
    let _ = wait.await;
}
