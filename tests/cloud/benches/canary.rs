//! How fast the core deploys: whole canaries in virtual time, without the SDK.
//!
//! `cargo bench` prints deployments a second of real time and the virtual time that
//! one takes. What it costs per deployment is on the machine that runs it; compare
//! two commits in one run on one machine, not two printed figures.

use std::time::Instant;

use cloud::fixture::{self, BlueGreen, Scene};
use cloud::world::World;
use cloud::{SECOND, Settings};

const START: cloud::Ms = 1_767_225_600_000;

fn main() {
    let rounds = 200_u32;
    let (mut virtual_seconds, mut entries) = (0, 0);
    let began = Instant::now();
    for seed in 0..rounds {
        let mut world = World::new(Settings { seed: seed.into(), ..Settings::default() }, START);
        let first = fixture::push_image(&mut world, "api", "v1", &[]).expect("push");
        let service = BlueGreen::create(&mut world, "api", &first, &Scene::default()).expect("scene");
        assert!(service.settle(&mut world), "the service never got steady");
        let second = fixture::push_image(&mut world, "api", "v2", &[("APP_VERSION", "2")]).expect("push");
        let revision = service.register(&mut world, &second).expect("revision");
        let deployment = service.deploy(&mut world, &revision, &[]).expect("deployment");
        assert_eq!(service.await_end(&mut world, &deployment), "Succeeded");
        virtual_seconds += (world.now() - START) / SECOND;
        entries += world.cloud.timeline().len();
    }
    let seconds = began.elapsed().as_secs_f64();
    let each = f64::from(rounds);
    println!(
        "{rounds} canaries: {:.0} a second, {:.2} ms each, of {} virtual seconds and {} timeline entries",
        each / seconds,
        seconds * 1_000.0 / each,
        virtual_seconds / u64::from(rounds),
        entries / rounds as usize,
    );
}
