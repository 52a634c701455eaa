//! alarm: from an alarm that went red to the stop or the rollback of what it guards.
