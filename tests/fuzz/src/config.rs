//! `releases.yaml`, whole, its freezes, and the patterns in it.

use jiff::Timestamp;
use shared::config::{Engine, JsonPath, Pattern, Releases};
use shared::freeze::Freeze;
use shared::image::TagPattern;

pub fn releases(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    match Releases::parse(text, "releases.yaml") {
        Ok(releases) => {
            is_indexed(&releases);
            true
        }
        Err(faults) => {
            let told = faults.to_string();
            assert!(faults.iter().len() > 0 && told.lines().count() == faults.iter().len(), "{told}");
            assert!(!told.contains("please report it"), "{told}");
            for fault in faults.iter() {
                // The end of the file is a place, too: the line behind the last.
                let line = fault.position.map_or(1, |position| position.line);
                assert!((1..=text.split(is_break).count() + 1).contains(&line), "{told}");
            }
            false
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

fn is_indexed(releases: &Releases) {
    for service in releases.services() {
        let this = |found: &shared::config::Service| std::ptr::eq(found, service);
        assert!(releases.by_name(&service.name).is_some_and(this));
        assert!(releases.by_service(&service.cluster, &service.service).is_some_and(this));
        if let Engine::CodeDeploy { application, group } = &service.engine {
            assert!(releases.deployed_by(application, group).is_some_and(this));
        }
        for rule in &service.images {
            assert!(releases.taking(&rule.repository).any(|(found, other)| this(found) && rule == other));
            let _ = rule.tags.matches("v1.2.3");
        }
        assert!(service.alarms.iter().all(|alarm| releases.guarded_by(alarm).any(this)));
        service.freeze.iter().for_each(ends_later);
        let _ = service.checks.secrets();
    }
}

pub fn freeze(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    match Freeze::parse(text) {
        Ok(freeze) => {
            ends_later(&freeze);
            true
        }
        Err(why) => {
            assert!(!why.is_empty());
            false
        }
    }
}

/// A line that is a pattern or a path, and what it is held against.
pub fn patterns(input: &[u8]) -> bool {
    let Ok(input) = str::from_utf8(input) else { return false };
    let (pattern, text) = input.split_once('\n').unwrap_or((input, input));
    if let Ok(pattern) = TagPattern::new(pattern) {
        let _ = pattern.matches(text);
    }
    let path = JsonPath::new(pattern);
    if let (Ok(path), Ok(document)) = (&path, serde_json::from_str(text)) {
        let _ = path.query(&document);
    }
    match Pattern::new(pattern) {
        Ok(pattern) => {
            assert!(!pattern.is_whole(text) || pattern.find(text).is_some(), "{}", pattern.as_str());
            true
        }
        Err(why) => {
            assert!(!why.is_empty());
            path.is_ok()
        }
    }
}

/// A freeze that is on ends after now, and is on until then.
fn ends_later(freeze: &Freeze) {
    // The ends of the calendar, changes of clocks, and a year between.
    let times = [
        Timestamp::MIN.as_second(),
        0,
        1_774_746_000,
        1_792_890_000,
        1_800_000_000,
        Timestamp::MAX.as_second(),
    ];
    for now in times.into_iter().filter_map(|second| Timestamp::from_second(second).ok()) {
        let Some(end) = freeze.until(now) else { continue };
        assert!(end > now, "{} at {now} until {end}", freeze.text);
        let last = Timestamp::from_nanosecond(end.as_nanosecond() - 1).expect("it is after now");
        assert!(freeze.until(last).is_some_and(|until| until >= end), "{} at {last}", freeze.text);
    }
}
