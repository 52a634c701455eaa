//! Live traffic by version, as the proxy served it.

use std::collections::BTreeMap;

use cloud::server::Spell;

use crate::versions::Version;

/// ARNs of the target groups of the version that serves, and of the one that is to replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sides {
    pub old: String,
    pub new: String,
}

/// Requests answered by the old version, by the new one, and by the balancer itself for want
/// of a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shares {
    pub old: u64,
    pub new: u64,
    pub none: u64,
}

impl Shares {
    pub fn of<'a>(spells: impl IntoIterator<Item = &'a Spell>, sides: &Sides) -> Self {
        Self::answered(spells, sides, |_| true)
    }

    /// Those that were answered by 5xx.
    pub fn errors<'a>(spells: impl IntoIterator<Item = &'a Spell>, sides: &Sides) -> Self {
        Self::answered(spells, sides, |status| status >= 500)
    }

    fn answered<'a>(
        spells: impl IntoIterator<Item = &'a Spell>,
        sides: &Sides,
        counts: fn(u16) -> bool,
    ) -> Self {
        let mut shares = Self::default();
        let served = spells.into_iter().flat_map(|spell| &spell.served);
        for ((group, _), count) in served.filter(|((_, status), _)| counts(*status)) {
            let side = match group {
                group if *group == sides.old => &mut shares.old,
                group if *group == sides.new => &mut shares.new,
                _ => &mut shares.none,
            };
            *side += count;
        }
        shares
    }

    pub fn total(&self) -> u64 {
        self.old + self.new + self.none
    }

    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let less = u64::saturating_sub;
        Self {
            old: less(self.old, before.old),
            new: less(self.new, before.new),
            none: less(self.none, before.none),
        }
    }

    /// The new version's share in percent; 0 where nothing was served.
    #[allow(clippy::cast_precision_loss)]
    pub fn percent(&self) -> f64 {
        if self.total() == 0 { 0.0 } else { 100.0 * self.new as f64 / self.total() as f64 }
    }

    pub fn told(&self, old: &Version, new: &Version) -> String {
        let percent = self.percent();
        #[allow(clippy::cast_precision_loss)]
        let none = if self.none == 0 { 0.0 } else { 100.0 * self.none as f64 / self.total() as f64 };
        let rest = if self.total() == 0 { 0.0 } else { 100.0 - percent - none };
        let told = format!("{} requests, {rest:.1}% {}, {percent:.1}% {}", self.total(), old.name, new.name);
        if self.none > 0 { format!("{told}, {none:.1}% no version") } else { told }
    }
}

/// What was served after a beginning, of which these are the spells.
pub fn since(spells: &[Spell], beginning: &[Spell]) -> Vec<Spell> {
    let mut fresh = spells.to_vec();
    for (spell, before) in fresh.iter_mut().zip(beginning) {
        for (answer, count) in &mut spell.served {
            *count = count.saturating_sub(before.served.get(answer).copied().unwrap_or_default());
        }
        spell.served.retain(|_, count| *count > 0);
    }
    fresh
}

/// What was served before the weights became these, wherever the change was noticed.
pub fn before(spells: &[Spell], sides: &Sides, [old, new]: [u64; 2]) -> Shares {
    let of = |spell: &Spell, group| u64::from(spell.weights.get(group).copied().unwrap_or_default());
    let current = |spell: &Spell| of(spell, &sides.old) == old && of(spell, &sides.new) == new;
    let changed = spells.last().is_some_and(current);
    Shares::of(&spells[..spells.len() - usize::from(changed)], sides)
}

/// What was served while the new version had this weight and the old one the rest of a hundred.
pub fn at_weight(spells: &[Spell], sides: &Sides, new: u32) -> Shares {
    let wanted = BTreeMap::from([(sides.old.clone(), 100 - new), (sides.new.clone(), new)]);
    Shares::of(spells.iter().filter(|spell| spell.weights == wanted), sides)
}

/// The greatest weight that a target group had for any request.
pub fn greatest_weight(spells: &[Spell], group: &str) -> u64 {
    let asked = spells.iter().filter(|spell| !spell.served.is_empty());
    asked.filter_map(|spell| spell.weights.get(group)).max().copied().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::{FIRST, SECOND};

    #[test]
    fn shares_are_of_all_that_was_served() {
        let told = |shares: &Shares| shares.told(&FIRST, &SECOND);
        let shares = Shares { old: 360, new: 40, none: 0 };
        assert_eq!(told(&shares), "400 requests, 90.0% version 1, 10.0% version 2");
        let some = Shares { old: 361, new: 43, none: 4 };
        assert_eq!(some.since(&shares), Shares { old: 1, new: 3, none: 4 });
        assert_eq!(
            told(&some.since(&shares)),
            "8 requests, 12.5% version 1, 37.5% version 2, 50.0% no version"
        );
        assert_eq!(told(&Shares::default()), "0 requests, 0.0% version 1, 0.0% version 2");
    }

    #[test]
    fn errors_are_told_apart_by_who_answered_them() {
        let sides = Sides { old: "green".into(), new: "blue".into() };
        let answers =
            [("green", 200, 90), ("green", 502, 1), ("blue", 500, 4), ("blue", 404, 2), ("", 503, 3)];
        let served = answers.map(|(group, status, count)| ((group.to_owned(), status), count)).into();
        let spell = Spell { weights: BTreeMap::new(), served };
        assert_eq!(Shares::errors([&spell], &sides), Shares { old: 1, new: 4, none: 3 });
        assert_eq!(Shares::of([&spell], &sides), Shares { old: 91, new: 6, none: 3 });
    }

    #[test]
    fn what_was_served_before_an_act_is_not_counted_in_it() {
        let sides = Sides { old: "green".into(), new: "blue".into() };
        let spell = |weights: [u32; 2], served: &[(&str, u64)]| Spell {
            weights: [("blue".to_owned(), weights[0]), ("green".to_owned(), weights[1])].into(),
            served: served.iter().map(|(group, count)| (((*group).to_owned(), 200), *count)).collect(),
        };
        let beginning = [spell([100, 0], &[("blue", 7)]), spell([0, 100], &[("green", 5)])];
        let now = [
            spell([100, 0], &[("blue", 7)]),
            spell([0, 100], &[("green", 9)]),
            spell([10, 90], &[("blue", 1), ("green", 8)]),
        ];
        let fresh = since(&now, &beginning);
        assert_eq!(Shares::of(&fresh, &sides), Shares { old: 12, new: 1, none: 0 });
        assert_eq!(at_weight(&fresh, &sides, 10), Shares { old: 8, new: 1, none: 0 });
        assert_eq!(greatest_weight(&fresh, "blue"), 10, "it had 100 before");
        assert_eq!(before(&fresh, &sides, [90, 10]), Shares { old: 4, new: 0, none: 0 });
    }
}
