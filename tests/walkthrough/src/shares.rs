//! Live traffic by version, as the proxy served it.

use std::collections::BTreeMap;

use cloud::fixture::BlueGreen;
use cloud::server::Spell;

/// Requests answered by version 1, by version 2, and by the balancer itself for want of a
/// target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shares {
    pub old: u64,
    pub new: u64,
    pub none: u64,
}

impl Shares {
    /// Version 1 is behind the blue target group, version 2 behind the green one.
    pub fn of<'a>(spells: impl IntoIterator<Item = &'a Spell>, service: &BlueGreen) -> Self {
        let [blue, green] = &service.target_groups;
        let mut shares = Self::default();
        for ((group, _), count) in spells.into_iter().flat_map(|spell| &spell.served) {
            let side = match group {
                group if group == blue => &mut shares.old,
                group if group == green => &mut shares.new,
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

    /// Version 2's share in percent; 0 where nothing was served.
    #[allow(clippy::cast_precision_loss)]
    pub fn percent(&self) -> f64 {
        if self.total() == 0 { 0.0 } else { 100.0 * self.new as f64 / self.total() as f64 }
    }
}

impl std::fmt::Display for Shares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let new = self.percent();
        #[allow(clippy::cast_precision_loss)]
        let none = if self.none == 0 { 0.0 } else { 100.0 * self.none as f64 / self.total() as f64 };
        let old = if self.total() == 0 { 0.0 } else { 100.0 - new - none };
        write!(f, "{} requests, {old:.1}% version 1, {new:.1}% version 2", self.total())?;
        if self.none > 0 { write!(f, ", {none:.1}% no version") } else { Ok(()) }
    }
}

/// What was served before the weights became these, wherever the change was noticed.
pub fn before(spells: &[Spell], service: &BlueGreen, weights: [u64; 2]) -> Shares {
    let current = |spell: &Spell| {
        let of = |group: &String| u64::from(spell.weights.get(group).copied().unwrap_or_default());
        service.target_groups.each_ref().map(of) == weights
    };
    let changed = spells.last().is_some_and(current);
    Shares::of(&spells[..spells.len() - usize::from(changed)], service)
}

/// What was served while version 2 had this weight and version 1 the rest of a hundred.
pub fn at_weight(spells: &[Spell], service: &BlueGreen, green: u32) -> Shares {
    let [blue_group, green_group] = &service.target_groups;
    let wanted = BTreeMap::from([(blue_group.clone(), 100 - green), (green_group.clone(), green)]);
    Shares::of(spells.iter().filter(|spell| spell.weights == wanted), service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_that_was_served() {
        let shares = Shares { old: 360, new: 40, none: 0 };
        assert_eq!(shares.to_string(), "400 requests, 90.0% version 1, 10.0% version 2");
        let some = Shares { old: 361, new: 43, none: 4 };
        assert_eq!(some.since(&shares), Shares { old: 1, new: 3, none: 4 });
        assert_eq!(
            some.since(&shares).to_string(),
            "8 requests, 12.5% version 1, 37.5% version 2, 50.0% no version"
        );
        assert_eq!(Shares::default().to_string(), "0 requests, 0.0% version 1, 0.0% version 2");
    }
}
