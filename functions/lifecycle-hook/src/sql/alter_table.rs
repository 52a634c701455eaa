//! ALTER TABLE, action by action: what the parser crate does not know is read word by word.

mod mysql;
mod postgresql;

use shared::migration_rule::{Dialect, Rule};
use sqlparser::ast::{
    AlterColumnOperation, AlterTableOperation, ColumnOption, GeneratedAs, RenameTableNameKind, Statement,
    TableConstraint,
};
use sqlparser::tokenizer::Token;

use super::column;
use super::cursor::{Cursor, split_commas};
use super::judge::{Judged, Verdict, refused, unknown};
use super::parse;
use super::schema::Schema;

/// What a statement of MySQL says of how it is carried out. What it states, the server does
/// or refuses; what it does not state, the server may fall back from:
/// dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Online {
    instant: bool,
    lock_none: bool,
    copies: bool,
    holds_lock: bool,
}

impl Online {
    pub(super) fn note(&mut self, what: &str, value: &str) -> Option<()> {
        let value = value.to_ascii_uppercase();
        match (what, value.as_str()) {
            ("ALGORITHM", "INSTANT") => self.instant = true,
            ("ALGORITHM", "COPY") => self.copies = true,
            ("LOCK", "NONE") => self.lock_none = true,
            ("LOCK", "SHARED" | "EXCLUSIVE") => self.holds_lock = true,
            ("ALGORITHM", "INPLACE" | "DEFAULT") | ("LOCK", "DEFAULT") => {}
            _ => return None,
        }
        Some(())
    }

    /// The serving version reads and writes meanwhile, or the statement fails.
    pub(super) fn is_stated(&self) -> bool {
        self.instant || self.lock_none
    }

    pub(super) fn locks(&self) -> bool {
        self.copies || self.holds_lock
    }

    /// Only the description of the table changes.
    pub(super) fn is_metadata(&self) -> bool {
        self.instant
    }
}

/// One ALTER TABLE, as its actions need to know it.
#[derive(Debug, Clone)]
struct Table {
    name: String,
    is_new: bool,
    online: Online,
    actions: Vec<String>,
}

pub(super) fn alter_table(schema: &mut Schema, mut cursor: Cursor) -> Verdict {
    cursor.eat("IF EXISTS");
    cursor.eat("ONLY");
    let Some(name) = cursor.name() else { return unknown("cannot be parsed: which table?") };
    cursor.eat_token(&Token::Mul);
    if schema.dialect() == Dialect::Postgresql && cursor.eat("ATTACH PARTITION") {
        return postgresql::attach(schema, cursor).unwrap_or_else(|| unknown("cannot be parsed"));
    }
    let actions = match of_partitions(cursor) {
        true => vec![cursor.rest()],
        false => split_commas(cursor.rest()),
    };
    let mut table =
        Table { is_new: schema.is_new(&name), name, online: Online::default(), actions: Vec::new() };
    for action in &actions {
        let mut action = Cursor::new(action, schema.dialect());
        let _ = how(&mut action, &mut table.online);
        table.actions.extend(action.eat_one(&["ADD PRIMARY KEY"]).map(str::to_owned));
    }
    let mut verdict = Verdict::new();
    for action in actions {
        verdict.extend(judge(schema, &table, action));
    }
    if verdict.iter().any(|judged| !is_on_new(judged)) {
        schema.doubted(&table.name);
    }
    let probably_new = schema.is_probably_new(&table.name);
    verdict.retain(|judged| !(table.forgives(judged) || probably_new && is_on_new(judged)));
    if !table.is_new && table.online.copies {
        verdict.extend(refused(Rule::TableRewrite));
    }
    if !table.is_new && table.online.holds_lock {
        verdict.extend(refused(Rule::LockTable));
    }
    verdict
}

/// `DROP PARTITION p1, p2` of MySQL is one action, and the only one.
fn of_partitions(mut cursor: Cursor) -> bool {
    cursor.dialect() == Dialect::Mysql
        && cursor.eat_one(&["DROP PARTITION", "TRUNCATE PARTITION", "REORGANIZE PARTITION"]).is_some()
}

/// `ALGORITHM = INPLACE`, `LOCK = NONE`
fn how(action: &mut Cursor, online: &mut Online) -> Option<()> {
    let mut ahead = *action;
    let what = ahead.eat_one(&["ALGORITHM", "LOCK"])?;
    ahead.eat_token(&Token::Eq);
    let value = ahead.word()?;
    online.note(what, &value.value)?;
    ahead.is_done().then(|| *action = ahead)
}

impl Table {
    fn forgives(&self, judged: &Judged) -> bool {
        let Judged::Refused(rule) = judged else { return false };
        self.is_new || (self.online.is_stated() && is_about_locks(*rule))
    }
}

/// A stated LOCK=NONE ends what these refuse: the server does it without a lock or not at
/// all. A change of type that it does so is none of the kind that copies.
fn is_about_locks(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::AddForeignKey
            | Rule::AddCheck
            | Rule::AddUnique
            | Rule::CreateIndex
            | Rule::DropIndex
            | Rule::TableRewrite
            | Rule::ChangeColumnType
    )
}

/// What is done to a table that has just been made IF NOT EXISTS, and ends in no time if it
/// is empty. If it was there before, the harm is a lock, and ends with it: what follows
/// CREATE TABLE is hardly ever done to a table that was there. A column that is added,
/// changed or dropped is: a new table would have been made with it.
fn is_on_new(judged: &Judged) -> bool {
    use Rule::{AddCheck, AddForeignKey, AddUnique, CreateIndex};
    matches!(judged, Judged::Refused(AddForeignKey | AddCheck | AddUnique | CreateIndex))
}

fn judge(schema: &mut Schema, table: &Table, action: &[Token]) -> Verdict {
    let mut cursor = Cursor::new(action, schema.dialect());
    let read = match schema.dialect() {
        Dialect::Postgresql => postgresql::action(schema, table, cursor),
        Dialect::Mysql if how(&mut cursor, &mut Online::default()).is_some() => Some(Verdict::new()),
        Dialect::Mysql => mysql::action(schema, table, cursor),
    };
    read.unwrap_or_else(|| match parsed(action, schema.dialect()) {
        Ok(operation) => operations(schema, table, operation),
        Err(why) => unknown(why),
    })
}

/// The action as the parser crate reads it, on a table of its own.
fn parsed(action: &[Token], dialect: Dialect) -> Result<Vec<AlterTableOperation>, String> {
    let head = ["ALTER", "TABLE", "t"].into_iter().map(Token::make_keyword);
    match parse::statement(head.chain(action.iter().cloned()).collect(), dialect)? {
        Statement::AlterTable(alter) => Ok(alter.operations),
        _ => Err("cannot be parsed".to_owned()),
    }
}

fn operations(schema: &mut Schema, table: &Table, operations: Vec<AlterTableOperation>) -> Verdict {
    operations.into_iter().flat_map(|operation| self::operation(schema, table, operation)).collect()
}

fn operation(schema: &mut Schema, table: &Table, operation: AlterTableOperation) -> Verdict {
    use AlterTableOperation as Op;
    match operation {
        Op::AddColumn { column_def, .. } => {
            schema.doubted(&table.name);
            column::added(schema, &column_def).into_iter().map(Judged::Refused).collect()
        }
        Op::AddConstraint { constraint, not_valid } => {
            constrained(schema, &constraint, Validates::of(not_valid))
        }
        Op::DropColumn { .. } => refused(Rule::DropColumn),
        Op::RenameColumn { .. } => refused(Rule::RenameColumn),
        Op::RenameTable { table_name } => {
            let (RenameTableNameKind::As(name) | RenameTableNameKind::To(name)) = table_name;
            schema.renamed(&table.name, &name.to_string());
            refused(Rule::RenameTable)
        }
        Op::AlterColumn { op, .. } => altered(&op),
        Op::ModifyColumn { options, .. } => retyped(table, &options),
        Op::ChangeColumn { old_name, new_name, options, .. } => {
            let mut verdict = retyped(table, &options);
            // MySQL's columns know no case.
            if !old_name.value.eq_ignore_ascii_case(&new_name.value) {
                verdict.extend(refused(Rule::RenameColumn));
            }
            verdict
        }
        Op::DropConstraint { .. } | Op::RenameConstraint { .. } | Op::ValidateConstraint { .. } => {
            Verdict::new()
        }
        _ => unknown("no rule judges this action of ALTER TABLE"),
    }
}

fn altered(operation: &AlterColumnOperation) -> Verdict {
    match operation {
        AlterColumnOperation::SetNotNull => refused(Rule::SetNotNull),
        AlterColumnOperation::DropDefault => refused(Rule::DropDefault),
        AlterColumnOperation::SetDataType { .. } => refused(Rule::ChangeColumnType),
        AlterColumnOperation::DropNotNull | AlterColumnOperation::SetDefault { .. } => Verdict::new(),
        // ALWAYS refuses a value that the serving version may write.
        AlterColumnOperation::AddGenerated { generated_as: Some(GeneratedAs::ByDefault), .. } => {
            Verdict::new()
        }
        AlterColumnOperation::AddGenerated { .. } => refused(Rule::ChangeColumnType),
    }
}

/// MODIFY and CHANGE say the whole column anew, and what it was is not known.
fn retyped(table: &Table, options: &[ColumnOption]) -> Verdict {
    if table.online.is_metadata() {
        return Verdict::new();
    }
    let mut verdict = refused(Rule::ChangeColumnType);
    if options.iter().any(|option| matches!(option, ColumnOption::NotNull)) {
        verdict.extend(refused(Rule::SetNotNull));
    }
    verdict
}

#[derive(Clone, Copy)]
enum Validates {
    Now,
    Later,
}

impl Validates {
    fn of(not_valid: bool) -> Self {
        if not_valid { Self::Later } else { Self::Now }
    }
}

fn constrained(schema: &Schema, constraint: &TableConstraint, validates: Validates) -> Verdict {
    match (constraint, validates) {
        (TableConstraint::ForeignKey(_) | TableConstraint::Check(_), Validates::Later)
        | (TableConstraint::PrimaryKeyUsingIndex(_) | TableConstraint::UniqueUsingIndex(_), _) => {
            Verdict::new()
        }
        (TableConstraint::ForeignKey(_), Validates::Now) => match schema.foreign_key_checks {
            true => refused(Rule::AddForeignKey),
            false => Verdict::new(),
        },
        (TableConstraint::Check(check), Validates::Now) => match check.enforced {
            Some(false) => Verdict::new(),
            _ => refused(Rule::AddCheck),
        },
        (TableConstraint::Unique(_) | TableConstraint::PrimaryKey(_) | TableConstraint::Exclude(_), _) => {
            refused(Rule::AddUnique)
        }
        (TableConstraint::Index(_), _) => Verdict::new(),
        // The first FULLTEXT index of a table rebuilds it, and each holds a shared lock.
        (TableConstraint::FulltextOrSpatial(_), _) => refused(Rule::CreateIndex),
    }
}
