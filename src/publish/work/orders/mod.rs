//! What an operator, a source or a catalog orders.

pub(in crate::publish) mod hold;
pub(in crate::publish) mod members;
pub(in crate::publish) mod order;
pub(in crate::publish) mod removed;
pub(in crate::publish) mod zone_orders;
