//! What a lost probe says: overload, or ill health. Pure.
//!
//! Overload must be proven, for the address, family and transport that was asked, and it counts only while answers leave there.
//!
//! | lost | overload, if since the last round |
//! | --- | --- |
//! | over UDP | answers left the address over UDP lately, and its sockets dropped, or one is full, or a worker of it is busy, or a CPU dropped packets |
//! | TCP, before the handshake | others' connections were accepted, and the listeners dropped, or one is full, or as many handshakes are under way as the kernel holds and it sends SYN cookies; or answers left the address over either transport lately, and a CPU dropped packets |
//! | TCP, after the handshake | a worker of it is busy, or a listener is full |
//! | TCP, by a reset | our caps refused connections: others hold all there are |
//!
//! Everything else is no evidence.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::telemetry::{ListenerLoad, Load};

use super::statistics::ProbeTransport;
use super::track::Evidence;

/// A CPU that dropped less than this part of its packets, in thousandths, does not explain that every probe of a round was lost.
const BACKLOG_PERMILLE: u64 = 50;

/// Answers that left within this time show that the address is reached: those to our own questions as well, because a quiet address
/// has no others. Long enough that one of a flooded host's many lost probes is answered, short beside what a filter may take
/// until it is noticed.
const LATELY: Duration = Duration::from_secs(6);

/// How far a question came before its answer was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A datagram was sent.
    Asked,
    /// A SYN was sent, and nothing came back.
    Connecting,
    /// The handshake was complete.
    Connected,
    /// The connection was complete and then reset or closed.
    Reset,
}

/// What was seen of one address over one transport, from round to round.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    before: Option<Totals>,
    /// When answers last left.
    left: Option<Instant>,
}

/// Totals at one moment.
#[derive(Clone, Copy, Debug)]
struct Totals {
    answers: u64,
    accepted: u64,
    refused: u64,
    drops: u64,
    syn_cookies: u64,
}

/// What was seen since the last round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Answers, to others and to our own questions.
    pub(super) answers: u64,
    /// Whether answers left within [`LATELY`].
    pub(super) left_lately: bool,
    /// Connections accepted, our own among them.
    pub(super) accepted: u64,
    /// Connections refused by our caps.
    pub(super) refused: u64,
    /// What the sockets dropped.
    pub(super) drops: u64,
    /// SYN cookies sent by the host.
    pub(super) syn_cookies: u64,
    /// The part of its packets that the worst CPU dropped, in thousandths.
    pub(super) backlog_permille: u64,
    /// Now.
    pub(super) is_queue_full: bool,
    /// Now.
    pub(super) is_handshake_queue_full: bool,
    /// Threads that serve it, and how many of them were busy.
    pub(super) threads: u32,
    pub(super) busy_threads: u32,
}

impl Ledger {
    /// Takes the load after a round. An address without a listener has shown nothing.
    pub(super) fn observe(
        &mut self,
        load: &Load,
        address: SocketAddr,
        transport: ProbeTransport,
        now: Instant,
    ) -> Seen {
        let Some(listener) = load.listener(address, transport == ProbeTransport::Tcp) else {
            return Seen::default();
        };
        let totals = Totals::of(listener, load, address);
        let Some(before) = self.before.replace(totals) else {
            // What was before the first round says nothing about the first round.
            return Seen::default();
        };
        let answers = totals.answers.saturating_sub(before.answers);
        if answers > 0 {
            self.left = Some(now);
        }
        Seen {
            answers,
            left_lately: self.left.is_some_and(|left| now.saturating_duration_since(left) < LATELY),
            accepted: totals.accepted.saturating_sub(before.accepted),
            refused: totals.refused.saturating_sub(before.refused),
            drops: totals.drops.saturating_sub(before.drops),
            syn_cookies: totals.syn_cookies.saturating_sub(before.syn_cookies),
            backlog_permille: load.backlog.dropped_permille(),
            is_queue_full: listener.is_queue_full,
            is_handshake_queue_full: listener.is_handshake_queue_full,
            threads: listener.threads,
            busy_threads: listener.busy_threads,
        }
    }
}

impl Totals {
    fn of(listener: &ListenerLoad, load: &Load, address: SocketAddr) -> Self {
        Self {
            answers: listener.answers_of(address.ip()),
            accepted: listener.accepted,
            refused: listener.refused,
            drops: listener.drops,
            syn_cookies: load.syn_cookies,
        }
    }
}

/// What a loss at this stage says. `other` is what was seen of the address over the other transport.
pub(super) fn judge(stage: Stage, seen: &Seen, other: &Seen) -> Evidence {
    let queue = seen.drops > 0 || seen.is_queue_full;
    let backlog = seen.backlog_permille >= BACKLOG_PERMILLE;
    let busy = seen.busy_threads > 0;
    let proven = match stage {
        Stage::Asked => seen.left_lately && (queue || busy || backlog),
        Stage::Connecting => {
            let handshakes = seen.is_handshake_queue_full && seen.syn_cookies > 0;
            let leaves = seen.left_lately || other.left_lately;
            (seen.accepted > 0 && queue) || handshakes || (leaves && backlog)
        }
        Stage::Connected => busy || seen.is_queue_full,
        Stage::Reset => seen.refused > 0,
    };
    if proven { Evidence::Busy } else { Evidence::Idle }
}

/// The figures that were used and what they were taken for, in one line.
pub(super) fn describe(stage: Stage, seen: &Seen, evidence: Evidence) -> String {
    let lately = match (seen.answers, seen.left_lately) {
        (0, true) => " now, some lately",
        (0, false) => " lately",
        _ => "",
    };
    let mut text = match stage {
        Stage::Asked => format!("{} answers{lately}", seen.answers),
        Stage::Connecting => {
            format!("no handshake, {} answers{lately}, {} accepted", seen.answers, seen.accepted)
        }
        Stage::Connected => format!("handshake, no answer, {} answers", seen.answers),
        Stage::Reset => format!("reset, {} refused by the caps", seen.refused),
    };
    let full = if seen.is_queue_full { "full" } else { "not full" };
    // Writing to a string does not fail.
    let _ = write!(
        text,
        ", {} dropped, queue {full}, {} of {} workers busy, CPU backlog dropped {} of 1000",
        seen.drops, seen.busy_threads, seen.threads, seen.backlog_permille
    );
    if stage == Stage::Connecting {
        let full = if seen.is_handshake_queue_full { "full" } else { "not full" };
        let _ = write!(text, ", SYN queue {full}, {} SYN cookies", seen.syn_cookies);
    }
    text + if evidence == Evidence::Busy { ": overload" } else { ": no overload" }
}

#[cfg(test)]
#[path = "../../tests/unit/health/evidence.rs"]
mod tests;
