//! What came while something was under way: looked at when that is over.

use crate::wire::Serial;

use super::Order;

/// Everything that came, as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// NOTIFYs: of this primary, or of several servers; and the serial in them, if all of them had the same.
    Notified(Option<usize>, Option<Serial>),
    /// An order: more than any hint.
    Ordered(Order),
}

impl Again {
    /// With a NOTIFY. None takes the place of another one: who repeats a NOTIFY, maybe under a false address, hides no other.
    pub(super) fn with_notify(before: Option<Self>, primary: Option<usize>, hint: Option<Serial>) -> Self {
        match before {
            None => Self::Notified(primary, hint),
            Some(Self::Ordered(order)) => Self::Ordered(order),
            Some(Self::Notified(other, known)) => {
                Self::Notified(primary.filter(|_| primary == other), hint.filter(|_| hint == known))
            }
        }
    }

    /// With an order. A whole zone that is ordered comes, whatever is ordered beside it.
    pub(super) fn with_order(before: Option<Self>, order: Order) -> Self {
        match before {
            Some(Self::Ordered(Order::Retransfer)) => Self::Ordered(Order::Retransfer),
            _ => Self::Ordered(order),
        }
    }
}
