//! What the core has in memory of what the state directory keeps.

pub(in crate::publish) mod keeping;
pub(in crate::publish) mod kept_state;
pub(in crate::publish) mod member_list;
pub(in crate::publish) mod removed_list;
