//! Smooth weighted round robin: any run of requests is split as exactly as whole
//! numbers allow, where an ALB draws by chance and is right only on average.

use std::collections::BTreeMap;

#[derive(Debug, Clone, Default)]
pub struct Rotation {
    credit: BTreeMap<String, i64>,
}

impl Rotation {
    /// Index of the next choice among `(name, weight)`; `None` if no weight is above 0.
    pub fn next(&mut self, choices: &[(String, u32)]) -> Option<usize> {
        self.credit.retain(|name, _| choices.iter().any(|(n, _)| n == name));
        let total: i64 = choices.iter().map(|(_, weight)| i64::from(*weight)).sum();
        let mut best: Option<(usize, i64)> = None;
        for (n, (name, weight)) in choices.iter().enumerate().filter(|(_, (_, weight))| *weight > 0) {
            let credit = self.credit.entry(name.clone()).or_default();
            *credit += i64::from(*weight);
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((n, *credit));
            }
        }
        let (n, _) = best?;
        *self.credit.entry(choices[n].0.clone()).or_default() -= total;
        Some(n)
    }
}

#[cfg(test)]
mod tests {
    use super::Rotation;

    fn shares(rotation: &mut Rotation, choices: &[(String, u32)], requests: usize) -> Vec<usize> {
        let mut counts = vec![0; choices.len()];
        for _ in 0..requests {
            counts[rotation.next(choices).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn a_tenth_of_any_thousand_requests_goes_to_a_weight_of_ten() {
        let choices = [("blue".to_owned(), 90), ("green".to_owned(), 10)];
        assert_eq!(shares(&mut Rotation::default(), &choices, 1_000), [900, 100]);
    }

    #[test]
    fn a_weight_of_zero_gets_nothing_even_after_it_had_some() {
        let mut rotation = Rotation::default();
        shares(&mut rotation, &[("blue".to_owned(), 50), ("green".to_owned(), 50)], 7);
        assert_eq!(shares(&mut rotation, &[("blue".to_owned(), 100), ("green".to_owned(), 0)], 50), [50, 0]);
        assert_eq!(rotation.next(&[("blue".to_owned(), 0)]), None);
    }
}
