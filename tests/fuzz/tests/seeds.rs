//! Each target with its seeds, and with what it failed on once: in every `cargo test`.

use fuzz::{Limit, Slow, TARGETS, Target};

fn hold(target: &Target, input: &[u8]) -> bool {
    match Limit::OF_TESTS.hold(target, input) {
        Ok((_, taken)) => taken,
        Err(Slow(took)) => panic!("{}: {} bytes took {took:?}", target.name, input.len()),
    }
}

#[test]
fn each_target_holds_for_its_seeds_in_time_and_takes_some_of_them() {
    for target in TARGETS {
        let taken = target.inputs().iter().filter(|input| hold(target, input)).count();
        assert!(taken > 0, "{} takes none of its seeds: it tests nothing", target.name);
    }
}

#[test]
fn each_target_holds_for_beginnings_of_its_seeds() {
    for target in TARGETS {
        for seed in target.inputs() {
            let step = (seed.len() / 20).max(1);
            (0..seed.len()).step_by(step).for_each(|end| {
                let _ = hold(target, &seed[..end]);
            });
        }
    }
}

#[test]
fn what_takes_too_long_twice_is_told() {
    fn slow(_: &[u8]) -> bool {
        let end = std::time::Instant::now() + std::time::Duration::from_millis(5);
        while std::time::Instant::now() < end {}
        true
    }
    let target = Target { name: "slow", feed: slow, seeds: Vec::new, longest: 1 };
    let limit = Limit(std::time::Duration::from_micros(1));
    assert!(matches!(limit.hold(&target, b""), Err(Slow(took)) if took > limit.0));
    assert!(Limit::OF_TESTS.hold(&target, b"").is_ok());
}

#[test]
fn what_was_found_belongs_to_a_target() {
    let found = concat!(env!("CARGO_MANIFEST_DIR"), "/found");
    for folder in std::fs::read_dir(found).into_iter().flatten() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(Target::named(&name).is_some(), "found/{name} is of no target");
    }
}
