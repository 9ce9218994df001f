//! What the state directory keeps: what the core has of it in memory, and what is read and written of it.

pub(in crate::publish) mod forgotten;
pub(in crate::publish) mod held_zones;
pub(in crate::publish) mod keeping;
pub(in crate::publish) mod kept_state;
pub(in crate::publish) mod member_list;
pub(in crate::publish) mod member_rows;
pub(in crate::publish) mod removed_list;
