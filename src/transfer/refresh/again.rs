//! What came while something was under way: looked at when that is over.

use crate::wire::Serial;

use super::Order;

/// Everything that came, as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// NOTIFYs: of this primary, or of several servers; and the newest serial in them, if each of them had one.
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
                Self::Notified(primary.filter(|_| primary == other), newer(known, hint))
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

/// The newer of two serials; none if one is missing, or if they cannot be compared (RFC 1982).
fn newer(one: Option<Serial>, other: Option<Serial>) -> Option<Serial> {
    let (one, other) = (one?, other?);
    match one == other || one.is_after(other) {
        true => Some(one),
        false => Some(other).filter(|other| other.is_after(one)),
    }
}
