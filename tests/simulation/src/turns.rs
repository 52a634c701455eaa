//! Two handlers side by side, let through call by call: in an order that is given, or the
//! first one first.
//!
//! Where both stand before a call, one is let through, and nothing else happens until it
//! stands before its next one, or has ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::calls::Touch;
use crate::orders::sleeping;

/// How often it is looked whether both stand.
const LOOK: Duration = Duration::from_millis(5);

/// How long the first one waits for the second, and a handler may be at work between calls.
const PATIENCE: u32 = 200 * 180;

/// Where both handlers stood before a call, or the only one that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// What each was about to do; nothing of one that has ended.
    pub open: [Option<Touch>; 2],
    pub taken: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Turns(Arc<Mutex<State>>);

/// A call that waits for its turn.
#[derive(Debug)]
struct Standing {
    since: Instant,
    what: String,
    touch: Touch,
    turn: oneshot::Sender<Turn>,
}

#[derive(Debug, Default)]
struct State {
    functions: Option<[&'static str; 2]>,
    handlers: [Option<usize>; 2],
    ended: [bool; 2],
    queues: [VecDeque<Standing>; 2],
    /// Whose call is under way.
    under_way: [usize; 2],
    script: VecDeque<usize>,
    /// Who does not go on by itself after the script.
    asleep: [bool; 2],
    trace: Vec<Choice>,
}

impl Turns {
    /// In this order; after its end the first one first.
    pub fn scripted(script: impl IntoIterator<Item = usize>) -> Self {
        Self::walking(script, [false; 2])
    }

    /// In this order; after its end the first one that does not sleep.
    pub fn walking(script: impl IntoIterator<Item = usize>, asleep: [bool; 2]) -> Self {
        let state = State { script: script.into_iter().collect(), asleep, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The next handlers of these functions take turns.
    pub fn expect(&self, functions: [&'static str; 2]) {
        self.lock().functions = Some(functions);
        let turns = self.clone();
        tokio::spawn(async move {
            for _ in 0..PATIENCE {
                tokio::time::sleep(LOOK).await;
                if turns.step() {
                    return;
                }
            }
            // One never came, or takes too long: nobody waits for it any longer.
            turns.open();
        });
    }

    /// Which choices there were, and how they were made.
    pub fn trace(&self) -> Vec<Choice> {
        self.lock().trace.clone()
    }

    /// Whether both handlers stood before a call at the same time.
    pub fn met(&self) -> bool {
        self.lock().trace.iter().any(|choice| choice.open.iter().all(Option::is_some))
    }

    pub fn begins(&self, function: &'static str, number: usize) {
        let mut state = self.lock();
        let Some(functions) = state.functions else { return };
        let free = |n: &usize| functions[*n] == function && state.handlers[*n].is_none();
        if let Some(n) = [0, 1].into_iter().find(free) {
            state.handlers[n] = Some(number);
        }
    }

    pub fn ends(&self, number: usize) {
        let mut state = self.lock();
        if let Some(n) = state.place(number) {
            state.ended[n] = true;
            state.queues[n].clear();
            state.under_way[n] = 0;
        }
    }

    /// This handler's call stands until what this gives is there, and is under way until that
    /// is dropped; nothing if the handler takes no turns.
    pub fn stand(
        &self,
        number: usize,
        touch: Touch,
        request: &HttpRequest,
    ) -> Option<oneshot::Receiver<Turn>> {
        let mut state = self.lock();
        let n = state.place(number)?;
        let body = request.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
        let (since, what) = (Instant::now(), format!("{} {body}", request.uri()));
        let (turn, waiting) = oneshot::channel();
        let queue = &mut state.queues[n];
        // What stands since one moment does so in one order, whichever was woken first.
        let place = queue.partition_point(|other| (other.since, &other.what) <= (since, &what));
        queue.insert(place, Standing { since, what, touch, turn });
        Some(waiting)
    }

    /// Lets one call through, if both stand. Whether both have ended.
    fn step(&self) -> bool {
        let mut state = self.lock();
        if state.handlers.iter().any(Option::is_none) {
            return false;
        }
        if state.ended == [true, true] {
            return true;
        }
        for queue in &mut state.queues {
            // Nobody waits any longer for what was given up.
            queue.retain(|standing| !standing.turn.is_closed());
        }
        let stands = |n: usize| state.ended[n] || (state.under_way[n] == 0 && !state.queues[n].is_empty());
        if !(stands(0) && stands(1)) {
            return false;
        }
        let open = [0, 1].map(|n| state.queues[n].front().map(|first| first.touch));
        let scripted = state.script.pop_front();
        let wished = scripted.unwrap_or(usize::from(state.asleep[0]));
        let taken = if open[wished].is_some() { wished } else { 1 - wished };
        let choice = Choice { open, taken };
        if scripted.is_none() {
            state.asleep = sleeping(state.asleep, &choice);
        }
        state.trace.push(choice);
        let Some((first, number)) = state.queues[taken].pop_front().zip(state.handlers[taken]) else {
            return false;
        };
        state.under_way[taken] += 1;
        drop(state);
        // Where it is given up meanwhile, it is dropped.
        let _ = first.turn.send(Turn { turns: self.clone(), number });
        false
    }

    fn open(&self) {
        let mut state = self.lock();
        state.functions = None;
        state.handlers = [None, None];
        state.queues = [VecDeque::new(), VecDeque::new()];
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way.
#[derive(Debug)]
pub struct Turn {
    turns: Turns,
    number: usize,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        if let Some(n) = state.place(self.number) {
            state.under_way[n] = state.under_way[n].saturating_sub(1);
        }
    }
}

impl State {
    fn place(&self, number: usize) -> Option<usize> {
        self.handlers.iter().position(|handler| *handler == Some(number))
    }
}
