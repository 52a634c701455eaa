//! Where the story is printed: plain lines, and on a terminal some colour and one live line
//! below them.

use std::io::{IsTerminal as _, Write as _};

use cloud::{Ms, SECOND};

/// Columns of the live bar.
const BAR: u64 = 40;

pub struct Paper {
    terminal: bool,
    colour: bool,
    /// The time that lines count from.
    start: Option<Ms>,
}

impl Paper {
    pub fn new() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { terminal, colour: terminal && !no_colour, start: None }
    }

    /// Times are printed from this one on.
    pub fn count_from(&mut self, start: Ms) {
        self.start = Some(start);
    }

    /// One fact: when, about what, and what.
    pub fn line(&self, at: Ms, topic: &str, text: &str) {
        let time = self.start.map_or_else(String::new, |start| clock(at.saturating_sub(start)));
        let (bold, dim, plain) = self.styles();
        self.print(&format!("{dim}{time:>6}{plain}  {bold}{topic:<11}{plain} {}", short(text)));
    }

    /// More about the line before.
    pub fn detail(&self, text: &str) {
        self.print(&format!("{:21}{}", "", short(text)));
    }

    pub fn title(&self, text: &str) {
        self.print(text);
    }

    /// Where an act begins.
    pub fn act(&self, text: &str) {
        let (bold, _, plain) = self.styles();
        self.print("");
        self.print(&format!("{bold}{text}{plain}"));
    }

    fn styles(&self) -> (&'static str, &'static str, &'static str) {
        if self.colour { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") }
    }

    fn print(&self, line: &str) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        // Whoever read may be gone; what happened is in the exit code too.
        let _ = writeln!(std::io::stdout().lock(), "{clear}{line}");
    }

    /// The live line; nothing without a terminal.
    pub fn live(&self, old: u64, new: u64, text: &str) {
        if !self.terminal || old + new == 0 {
            return;
        }
        let filled = usize::try_from((BAR * new).div_ceil(old + new)).unwrap_or_default();
        let rest = usize::try_from(BAR).unwrap_or_default().saturating_sub(filled);
        let mut out = std::io::stdout().lock();
        let _ = write!(out, "\r\x1b[K        {}{} {text}", "░".repeat(rest), "█".repeat(filled));
        let _ = out.flush();
    }
}

impl Drop for Paper {
    /// No live line stays behind.
    fn drop(&mut self) {
        if self.terminal {
            let _ = write!(std::io::stdout(), "\r\x1b[K");
            let _ = std::io::stdout().flush();
        }
    }
}

/// To a hundredth, of virtual time.
pub fn seconds(span: Option<Ms>) -> String {
    span.map_or("at no time".to_owned(), |span| format!("{}.{:02} s", span / SECOND, span % SECOND / 10))
}

/// `mm:ss`, of virtual time.
fn clock(span: Ms) -> String {
    let seconds = span / SECOND;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// Digests and commit ids by their first digits.
pub fn short(text: &str) -> String {
    const LONG: usize = 40;
    const KEPT: usize = 12;
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (run, after) = rest.split_at(if digits == 0 { first.len_utf8() } else { digits });
        if digits >= LONG {
            out.push_str(&run[..KEPT]);
            out.push('…');
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_runs_of_hex_digits_are_shortened() {
        let digest = "ab12".repeat(16);
        assert_eq!(short(&format!("é api@sha256:{digest} → ok")), "é api@sha256:ab12ab12ab12… → ok");
        assert_eq!(short("d-ABCDEF123 of cafe"), "d-ABCDEF123 of cafe");
    }

    #[test]
    fn times_are_minutes_and_seconds() {
        assert_eq!((clock(0), clock(605_900)), ("00:00".into(), "10:05".into()));
    }
}
