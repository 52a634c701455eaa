//! Random histories: what a seed makes happen to an account.

use fastrand::Rng;

use crate::account::SERVICES;
use crate::config::{Checks, Config, Gate};
use crate::functions::HOOK;
use crate::step::{Fate, Image, Step, Story, Weather};

const FUNCTIONS: [&str; 4] = ["image-push", "alarm", "deployment-state", HOOK];

/// The story of a seed.
pub fn of(seed: u64) -> Story {
    let mut draw = Draw { rng: Rng::with_seed(seed), tag: 1, pushed: Vec::new(), foul: false };
    let config = Config { short_pages: seed.is_multiple_of(8), ..draw.config() };
    let steps = draw.rng.usize(3..=11);
    let mut steps: Vec<_> = (0..steps).map(|_| draw.step(&config)).collect();
    steps.extend(Draw::end());
    Story { name: format!("history {seed}"), config, steps, seed, is_told: false }
}

struct Draw {
    rng: Rng,
    tag: u32,
    /// Repository, tag and kind of what was pushed.
    pushed: Vec<(&'static str, u32, Image)>,
    foul: bool,
}

impl Draw {
    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(0..from.len())]
    }

    fn config(&mut self) -> Config {
        Config {
            watch: self.of(&[10, 10, 0, 20]),
            gate: self.of(&[Gate::None, Gate::None, Gate::None, Gate::Scan, Gate::Freeze]),
            checks: self.of(&[Checks::Smoke, Checks::Smoke, Checks::All, Checks::None]),
            group_alarms: self.rng.u8(0..4) == 0,
            one_repository: self.rng.u8(0..5) == 0,
            // More than seven would leave a hook that nobody hears of to its hour.
            sweep: self.of(&[3, 5, 7]),
            ..Config::default()
        }
    }

    fn repository(&mut self, config: &Config) -> &'static str {
        if config.one_repository { "api" } else { self.of(&SERVICES) }
    }

    fn push(&mut self, config: &Config) -> Step {
        let repository = self.repository(config);
        let image = match self.rng.u8(0..20) {
            0..3 => Image::Sick,
            3 => Image::Crashing,
            4 => Image::Unmigrated,
            5..7 if config.gate == Gate::Scan => Image::Vulnerable,
            7 if config.gate == Gate::Scan => Image::Unscanned,
            _ => Image::Good,
        };
        self.tag += 1;
        self.pushed.push((repository, self.tag, image));
        Step::Push { repository, tag: self.tag, image }
    }

    fn again(&mut self, config: &Config) -> Step {
        if self.pushed.is_empty() {
            return self.push(config);
        }
        let pushed = self.pushed.clone();
        let (repository, of, image) = self.of(&pushed);
        self.tag += 1;
        Step::Retag { repository, of, image, tag: self.tag }
    }

    fn step(&mut self, config: &Config) -> Step {
        let service = self.of(&SERVICES);
        match self.rng.u8(0..100) {
            0..26 => self.push(config),
            26..30 => self.again(config),
            30..32 => Step::Chaff(service),
            32..42 => Step::Alarm { service, state: "ALARM" },
            42..50 => Step::Alarm { service, state: "OK" },
            50..51 => Step::Alarm { service, state: "INSUFFICIENT_DATA" },
            51..59 => Step::Wait(self.rng.u64(1..60)),
            59..66 => Step::Wait(self.rng.u64(60..900)),
            66..70 => Step::Canary(service),
            70..72 => Step::Shifted(service),
            72..77 => Step::Ended(service),
            77..80 => Step::Stop { service, rolls_back: self.rng.bool() },
            80..82 => Step::ByHand(service),
            82..84 => Step::Hold(service),
            84..86 => Step::Unhold(service),
            86..87 => Step::Scale { service, count: self.rng.u32(1..4) },
            87..88 => Step::SlackDown(self.rng.u64(60..7_200)),
            88..91 => Step::Again(self.of(&FUNCTIONS)),
            91..95 => self.fate(),
            _ => self.weather(),
        }
    }

    fn fate(&mut self) -> Step {
        // A day is rare: it is long to live through.
        let seconds = match self.rng.u8(0..20) {
            0 => self.rng.u64(3_600..86_400),
            1..5 => self.rng.u64(600..7_200),
            _ => self.rng.u64(1..600),
        };
        let fate = match self.rng.u8(0..3) {
            0 => Fate::Lost,
            1 => Fate::Late(seconds),
            _ => Fate::Twice(seconds),
        };
        Step::Next { function: self.of(&FUNCTIONS), fate }
    }

    fn weather(&mut self) -> Step {
        if self.foul {
            self.foul = false;
            return Step::Weather(Weather::FAIR);
        }
        self.foul = true;
        let mut weather = Weather::FAIR;
        for _ in 0..self.rng.u8(1..=3) {
            match self.rng.u8(0..10) {
                0..2 => weather.throttled = self.of(&[10, 50, 90]),
                2 => weather.errors = self.of(&[5, 20]),
                3 => weather.stalled = self.of(&[2, 10]),
                4 => weather.answers_lost = self.of(&[2, 10]),
                5 => weather.stale = self.of(&[5, 30]),
                6 => weather.crashes = self.of(&[2, 10]),
                7 => weather.skew = self.rng.i32(-600..=600),
                _ => {
                    weather.events_lost = self.of(&[0, 20, 60]);
                    weather.events_twice = self.of(&[0, 20]);
                    weather.events_late = self.of(&[0, 20]);
                    weather.late = self.of(&[30, 300, 1_800]);
                }
            }
        }
        // Together they are chances of one draw.
        weather.throttled = weather
            .throttled
            .min(100 - weather.errors.max(weather.stalled + weather.stale + weather.answers_lost));
        Step::Weather(weather)
    }

    /// The weather clears, people lift what they put down, alarms are green.
    fn end() -> Vec<Step> {
        let mut end = vec![Step::Weather(Weather::FAIR)];
        for service in SERVICES {
            end.push(Step::Alarm { service, state: "OK" });
            end.push(Step::Unhold(service));
        }
        end
    }
}
