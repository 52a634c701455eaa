//! Metric math: expressions over series, read by recursive descent and worked out at once.

use std::collections::BTreeMap;

use super::functions;
use super::metrics::{Series, Span};
use crate::fault::Fault;

/// What an expression amounts to.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    Number(f64),
    Series(Series),
    /// Series, each with the id it comes from.
    List(Vec<(String, Series)>),
    Text(String),
}

/// What an expression may refer to.
pub struct Scope<'a> {
    /// By id.
    pub values: &'a BTreeMap<String, Data>,
    /// Ids of the request's metrics, in order: what `METRICS()` gives.
    pub metrics: &'a [String],
    /// What `FILL` fills.
    pub span: Span,
}

pub fn evaluate(expression: &str, scope: &Scope) -> Result<Data, Fault> {
    let tokens = tokens(expression)?;
    let mut parser = Parser { tokens: &tokens, at: 0, scope, expression };
    let value = parser.any_of(&LEVELS)?;
    if parser.at < tokens.len() { Err(parser.wrong()) } else { Ok(value) }
}

/// The ids that an expression mentions; functions' names are in capitals, ids are not.
pub fn ids(expression: &str) -> Result<Vec<String>, Fault> {
    let word = |token| match token {
        Token::Word(word) if word.starts_with(|c: char| c.is_ascii_lowercase()) => Some(word),
        _ => None,
    };
    Ok(tokens(expression)?.into_iter().filter_map(word).collect())
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Word(String),
    Text(String),
    Sign(String),
}

fn tokens(expression: &str) -> Result<Vec<Token>, Fault> {
    let pattern = regex::Regex::new(
        r#"^\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|"([^"]*)"|'([^']*)'|(==|!=|<=|>=|&&|\|\||[-+*/^()<>,\[\]]))"#,
    )
    .map_err(|error| super::validation(error.to_string()))?;
    let mut rest = expression.trim_end();
    let mut tokens = Vec::new();
    while let Some(found) = pattern.captures(rest) {
        let group = |n| found.get(n).map(|part| part.as_str().to_owned());
        let number = group(1).and_then(|digits| digits.parse().ok()).map(Token::Number);
        let quoted = group(3).or_else(|| group(4)).map(Token::Text);
        let token = number.or(group(2).map(Token::Word)).or(quoted).or(group(5).map(Token::Sign));
        tokens.extend(token);
        rest = &rest[found[0].len()..];
    }
    if rest.is_empty() { Ok(tokens) } else { Err(invalid(expression, rest)) }
}

fn invalid(expression: &str, at: &str) -> Fault {
    let place = if at.is_empty() { "the end" } else { at };
    super::validation(format!("Error in expression '{expression}': Invalid syntax at {place}"))
}

type Operator = fn(f64, f64) -> f64;

fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// Operators by precedence, the loosest first.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("||", |a, b| truth(a != 0.0 || b != 0.0)), ("OR", |a, b| truth(a != 0.0 || b != 0.0))],
    &[("&&", |a, b| truth(a != 0.0 && b != 0.0)), ("AND", |a, b| truth(a != 0.0 && b != 0.0))],
    &[
        ("==", |a, b| truth(a.total_cmp(&b).is_eq())),
        ("!=", |a, b| truth(a.total_cmp(&b).is_ne())),
        ("<=", |a, b| truth(a <= b)),
        (">=", |a, b| truth(a >= b)),
        ("<", |a, b| truth(a < b)),
        (">", |a, b| truth(a > b)),
    ],
    &[("+", |a, b| a + b), ("-", |a, b| a - b)],
    &[("*", |a, b| a * b), ("/", |a, b| a / b)],
    &[("^", f64::powf)],
];

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    scope: &'a Scope<'a>,
    expression: &'a str,
}

impl Parser<'_> {
    fn wrong(&self) -> Fault {
        let at = self.tokens.get(self.at).map(|token| format!("{token:?}")).unwrap_or_default();
        invalid(self.expression, &at)
    }

    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn sign(&mut self, sign: &str) -> bool {
        let fits = matches!(self.tokens.get(self.at), Some(Token::Sign(s) | Token::Word(s)) if s == sign);
        self.at += usize::from(fits);
        fits
    }

    fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.sign(sign) { Ok(()) } else { Err(self.wrong()) }
    }

    fn any_of(&mut self, levels: &[&[(&str, Operator)]]) -> Result<Data, Fault> {
        let Some((level, tighter)) = levels.split_first() else { return self.operand() };
        let mut left = self.any_of(tighter)?;
        while let Some((_, operator)) = level.iter().find(|(sign, _)| self.sign(sign)) {
            let right = self.any_of(tighter)?;
            left = functions::zip(&left, &right, *operator)?;
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Data, Fault> {
        if self.sign("-") {
            return functions::map(self.operand()?, |value| -value);
        }
        if self.sign("(") {
            let value = self.any_of(&LEVELS)?;
            self.expect(")")?;
            return Ok(value);
        }
        if self.sign("[") {
            let items = self.arguments("]")?;
            return functions::list(items);
        }
        match self.next() {
            Some(Token::Number(value)) => Ok(Data::Number(value)),
            Some(Token::Text(text)) => Ok(Data::Text(text)),
            Some(Token::Word(name)) if self.sign("(") => {
                let arguments = self.arguments(")")?;
                functions::call(&name, arguments, self.scope)
            }
            Some(Token::Word(name)) => self.word(name),
            _ => {
                self.at -= 1;
                Err(self.wrong())
            }
        }
    }

    fn word(&self, name: String) -> Result<Data, Fault> {
        match self.scope.values.get(&name) {
            Some(value) => Ok(value.clone()),
            None if name == "REPEAT" || name == "LINEAR" => Ok(Data::Text(name)),
            None => Err(super::validation(format!(
                "Error in expression '{}': Undefined symbol '{name}'",
                self.expression
            ))),
        }
    }

    fn arguments(&mut self, end: &str) -> Result<Vec<Data>, Fault> {
        let mut arguments = Vec::new();
        if self.sign(end) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.any_of(&LEVELS)?);
            if !self.sign(",") {
                self.expect(end)?;
                return Ok(arguments);
            }
        }
    }
}
