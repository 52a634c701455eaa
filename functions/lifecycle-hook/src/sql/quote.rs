//! Where a quoted stretch of SQL ends: strings, quoted names, dollar quotes, block comments.

use shared::migration_rule::Dialect;

/// The position behind the quote that closes the one at `at`; none if nothing closes it.
/// A doubled quote stands for itself; so does one behind a backslash where they escape.
pub(super) fn end(sql: &[u8], at: usize, dialect: Dialect) -> Option<usize> {
    let quote = *sql.get(at)?;
    let escapes = quote != b'`' && escapes(sql, at, quote, dialect);
    let mut i = at + 1;
    while let Some(&byte) = sql.get(i) {
        if byte == b'\\' && escapes {
            i += 2;
        } else if byte != quote {
            i += 1;
        } else if sql.get(i + 1) == Some(&quote) {
            i += 2;
        } else {
            return Some(i + 1);
        }
    }
    None
}

/// MySQL's strings know backslashes, PostgreSQL's only behind an E.
fn escapes(sql: &[u8], at: usize, quote: u8, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Mysql => true,
        Dialect::Postgresql => {
            let before = |n: usize| at.checked_sub(n).and_then(|i| sql.get(i)).copied();
            quote == b'\''
                && before(1).is_some_and(|b| b.eq_ignore_ascii_case(&b'e'))
                && !before(2).is_some_and(in_word)
        }
    }
}

/// A byte of a name, a keyword or a number.
pub(super) fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// PostgreSQL's `$tag$` at `at`, if one stands there.
pub(super) fn dollar_tag(sql: &str, at: usize) -> Option<&str> {
    let rest = sql.as_bytes().get(at + 1..)?;
    let len = rest.iter().position(|&b| b == b'$' || !in_word(b))?;
    let starts_well = rest.first().is_some_and(|b| !b.is_ascii_digit());
    (rest[len] == b'$' && starts_well).then(|| sql.get(at..at + len + 2)).flatten()
}

/// The position behind the comment whose `/*` stands at `at`. PostgreSQL's nest.
pub(super) fn block_comment(sql: &[u8], at: usize, dialect: Dialect) -> Option<usize> {
    let mut depth = 1;
    let mut i = at + 2;
    loop {
        match (*sql.get(i)?, sql.get(i + 1)) {
            (b'*', Some(b'/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return Some(i);
                }
            }
            (b'/', Some(b'*')) if dialect == Dialect::Postgresql => {
                depth += 1;
                i += 2;
            }
            _ => i += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(sql: &str, dialect: Dialect) -> Option<&str> {
        end(sql.as_bytes(), 0, dialect).map(|end| &sql[..end])
    }

    #[test]
    fn a_backslash_escapes_in_mysql_alone() {
        assert_eq!(ends(r"'it\'s' x", Dialect::Mysql), Some(r"'it\'s'"));
        assert_eq!(ends(r"'it\'s' x", Dialect::Postgresql), Some(r"'it\'"));
        let escaped = r"E'it\'s' x";
        assert_eq!(end(escaped.as_bytes(), 1, Dialect::Postgresql), Some(8));
        let cast = r"date'\' x";
        assert_eq!(end(cast.as_bytes(), 4, Dialect::Postgresql), Some(7));
    }

    #[test]
    fn a_doubled_quote_stands_for_itself() {
        for dialect in Dialect::ALL {
            assert_eq!(ends("'a''b' c", dialect), Some("'a''b'"));
            assert_eq!(ends("'a''b", dialect), None);
        }
    }

    #[test]
    fn a_dollar_tag_is_a_name_between_dollars() {
        assert_eq!(dollar_tag("$$ x $$", 0), Some("$$"));
        assert_eq!(dollar_tag("$body$ x", 0), Some("$body$"));
        assert_eq!(dollar_tag("$é$ x", 0), Some("$é$"));
        for none in ["$1$ x", "$1", "$", "$a b$"] {
            assert_eq!(dollar_tag(none, 0), None, "{none}");
        }
    }

    #[test]
    fn comments_nest_in_postgresql_alone() {
        let sql = "/* a /* b */ c */ d";
        assert_eq!(block_comment(sql.as_bytes(), 0, Dialect::Postgresql), Some(17));
        assert_eq!(block_comment(sql.as_bytes(), 0, Dialect::Mysql), Some(12));
        assert_eq!(block_comment(b"/*/ x", 0, Dialect::Mysql), None);
    }
}
