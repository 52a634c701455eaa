//! lifecycle-hook: the checks that a new revision must pass at a lifecycle event, and one verdict.
