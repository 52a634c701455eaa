//! What each listener served, counted in the proxy: one spell for each set of weights, so
//! that the share of a canary is that of its own requests and no others.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::services::elbv2::RouteTargets;

/// The time for which a listener's target groups kept their weights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spell {
    /// By the target group's ARN.
    pub weights: BTreeMap<String, u32>,
    /// Requests by the ARN of the target group that answered, and status. The name is empty
    /// where the balancer answered itself.
    pub served: BTreeMap<(String, u16), u64>,
}

/// By listener port.
#[derive(Default)]
pub struct Tally(RefCell<BTreeMap<u16, Vec<Spell>>>);

impl Tally {
    /// The spell that a request with these weights belongs to, whenever it is answered.
    pub fn spell(&self, port: u16, groups: &[RouteTargets]) -> usize {
        let weights = groups.iter().map(|group| (group.target_group.clone(), group.weight)).collect();
        let mut ports = self.0.borrow_mut();
        let spells = ports.entry(port).or_default();
        if spells.last().is_none_or(|last| last.weights != weights) {
            spells.push(Spell { weights, served: BTreeMap::new() });
        }
        spells.len() - 1
    }

    pub fn count(&self, port: u16, spell: usize, group: Option<&str>, status: u16) {
        let mut ports = self.0.borrow_mut();
        if let Some(spell) = ports.get_mut(&port).and_then(|spells| spells.get_mut(spell)) {
            *spell.served.entry((group.unwrap_or_default().to_owned(), status)).or_default() += 1;
        }
    }

    pub fn of(&self, port: u16) -> Vec<Spell> {
        self.0.borrow().get(&port).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(blue: u32, green: u32) -> Vec<RouteTargets> {
        [("blue", blue), ("green", green)]
            .map(|(name, weight)| RouteTargets { target_group: name.into(), weight, targets: vec![] })
            .into()
    }

    #[test]
    fn a_late_answer_counts_for_the_weights_that_chose_its_target() {
        let tally = Tally::default();
        let before = tally.spell(80, &weights(90, 10));
        let after = tally.spell(80, &weights(0, 100));
        tally.count(80, after, Some("green"), 200);
        tally.count(80, before, Some("blue"), 200);
        tally.count(80, tally.spell(80, &weights(0, 100)), None, 502);
        let served = |n: usize| tally.of(80)[n].served.clone().into_iter().collect::<Vec<_>>();
        assert_eq!(served(0), [(("blue".into(), 200), 1)]);
        assert_eq!(served(1), [((String::new(), 502), 1), (("green".into(), 200), 1)]);
        assert_eq!((tally.of(80).len(), tally.of(81)), (2, vec![]));
    }
}
