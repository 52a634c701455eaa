//! The names of the rules that `migration-check` knows: what in a migration breaks, or stops,
//! the version that is still serving. `releases.yaml` and comments in the SQL allow by them.

use std::fmt;

/// One rule; what each refuses and the way out is told by lifecycle-hook's README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    AddColumnNotNull,
    SetNotNull,
    DropDefault,
    DropColumn,
    DropTable,
    DropType,
    RenameColumn,
    RenameTable,
    RenameType,
    ChangeColumnType,
    AddForeignKey,
    AddCheck,
    AddUnique,
    CreateIndex,
    DropIndex,
    ConcurrentlyInTransaction,
    TableRewrite,
    LockTable,
    Truncate,
    UnboundedWrite,
}

impl Rule {
    pub const ALL: [Self; 20] = [
        Self::AddColumnNotNull,
        Self::SetNotNull,
        Self::DropDefault,
        Self::DropColumn,
        Self::DropTable,
        Self::DropType,
        Self::RenameColumn,
        Self::RenameTable,
        Self::RenameType,
        Self::ChangeColumnType,
        Self::AddForeignKey,
        Self::AddCheck,
        Self::AddUnique,
        Self::CreateIndex,
        Self::DropIndex,
        Self::ConcurrentlyInTransaction,
        Self::TableRewrite,
        Self::LockTable,
        Self::Truncate,
        Self::UnboundedWrite,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AddColumnNotNull => "add-column-not-null",
            Self::SetNotNull => "set-not-null",
            Self::DropDefault => "drop-default",
            Self::DropColumn => "drop-column",
            Self::DropTable => "drop-table",
            Self::DropType => "drop-type",
            Self::RenameColumn => "rename-column",
            Self::RenameTable => "rename-table",
            Self::RenameType => "rename-type",
            Self::ChangeColumnType => "change-column-type",
            Self::AddForeignKey => "add-foreign-key",
            Self::AddCheck => "add-check",
            Self::AddUnique => "add-unique",
            Self::CreateIndex => "create-index",
            Self::DropIndex => "drop-index",
            Self::ConcurrentlyInTransaction => "concurrently-in-transaction",
            Self::TableRewrite => "table-rewrite",
            Self::LockTable => "lock-table",
            Self::Truncate => "truncate",
            Self::UnboundedWrite => "unbounded-write",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The database whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgresql,
    Mysql,
}

impl Dialect {
    pub const ALL: [Self; 2] = [Self::Postgresql, Self::Mysql];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
        }
    }
}
