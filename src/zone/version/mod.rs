//! Makes a version of a zone: from all of its records, from a difference, or from a whole zone of which little changed.
//!
//! The version before flows in and stays as it is; the next one, which shares what did not change, flows out.

pub(in crate::zone) mod amend;
pub(in crate::zone) mod amendment;
pub(in crate::zone) mod builder;
pub(in crate::zone) mod change;
pub(in crate::zone) mod edit;
pub(in crate::zone) mod effect;
pub(in crate::zone) mod exact;
pub(in crate::zone) mod ordered;
pub(in crate::zone) mod redeploy;
pub(in crate::zone) mod relink;
pub(in crate::zone) mod whole;
