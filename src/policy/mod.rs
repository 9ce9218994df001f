//! Facts in, a decision per prefix out. Pure: no I/O, no clock; `now` is an argument.

mod facts;

pub use facts::{Decision, Facts, Intent, Operator, PrefixDecision, Probe, Reason};
