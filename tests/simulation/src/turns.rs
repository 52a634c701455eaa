//! Two handlers side by side, let through call by call: in an order that is given, or the
//! first one first.
//!
//! Where both stand before a call, one is let through, and nothing else happens until it
//! stands before its next one, or has ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::calls::Touch;

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

#[derive(Debug, Default)]
struct State {
    functions: Option<[&'static str; 2]>,
    handlers: [Option<usize>; 2],
    ended: [bool; 2],
    queues: [VecDeque<(Touch, oneshot::Sender<Turn>)>; 2],
    /// Whose call is under way.
    under_way: [usize; 2],
    script: VecDeque<usize>,
    trace: Vec<Choice>,
}

impl Turns {
    /// In this order; after its end the first one first.
    pub fn scripted(script: impl IntoIterator<Item = usize>) -> Self {
        let state = State { script: script.into_iter().collect(), ..State::default() };
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

    /// Waits until this handler's call may be made; it is under way until what this gives is
    /// dropped.
    pub async fn wait(&self, number: usize, touch: Touch) -> Option<Turn> {
        let turn = {
            let mut state = self.lock();
            let n = state.place(number)?;
            let (sender, turn) = oneshot::channel();
            state.queues[n].push_back((touch, sender));
            turn
        };
        // Whoever lets all through drops the senders.
        turn.await.ok()
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
            queue.retain(|(_, turn)| !turn.is_closed());
        }
        let stands = |n: usize| state.ended[n] || (state.under_way[n] == 0 && !state.queues[n].is_empty());
        if !(stands(0) && stands(1)) {
            return false;
        }
        let open = [0, 1].map(|n| state.queues[n].front().map(|(touch, _)| *touch));
        let wished = state.script.pop_front().unwrap_or(0);
        let taken = if open[wished].is_some() { wished } else { 1 - wished };
        state.trace.push(Choice { open, taken });
        let Some(((_, waiting), number)) = state.queues[taken].pop_front().zip(state.handlers[taken]) else {
            return false;
        };
        state.under_way[taken] += 1;
        drop(state);
        // Where it is given up meanwhile, it is dropped.
        let _ = waiting.send(Turn { turns: self.clone(), number });
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
