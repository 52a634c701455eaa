//! A column that is added to a table which the serving version writes.

use std::ops::ControlFlow;

use shared::migration_rule::{Dialect, Rule};
use sqlparser::ast::{
    ColumnDef, ColumnOption, DataType, Expr, GeneratedExpressionMode, Value, visit_expressions,
};
use sqlparser::tokenizer::Token;

use super::schema::Schema;

pub(super) fn added(schema: &Schema, column: &ColumnDef) -> Vec<Rule> {
    let dialect = schema.dialect();
    let traits = Traits::of(column, dialect);
    let mut rules = Vec::new();
    if traits.not_null && !traits.filled {
        rules.push(Rule::AddColumnNotNull);
    }
    if traits.rewrites {
        rules.push(Rule::TableRewrite);
    }
    if traits.unique {
        rules.push(Rule::AddUnique);
    }
    if traits.checked {
        rules.push(Rule::AddCheck);
    }
    // PostgreSQL skips the check of a column that is NULL in every row (transformFKConstraints).
    let checks_rows = match dialect {
        Dialect::Postgresql => traits.filled,
        Dialect::Mysql => schema.foreign_key_checks,
    };
    if traits.references && checks_rows {
        rules.push(Rule::AddForeignKey);
    }
    rules
}

#[derive(Default)]
struct Traits {
    not_null: bool,
    /// Every row gets a value that nobody wrote.
    filled: bool,
    /// Each row gets one of its own, which must be written.
    rewrites: bool,
    unique: bool,
    checked: bool,
    references: bool,
}

impl Traits {
    fn of(column: &ColumnDef, dialect: Dialect) -> Self {
        let mut traits = Self::default();
        if is_serial(&column.data_type) {
            (traits.filled, traits.rewrites) = (true, true);
        }
        for option in &column.options {
            traits.note(&option.option, dialect);
        }
        traits
    }

    fn note(&mut self, option: &ColumnOption, dialect: Dialect) {
        match option {
            ColumnOption::NotNull => self.not_null = true,
            ColumnOption::PrimaryKey(_) => (self.not_null, self.unique) = (true, true),
            ColumnOption::Unique(_) => self.unique = true,
            ColumnOption::Check(check) => self.checked |= check.enforced != Some(false),
            ColumnOption::ForeignKey(_) => self.references = true,
            ColumnOption::Default(value) if is_null(value) => {}
            ColumnOption::Default(value) => {
                self.filled = true;
                self.rewrites |= is_volatile(value, dialect);
            }
            ColumnOption::Generated { generation_expr_mode, generation_expr, .. } => {
                self.filled = true;
                let computed_on_read = match generation_expr_mode {
                    Some(GeneratedExpressionMode::Virtual) => true,
                    Some(GeneratedExpressionMode::Stored) => false,
                    // MySQL's are virtual unless they say STORED.
                    None => dialect == Dialect::Mysql && generation_expr.is_some(),
                };
                self.rewrites |= !computed_on_read;
            }
            // MySQL adds no AUTO_INCREMENT beside writers.
            ColumnOption::DialectSpecific(tokens) if is_auto_increment(tokens) => {
                (self.filled, self.rewrites) = (true, true);
            }
            _ => {}
        }
    }
}

fn is_serial(data_type: &DataType) -> bool {
    let name = data_type.to_string().to_ascii_lowercase();
    ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"].contains(&name.as_str())
}

fn is_auto_increment(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| token.to_string().eq_ignore_ascii_case("auto_increment"))
}

fn is_null(value: &Expr) -> bool {
    match value {
        Expr::Value(value) => value.value == Value::Null,
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_null(expr),
        _ => false,
    }
}

/// Functions that give the same to all rows of one statement: the default is computed once
/// and no row is written. Of one that is not known here, the worst is awaited.
const STABLE: [&str; 34] = [
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "transaction_timestamp",
    "statement_timestamp",
    "current_user",
    "session_user",
    "user",
    "current_setting",
    "timezone",
    "date_trunc",
    "to_timestamp",
    "make_interval",
    "extract",
    "coalesce",
    "nullif",
    "lower",
    "upper",
    "md5",
    "length",
    "concat",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "array_fill",
    "to_char",
    "to_jsonb",
    "decode",
    "abs",
    "floor",
];

fn is_volatile(value: &Expr, dialect: Dialect) -> bool {
    let found = visit_expressions(value, |expr| match expr {
        Expr::Function(function) if !is_stable(&function.name.to_string(), dialect) => ControlFlow::Break(()),
        Expr::Subquery(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// MySQL fills by an expression only row by row; the time of the statement is no expression.
fn is_stable(name: &str, dialect: Dialect) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    match dialect {
        Dialect::Postgresql => STABLE.contains(&name),
        Dialect::Mysql => ["now", "current_timestamp", "localtime", "localtimestamp"].contains(&name),
    }
}
