//! What each rule tells who broke it, and which of them end an older version's life.

use shared::migration_rule::Rule;

/// What to write instead; README has the whole.
pub fn way_out(rule: Rule) -> &'static str {
    match rule {
        Rule::AddColumnNotNull => {
            "the serving version inserts rows without this column; give it a DEFAULT, or add it nullable"
        }
        Rule::SetNotNull => {
            "the serving version may write NULL; first release a version that never does, then allow this rule"
        }
        Rule::DropDefault => {
            "the serving version may leave the column out; first release a version that always writes it, then \
             allow this rule"
        }
        Rule::DropColumn => {
            "the serving version may read it; first release a version that does not, then allow this rule"
        }
        Rule::DropTable => {
            "the serving version may read it; first release a version that does not, then allow this rule"
        }
        Rule::DropType => {
            "the serving version may use it; first release a version that does not, then allow this rule (a function \
             that is made again: CREATE OR REPLACE)"
        }
        Rule::RenameColumn => {
            "the serving version knows the old name; add a new column, write both, move the readers, drop the old one"
        }
        Rule::RenameTable => {
            "the serving version knows the old name; leave it, or keep the old name as a view and allow this rule"
        }
        Rule::RenameType => "the serving version knows the old name; make a new type beside it",
        Rule::ChangeColumnType => {
            "it may rewrite the table under lock, and the serving version knows the old type; add a new column, \
             write both, move the readers (MySQL: a change that is metadata alone passes with ALGORITHM=INSTANT)"
        }
        Rule::AddForeignKey => {
            "it checks every row under lock; add it NOT VALID, then VALIDATE CONSTRAINT (MySQL: SET \
             foreign_key_checks = 0, or state LOCK=NONE)"
        }
        Rule::AddCheck => {
            "it checks every row under lock; add it NOT VALID, then VALIDATE CONSTRAINT (MySQL: NOT ENFORCED)"
        }
        Rule::AddUnique => {
            "it builds its index under lock; CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX \
             (MySQL: state ALGORITHM=INPLACE, LOCK=NONE)"
        }
        Rule::CreateIndex => {
            "it blocks writes until it is built; CREATE INDEX CONCURRENTLY (MySQL: state LOCK=NONE)"
        }
        Rule::DropIndex => {
            "it waits under lock for all who read; DROP INDEX CONCURRENTLY (MySQL: state LOCK=NONE)"
        }
        Rule::ConcurrentlyInTransaction => {
            "PostgreSQL refuses CONCURRENTLY in a transaction; run it in a migration of its own without BEGIN"
        }
        Rule::TableRewrite => {
            "it rewrites the whole table under lock; add the column without it, and fill it in batches (MySQL: state \
             ALGORITHM=INPLACE, LOCK=NONE)"
        }
        Rule::LockTable => "it stops the serving version; leave the lock out",
        Rule::Truncate => "the rows are the serving version's; delete those that are not needed, in batches",
        Rule::UnboundedWrite => "it locks every row until it ends; write in batches, each with its WHERE",
    }
}

/// Once this was allowed and ran, versions from before may no longer work: what they read is
/// gone, or what they write is refused. The rules that are about locks alone end nobody's
/// life: when the lock is gone, so is their harm. Constraints are among those, since the way
/// out (NOT VALID, CONCURRENTLY) ends in the same constraint and is no contraction either.
pub fn contracts(rule: Rule) -> bool {
    match rule {
        Rule::AddColumnNotNull
        | Rule::SetNotNull
        | Rule::DropDefault
        | Rule::DropColumn
        | Rule::DropTable
        | Rule::DropType
        | Rule::RenameColumn
        | Rule::RenameTable
        | Rule::RenameType
        | Rule::ChangeColumnType => true,
        Rule::AddForeignKey
        | Rule::AddCheck
        | Rule::AddUnique
        | Rule::CreateIndex
        | Rule::DropIndex
        | Rule::ConcurrentlyInTransaction
        | Rule::TableRewrite
        | Rule::LockTable
        | Rule::Truncate
        | Rule::UnboundedWrite => false,
    }
}
