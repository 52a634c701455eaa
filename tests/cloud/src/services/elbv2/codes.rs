//! Which statuses pass a health check.

/// Whether a status is among `200`, `200,202` or `200-299`.
pub fn fits(codes: &str, status: u16) -> bool {
    codes.split(',').any(|part| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let bound = |text: &str| text.trim().parse::<u16>().ok();
        bound(low).is_some_and(|low| low <= status) && bound(high).is_some_and(|high| status <= high)
    })
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn matchers_are_single_codes_lists_and_ranges() {
        let table = [("200", 200, true), ("200", 201, false), ("200,202", 202, true), ("200-299", 250, true)];
        for (codes, status, expected) in table.into_iter().chain([("200-299", 302, false), ("", 200, false)])
        {
            assert_eq!(fits(codes, status), expected, "{codes} {status}");
        }
    }
}
