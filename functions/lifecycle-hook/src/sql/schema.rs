//! What the migration itself made: no version that serves knows it, so whatever is done to
//! it breaks none. And what of the session bears on that.

use std::collections::HashSet;

use shared::migration_rule::Dialect;

#[derive(Debug)]
pub(super) struct Schema {
    dialect: Dialect,
    /// Tables, views, sequences, types: certain not to have been there before.
    new: HashSet<String>,
    /// Made IF NOT EXISTS: new, unless what is done to it later tells otherwise.
    probably_new: HashSet<String>,
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
            probably_new: HashSet::new(),
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

    /// Enough where the harm would be a lock, which ends; not where something is taken away.
    pub(super) fn is_probably_new(&self, name: &str) -> bool {
        self.is_new(name) || self.probably_new.contains(name)
    }

    pub(super) fn made(&mut self, name: String) {
        if self.noted(&name) {
            self.new.insert(name);
        }
    }

    pub(super) fn made_if_not_exists(&mut self, name: String) {
        if self.noted(&name) {
            self.probably_new.insert(name);
        }
    }

    /// Whether what is made here is certain to be made.
    fn noted(&mut self, name: &str) -> bool {
        if let (Some(made), false) = (&mut self.in_transaction, self.conditional) {
            made.push(name.to_owned());
        }
        !self.conditional
    }

    /// It is treated as a table that was there before.
    pub(super) fn doubted(&mut self, name: &str) {
        self.probably_new.remove(name);
    }

    pub(super) fn gone(&mut self, name: &str) {
        self.new.remove(name);
        self.probably_new.remove(name);
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
            self.gone(from);
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
            self.gone(&name);
        }
        if let RolledBack::ToSavepoint = to {
            self.began();
        }
    }

    /// Names without a schema mean other things from now on.
    pub(super) fn moved(&mut self) {
        self.new.retain(|name| name.contains('.'));
        self.probably_new.retain(|name| name.contains('.'));
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
