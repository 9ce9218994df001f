//! Which fault around the process follows which fault inside it.

use super::row::{Outer, Row};
use super::{BOTH, ONLY_IPV4, ONLY_IPV6, ONLY_UDP, any_single, dropped};
use crate::support::faults::Fault;
use crate::support::skip::is_full_run;

/// The faults around the process, the families and transports swapped from one to the next.
const OUTERS: [Outer; 5] = [
    Outer::Fault(Fault::AddressDeleted(0)),
    dropped(ONLY_IPV6, BOTH),
    Outer::Fault(Fault::AddressDeleted(1)),
    dropped(ONLY_IPV4, BOTH),
    dropped(BOTH, ONLY_UDP),
];

/// The row with each of the faults around the process; in the quick run with one that deletes an address or one that drops
/// packets, in turn, so that neighboring rows differ.
pub(super) fn with_outers(number: usize, row: Row) -> Vec<Row> {
    let chosen = if is_full_run() { (0..OUTERS.len()).collect() } else { vec![number % OUTERS.len()] };
    chosen.into_iter().map(|outer| row.then(OUTERS[outer]).gone(any_single())).collect()
}

/// The rows so often that each fault inside comes at this many instants; in the quick run once.
pub(super) fn repeated(rows: Vec<Row>, instants: usize) -> Vec<Row> {
    if !is_full_run() {
        return rows;
    }
    let times = |row: &Row| instants.div_ceil(rows.iter().filter(|other| other.inner == row.inner).count());
    rows.iter().flat_map(|row| std::iter::repeat_n(*row, times(row))).collect()
}

/// How many worlds run at once: most of a row is waiting, but a world more needs some of a core.
pub(super) fn worlds() -> usize {
    if is_full_run() { 8 } else { 4 }
}
