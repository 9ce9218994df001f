//! Whether answers of one address family can leave this host. Pure.
//!
//! Nearly all answers failing for want of a route proves nothing alone: spoofed sources may be addresses that this host has no
//! route to. So the kernel is asked as well whether it has a route to reference addresses, which cannot be spoofed. The finding
//! holds until it has one again.

use std::collections::VecDeque;
use std::net::IpAddr;

/// Looks, one a second, over which answers are summed at most: on a quiet POP five answers take a while.
const SLOTS: usize = 10;

/// Fewer answers than these prove nothing.
const FEWEST: u64 = 5;

/// Nearly all, in percent.
const NEARLY_ALL_PERCENT: u64 = 90;

/// What the kernel says of the way to one reference address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// There is a route.
    Route,
    /// There is none, or one that discards.
    None,
    /// The address is this host's own, or the kernel did not say: it proves nothing.
    Unknown,
}

/// What is known of one family.
#[derive(Clone, Debug, Default)]
pub(super) struct RouteBack {
    /// The totals at the last look: answers that left, and that had no route.
    totals: Option<(u64, u64)>,
    /// What each of the last looks added, the newest first.
    slots: VecDeque<(u64, u64)>,
    /// The references that no route led to; empty while answers can leave, as far as is known.
    lost: Vec<IpAddr>,
    /// Nearly all answers failed, and there is no reference address to ask the kernel about: failed, all.
    unproven: Option<(u64, u64)>,
}

impl RouteBack {
    /// Takes the totals of answers, to be called once a second. Returns whether the kernel must be asked.
    pub(super) fn observe(&mut self, left: u64, without_route: u64) -> bool {
        let before = self.totals.replace((left, without_route)).unwrap_or((left, without_route));
        let slot = (left.saturating_sub(before.0), without_route.saturating_sub(before.1));
        self.slots.push_front(slot);
        self.slots.truncate(SLOTS);
        self.unproven = None;
        !self.lost.is_empty() || self.failing().is_some()
    }

    /// The references to ask about: these, and those that no route led to before.
    pub(super) fn references(&self, current: &[IpAddr]) -> Vec<IpAddr> {
        let mut references = self.lost.clone();
        references.extend(current.iter().filter(|one| !self.lost.contains(one)));
        references
    }

    /// Takes what the kernel said.
    pub(super) fn conclude(&mut self, ways: &[(IpAddr, Way)]) {
        let unreachable: Vec<IpAddr> =
            ways.iter().filter(|(_, way)| *way == Way::None).map(|(address, _)| *address).collect();
        if ways.iter().any(|(_, way)| *way == Way::Route) {
            self.lost.clear();
        } else if !unreachable.is_empty() {
            self.lost = unreachable;
        } else if self.lost.is_empty() {
            self.unproven = self.failing();
        }
    }

    /// The references that no route leads to, while nearly all answers failed at the beginning.
    pub(super) fn lost(&self) -> &[IpAddr] {
        &self.lost
    }

    /// Nearly all of so many answers failed, and there is no reference: failed, all.
    pub(super) fn unproven(&self) -> Option<(u64, u64)> {
        self.unproven
    }

    /// Whether nearly all answers of the newest looks failed: how many, of how many. No more looks than it takes.
    fn failing(&self) -> Option<(u64, u64)> {
        let (mut left, mut failed) = (0u64, 0u64);
        for slot in &self.slots {
            left += slot.0;
            failed += slot.1;
            if left + failed >= FEWEST {
                break;
            }
        }
        let all = left + failed;
        (all >= FEWEST && failed * 100 >= all * NEARLY_ALL_PERCENT).then_some((failed, all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 2));

    /// The family after a look in which so many answers left and failed.
    fn after(looks: &[(u64, u64)]) -> (RouteBack, bool) {
        let (mut family, mut ask, mut totals) = (RouteBack::default(), false, (7, 7));
        family.observe(totals.0, totals.1);
        for (left, failed) in looks {
            totals = (totals.0 + left, totals.1 + failed);
            ask = family.observe(totals.0, totals.1);
        }
        (family, ask)
    }

    #[test]
    fn the_kernel_is_asked_when_nearly_all_of_at_least_five_fail() {
        for (looks, ask) in [
            (&[(0, 4)][..], false),
            (&[(0, 5)], true),
            (&[(1, 9)], true),
            (&[(2, 9)], false),
            (&[(1000, 0), (0, 5)], true),
            (&[(0, 500), (1000, 0)], false),
            (&[(0, 1), (0, 1), (0, 1), (0, 1), (0, 1)], true),
            (&[(0, 1), (0, 1), (0, 1), (0, 1), (1, 0)], false),
            (&[(0, 5), (0, 0), (0, 0)], true),
            (
                &[(0, 4), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 1)],
                false,
            ),
            (&[], false),
        ] {
            assert_eq!(after(looks).1, ask, "{looks:?}");
        }
    }

    #[test]
    fn only_a_reference_without_a_route_proves_it() {
        for (ways, lost, unproven) in [
            (&[(A, Way::None), (B, Way::None)][..], &[A, B][..], false),
            (&[(A, Way::None), (B, Way::Unknown)], &[A], false),
            (&[(A, Way::None), (B, Way::Route)], &[], false),
            (&[(A, Way::Unknown)], &[], true),
            (&[], &[], true),
        ] {
            let (mut family, _) = after(&[(0, 50)]);
            family.conclude(ways);
            assert_eq!(family.lost(), lost, "{ways:?}");
            assert_eq!(family.unproven(), unproven.then_some((50, 50)), "{ways:?}");
        }
    }

    #[test]
    fn it_holds_until_there_is_a_route_again_whatever_is_sent() {
        let (mut family, _) = after(&[(0, 50)]);
        family.conclude(&[(A, Way::None)]);
        // Nothing is asked any more, and the reference is forgotten by those who remember clients.
        for _ in 0..100 {
            assert!(family.observe(7, 57), "it asks on");
            assert_eq!(family.references(&[B]), [A, B]);
            family.conclude(&[(A, Way::None), (B, Way::Unknown)]);
            assert_eq!(family.lost(), [A]);
        }
        family.conclude(&[(A, Way::Route)]);
        assert!(family.lost().is_empty());
    }
}
