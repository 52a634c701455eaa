//! What the migration itself made: no version that serves knows it, so whatever is done to
//! it breaks none. And what of the session bears on that.

use std::collections::HashSet;

use shared::migration_rule::Dialect;

#[derive(Debug)]
pub(super) struct Schema {
    dialect: Dialect,
    /// Tables, views, sequences, types: certain not to have been there before.
    new: HashSet<String>,
    /// Made since BEGIN: a rollback takes them back.
    in_transaction: Option<Vec<String>>,
    /// Within a block whose statements may not all run, nothing is certain to be made.
    conditional: bool,
    /// MySQL checks the rows for a foreign key unless the session says no.
    pub(super) foreign_key_checks: bool,
}

impl Schema {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            new: HashSet::new(),
            in_transaction: None,
            conditional: false,
            foreign_key_checks: true,
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn is_new(&self, name: &str) -> bool {
        self.new.contains(name)
    }

    pub(super) fn made(&mut self, name: String) {
        if self.conditional {
            return;
        }
        if let Some(made) = &mut self.in_transaction {
            made.push(name.clone());
        }
        self.new.insert(name);
    }

    pub(super) fn gone(&mut self, name: &str) {
        self.new.remove(name);
    }

    /// Still in its schema, as RENAME TO has it.
    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        if self.new.remove(from) {
            let name = match (from.rsplit_once('.'), to.contains('.')) {
                (Some((schema, _)), false) => format!("{schema}.{to}"),
                _ => to.to_owned(),
            };
            self.made(name);
        } else {
            self.gone(to);
        }
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        self.in_transaction.is_some() || self.conditional
    }

    pub(super) fn began(&mut self) {
        self.in_transaction.get_or_insert_default();
    }

    pub(super) fn committed(&mut self) {
        self.in_transaction = None;
    }

    /// To a savepoint or to the beginning: nothing made since is certain to be there.
    pub(super) fn rolled_back(&mut self, to: RolledBack) {
        for name in self.in_transaction.take().unwrap_or_default() {
            self.new.remove(&name);
        }
        if let RolledBack::ToSavepoint = to {
            self.began();
        }
    }

    /// Names without a schema mean other things from now on.
    pub(super) fn moved(&mut self) {
        self.new.retain(|name| name.contains('.'));
    }

    pub(super) fn conditionally<T>(&mut self, enter: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.conditional, true);
        let result = enter(self);
        self.conditional = before;
        result
    }
}

#[derive(Clone, Copy)]
pub(super) enum RolledBack {
    ToBegin,
    ToSavepoint,
}
