//! The orders of two handlers' calls that differ, one after the other.
//!
//! Two calls commute if neither changes what the other reads, so of orders that differ in such
//! neighbours one is run. They are walked depth first, and left where two calls of a run race.
//! Dynamic partial-order reduction with sleep sets: Abdulla et al., "Optimal dynamic partial
//! order reduction" (2014). Of two handlers, a race has one first step the other way round, so
//! that no run comes to where another was.

use crate::calls::Touch;
use crate::turns::Choice;

/// The order that was run last, with what is left to try of it.
#[derive(Debug, Default)]
pub struct Orders {
    nodes: Vec<Node>,
    have_differed: bool,
}

#[derive(Debug)]
struct Node {
    choice: Choice,
    /// Whose next call was tried before, in an order that comes to the same.
    asleep: [bool; 2],
    /// The other one's call is to be tried here.
    is_wanted: bool,
}

/// Who sleeps on after a choice: those whose next call does not meet what was called.
pub fn sleeping(asleep: [bool; 2], choice: &Choice) -> [bool; 2] {
    let called = choice.open[choice.taken];
    let sleeps_on = |n: usize| {
        let meets = |called: Touch| choice.open[n].is_none_or(|next| !next.commutes(called));
        asleep[n] && n != choice.taken && !called.is_some_and(meets)
    };
    [sleeps_on(0), sleeps_on(1)]
}

impl Orders {
    /// Whose turn it is, call by call, up to where a new order begins.
    pub fn script(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.choice.taken).collect()
    }

    /// Who sleeps after the script.
    pub fn asleep(&self) -> [bool; 2] {
        self.nodes.last().map_or([false; 2], |last| sleeping(last.asleep, &last.choice))
    }

    /// Takes what a run of the script came to.
    ///
    /// # Errors
    /// Where the script did not go as it went before.
    pub fn ran(&mut self, trace: &[Choice]) -> Result<(), String> {
        let known = self.nodes.len();
        for (n, node) in self.nodes.iter().enumerate() {
            if trace.get(n) != Some(&node.choice) {
                return Err(format!("call {n} was {:?}, and is {:?} now", node.choice, trace.get(n)));
            }
        }
        for choice in &trace[known..] {
            let asleep = self.asleep();
            if asleep[choice.taken] {
                // From here on it is another order's run.
                break;
            }
            self.nodes.push(Node { choice: *choice, asleep, is_wanted: false });
        }
        self.races();
        Ok(())
    }

    /// Whether there was more than one.
    pub fn have_differed(&self) -> bool {
        self.have_differed
    }

    /// Goes to the next order; false if there is none.
    pub fn turn(&mut self) -> bool {
        while let Some(mut node) = self.nodes.pop() {
            if node.is_wanted {
                let taken = node.choice.taken;
                node.asleep[taken] = true;
                node.choice.taken = 1 - taken;
                node.is_wanted = false;
                self.nodes.push(node);
                self.have_differed = true;
                return true;
            }
        }
        false
    }

    /// Wants the other handler first before each call that races with a later one of it: they
    /// do not commute, and nothing between them makes one follow from the other.
    fn races(&mut self) {
        // The other handler's calls before this node come before what each called last.
        let mut seen = [0_usize; 2];
        for later in 0..self.nodes.len() {
            let Choice { open, taken: by } = self.nodes[later].choice;
            let Some(call) = open[by] else { continue };
            let met = (seen[by]..later).rev().find(|earlier| {
                let Choice { open, taken } = self.nodes[*earlier].choice;
                taken != by && open[taken].is_some_and(|other| !other.commutes(call))
            });
            let Some(earlier) = met else { continue };
            seen[by] = earlier + 1;
            let node = &mut self.nodes[earlier];
            // Where the other one sleeps, that order was run.
            node.is_wanted |= !node.asleep[by];
        }
    }
}
