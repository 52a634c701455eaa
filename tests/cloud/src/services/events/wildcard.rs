//! EventBridge's wildcards: `*` is any text, `\*` a star and `\\` a backslash.

#[derive(Debug, PartialEq)]
enum Part {
    Star,
    Char(char),
}

/// Whether this is a wildcard pattern. `Err` says why not.
pub fn check(pattern: &str) -> Result<(), String> {
    parts(pattern).map(drop)
}

fn parts(pattern: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut chars) = (Vec::new(), pattern.char_indices());
    while let Some((at, c)) = chars.next() {
        let part = match c {
            '*' if parts.last() == Some(&Part::Star) => {
                return Err(format!("consecutive wildcard characters at position {at}"));
            }
            '*' => Part::Star,
            '\\' => match chars.next() {
                Some((_, escaped @ ('*' | '\\'))) => Part::Char(escaped),
                _ => return Err(format!("invalid escape character at position {at}")),
            },
            c => Part::Char(c),
        };
        parts.push(part);
    }
    Ok(parts)
}

/// Whether the whole text fits.
pub fn fits(pattern: &str, text: &str) -> bool {
    let Ok(parts) = parts(pattern) else { return false };
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go on from if what follows the last star does not fit.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match (parts.get(p), star) {
            (Some(Part::Star), _) => {
                star = Some((p + 1, t));
                p += 1;
            }
            (Some(Part::Char(c)), _) if *c == text[t] => (p, t) = (p + 1, t + 1),
            (_, Some((after, seen))) => {
                star = Some((after, seen + 1));
                (p, t) = (after, seen + 1);
            }
            _ => return false,
        }
    }
    parts[p..].iter().all(|part| *part == Part::Star)
}

#[cfg(test)]
mod tests {
    use super::{check, fits};

    #[test]
    fn stars_fit_any_text_and_escaped_ones_a_star() {
        let table = [
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*.png", "x.png", true),
            ("*", "", true),
            ("*ab*ab", "xabxabxab", true),
            ("a?c", "a?c", true),
            ("a?c", "abc", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a\\\\*", "a\\b", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
        assert!(check("a**b").is_err() && check("a\\b").is_err() && check("a\\").is_err());
    }
}
