//! NOTIFY (RFC 1996): a primary tells its secondaries that a zone changed.
//!
//! ```text
//! in:   message --> Notify::read --> source and key allowed? (Allowed) --> refresh
//! out:  a new serial --> Notifier --> TargetSlots --> messages, again with growing pauses until each target has answered
//! on:   a message at a service address --> Forwarding: one in an interval --> TargetSlots --> to the other POPs
//! ```
//!
//! Messages, serials and the time flow in; messages and facts flow out. No I/O. What a NOTIFY says is a hint: nothing is ever taken
//! from it but "look now".

mod allowed;
mod forwarding;
mod message;
mod notifier;
mod slots;
#[cfg(test)]
#[path = "../../../tests/unit/transfer/notify.rs"]
mod tests;

pub use allowed::{Allowed, AllowedSource};
pub use forwarding::Forwarding;
pub(super) use message::hint;
pub use message::{Notify, NotifyFault, read_answer, request, request_without_soa};
pub use notifier::{DueTarget, Notifier, Pauses, Send, Target, TargetStatus};
pub use slots::{NextNotify, QueuePlace, SlotOutcome, TargetSlots};
