//! `*` and `?` patterns, as listener rules and ArnLike conditions have them.

/// Whether the whole text fits.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((back, seen)) = star {
            star = Some((back, seen + 1));
            p = back + 1;
            t = seen + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    #[test]
    fn stars_and_question_marks_fit_the_whole_text_or_not_at_all() {
        let table = [
            ("/api/*", "/api/users", true),
            ("/api/*", "/apix", false),
            ("*.example.com", "www.example.com", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xxaxxb", true),
            ("*", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(super::fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
