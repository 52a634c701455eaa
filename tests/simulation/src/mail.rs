//! What becomes of events on their way to a function: they are lost, late, or come twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use serde_json::Value;

use crate::step::{Fate, Weather};

#[derive(Debug, Clone)]
pub struct Mail(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Of the next events, by function.
    planned: Vec<(&'static str, Fate)>,
    weather: Weather,
    chance: Rng,
    /// The last event of each function.
    last: BTreeMap<&'static str, Value>,
    /// What was late and comes now.
    due: Vec<(&'static str, Value)>,
}

impl Mail {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            planned: Vec::new(),
            weather: Weather::FAIR,
            chance: Rng::with_seed(seed),
            last: BTreeMap::new(),
            due: Vec::new(),
        })))
    }

    pub fn plan(&self, function: &'static str, fate: Fate) {
        self.lock().planned.push((function, fate));
    }

    pub fn weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// The last event of a function.
    pub fn last(&self, function: &str) -> Option<Value> {
        self.lock().last.get(function).cloned()
    }

    /// This event comes now, whatever the weather.
    pub fn due(&self, function: &'static str, event: Value) {
        self.lock().due.push((function, event));
    }

    /// What becomes of an event. A queue's messages stay in the queue until they are handled,
    /// and a schedule comes again by itself.
    pub fn fate(&self, function: &'static str, event: &Value) -> Fate {
        let mut state = self.lock();
        if ["notify", "sweep"].contains(&function) {
            return Fate::Delivered;
        }
        state.last.insert(function, event.clone());
        if let Some(place) = state.due.iter().position(|due| due.0 == function && due.1 == *event) {
            state.due.swap_remove(place);
            return Fate::Delivered;
        }
        if let Some(place) = state.planned.iter().position(|(of, _)| *of == function) {
            return state.planned.remove(place).1;
        }
        state.by_chance()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn by_chance(&mut self) -> Fate {
        let Weather { events_lost, events_twice, events_late, late, .. } = self.weather;
        if events_lost + events_twice + events_late == 0 {
            return Fate::Delivered;
        }
        let (drawn, later) = (self.chance.u8(0..100), self.chance.u64(1..=u64::from(late.max(1))));
        if drawn < events_lost {
            Fate::Lost
        } else if drawn < events_lost + events_twice {
            Fate::Twice(later)
        } else if drawn < events_lost + events_twice + events_late {
            Fate::Late(later)
        } else {
            Fate::Delivered
        }
    }
}
