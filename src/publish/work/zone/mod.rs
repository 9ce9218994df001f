//! What is done to one zone: check, compile, judge, persist, publish.

pub(in crate::publish) mod apply;
pub(in crate::publish) mod check;
pub(in crate::publish) mod check_context;
pub(in crate::publish) mod entry;
pub(in crate::publish) mod file_away;
pub(in crate::publish) mod file_place;
pub(in crate::publish) mod include_watch;
pub(in crate::publish) mod includes;
pub(in crate::publish) mod kept;
pub(in crate::publish) mod offers;
pub(in crate::publish) mod rollbacks;
pub(in crate::publish) mod steps;
pub(in crate::publish) mod zones_below;
