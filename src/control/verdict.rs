//! The verdict of a POP, and its exit status.

use serde::{Deserialize, Serialize};

/// The most reasons that are told; the count of the rest follows. With them the text stays one page.
pub const MAX_REASONS: usize = 20;

/// The whole in one word. The exit status of `anyns status` is its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All is well: exit status 0.
    Ok = 0,
    /// Something needs an operator, the service goes on: exit status 1.
    #[default]
    Degraded = 1,
    /// No prefix is announced, neither as configured nor at a lower preference: exit status 2.
    Down = 2,
}

impl Verdict {
    /// The exit status of `anyns status`: 0 ok, 1 degraded, 2 down. Scripts may rely on it; a call that got no
    /// answer ends with 3.
    pub fn exit_code(self) -> u8 {
        self as u8
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}
