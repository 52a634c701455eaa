//! What reads and writes rows.

use std::ops::ControlFlow;

use shared::migration_rule::{Dialect, Rule};
use sqlparser::ast::{
    BinaryOperator, Cte, Delete, Expr, Function, FunctionArguments, Insert, ObjectName, Query, SetExpr,
    Statement, TableFactor, TableObject, Update, Value, Visit, Visitor,
};
use sqlparser::tokenizer::Token;

use super::create::named;
use super::cursor::{Cursor, is_word};
use super::judge::{IsNew, Judged, Verdict, refused, refused_unless, unknown};
use super::parse;
use super::schema::Schema;

pub(super) fn judge(schema: &mut Schema, mut tokens: Vec<Token>) -> Verdict {
    first_row(&mut tokens, schema.dialect());
    match parse::statement(tokens, schema.dialect()) {
        Ok(statement) => written(schema, &statement),
        Err(why) => unknown(why),
    }
}

/// Of the rows of an INSERT no rule judges any, and there may be thousands: one is parsed for
/// all. A row is what parentheses enclose, so nothing hides in those that are left out.
fn first_row(tokens: &mut Vec<Token>, dialect: Dialect) {
    let is_insert = tokens.first().is_some_and(|token| is_word(token, "INSERT") || is_word(token, "REPLACE"));
    let values = tokens.windows(2).position(|w| is_word(&w[0], "VALUES") && w[1] == Token::LParen);
    let (true, Some(values)) = (is_insert, values) else { return };
    let mut cursor = Cursor::new(&tokens[values + 1..], dialect);
    let mut ends = Vec::new();
    while cursor.group().is_some() {
        ends.push(tokens.len() - cursor.rest().len());
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    if let (Some(&first), Some(&last)) = (ends.first(), ends.last()) {
        tokens.drain(first..last);
    }
}

/// EXPLAIN and SHOW change nothing, but for EXPLAIN ANALYZE, which runs what it explains.
pub(super) fn look(tokens: Vec<Token>, dialect: Dialect) -> Verdict {
    if tokens.iter().any(|token| is_word(token, "ANALYZE")) {
        return unknown("EXPLAIN ANALYZE runs the statement");
    }
    match parse::statement(tokens, dialect) {
        Ok(_) => Verdict::new(),
        Err(why) => unknown(why),
    }
}

fn written(schema: &mut Schema, statement: &Statement) -> Verdict {
    match statement {
        Statement::Query(query) => queried(schema, query),
        Statement::Insert(insert) => inserted(schema, insert),
        Statement::Update(update) => updated(schema, update),
        Statement::Delete(delete) => deleted(schema, delete),
        // Its rows are those of a join: nothing bounds them.
        Statement::Merge(_) => refused(Rule::UnboundedWrite),
        _ => unknown("no rule judges a statement of this kind"),
    }
}

fn inserted(schema: &mut Schema, insert: &Insert) -> Verdict {
    if insert.overwrite {
        return unknown("no rule judges an INSERT that overwrites");
    }
    if !matches!(insert.table, TableObject::TableName(_)) {
        return unknown("an INSERT into what is no table");
    }
    match &insert.source {
        Some(source) => common_tables(schema, source),
        None => Verdict::new(),
    }
}

/// WITH may hide writes; in a SELECT by itself, functions are there to do something.
fn queried(schema: &mut Schema, query: &Query) -> Verdict {
    let mut verdict = common_tables(schema, query);
    match &*query.body {
        SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) | SetExpr::Merge(inner) => {
            verdict.extend(written(schema, inner));
        }
        body => verdict.extend(called(schema, body)),
    }
    verdict
}

fn common_tables(schema: &mut Schema, query: &Query) -> Verdict {
    let tables = query.with.iter().flat_map(|with| &with.cte_tables);
    tables.flat_map(|Cte { query, .. }| queried(schema, query)).collect()
}

fn updated(schema: &Schema, update: &Update) -> Verdict {
    let bounded = update.limit.is_some() || bounds(update.selection.as_ref());
    let target = relation(&update.table.relation);
    // More tables than one may be written to in MySQL.
    let new = update.table.joins.is_empty() && target.is_some_and(|name| is_new(schema, name));
    if bounded { Verdict::new() } else { unbounded(new) }
}

fn deleted(schema: &Schema, delete: &Delete) -> Verdict {
    use sqlparser::ast::FromTable;
    let bounded = delete.limit.is_some() || bounds(delete.selection.as_ref());
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let new = delete.tables.is_empty()
        && from.iter().all(|table| {
            table.joins.is_empty() && relation(&table.relation).is_some_and(|name| is_new(schema, name))
        });
    if bounded { Verdict::new() } else { unbounded(new) }
}

fn unbounded(new: bool) -> Verdict {
    refused_unless(if new { IsNew::Yes } else { IsNew::No }, Rule::UnboundedWrite)
}

fn is_new(schema: &Schema, name: &ObjectName) -> bool {
    schema.is_new(&named(name, schema.dialect()))
}

fn relation(factor: &TableFactor) -> Option<&ObjectName> {
    match factor {
        TableFactor::Table { name, args: None, .. } => Some(name),
        _ => None,
    }
}

/// A WHERE that is true of every row bounds nothing.
fn bounds(selection: Option<&Expr>) -> bool {
    match selection {
        None => false,
        Some(Expr::Nested(inner)) => bounds(Some(inner)),
        Some(Expr::Value(value)) => matches!(value.value, Value::Boolean(false) | Value::Null),
        Some(Expr::BinaryOp { left, op: BinaryOperator::Eq, right }) => left != right,
        Some(_) => true,
    }
}

/// Calls what is known to change nothing that another version sees.
fn called(schema: &mut Schema, body: &SetExpr) -> Verdict {
    let mut calls = Calls::default();
    let _ = body.visit(&mut calls);
    if calls.moves {
        schema.moved();
    }
    let unknown_calls = calls
        .unknown
        .into_iter()
        .map(|name| Judged::Unknown(format!("it calls {name}(), and what that does is not known here")));
    unknown_calls.collect()
}

#[derive(Default)]
struct Calls {
    unknown: Option<String>,
    /// It sets the search path.
    moves: bool,
}

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => self.call(function),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                self.named(&name.to_string())
            }
            TableFactor::TableFunction { .. } => self.named("TABLE"),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl Calls {
    fn call(&mut self, function: &Function) -> ControlFlow<()> {
        let name = function.name.to_string();
        // CURRENT_TIMESTAMP and its like have no parentheses, and need no name on a list.
        match function.args {
            FunctionArguments::None => ControlFlow::Continue(()),
            _ => self.named(&name),
        }
    }

    fn named(&mut self, name: &str) -> ControlFlow<()> {
        let name = name.to_ascii_lowercase();
        let bare = name.strip_prefix("pg_catalog.").unwrap_or(&name);
        self.moves |= bare == "set_config";
        if HARMLESS.contains(&bare) {
            return ControlFlow::Continue(());
        }
        self.unknown = Some(name);
        ControlFlow::Break(())
    }
}

const HARMLESS: [&str; 60] = [
    "array_agg",
    "array_length",
    "avg",
    "char_length",
    "coalesce",
    "col_description",
    "concat",
    "concat_ws",
    "count",
    "current_database",
    "current_schema",
    "current_schemas",
    "current_setting",
    "current_timestamp",
    "database",
    "date_trunc",
    "extract",
    "format",
    "format_type",
    "generate_series",
    "get_lock",
    "greatest",
    "group_concat",
    "has_table_privilege",
    "if",
    "ifnull",
    "json_agg",
    "jsonb_agg",
    "jsonb_array_elements",
    "jsonb_build_object",
    "json_build_object",
    "jsonb_typeof",
    "last_insert_id",
    "least",
    "length",
    "lower",
    "max",
    "md5",
    "min",
    "now",
    "nullif",
    "obj_description",
    "pg_advisory_lock",
    "pg_advisory_unlock",
    "pg_advisory_xact_lock",
    "pg_get_constraintdef",
    "pg_get_serial_sequence",
    "pg_notify",
    "pg_sleep",
    "release_lock",
    "replace",
    "row_number",
    "set_config",
    "setval",
    "string_agg",
    "sum",
    "to_regclass",
    "unnest",
    "upper",
    "version",
];
