//! Alarms without a place of their own in the document.

use crate::control::Cause;

/// An alarm of a part that has no place of its own in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct OtherAlarm {
    /// The same for as long as it lasts.
    pub(in crate::daemon) kind: String,
    pub(in crate::daemon) cause: Cause,
    pub(in crate::daemon) message: String,
}
