//! One scenario.

use std::fmt;
use std::time::Duration;

use crate::support::faults::Fault;

/// What fails inside the process, or right at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inner {
    /// Nothing.
    Nothing,
    /// The thread of this name stands still.
    Frozen(&'static str),
    /// The supervised task of this name panics.
    Panics(&'static str),
    /// Standard error is full and nobody reads it.
    StderrFull,
}

/// What fails around the process, after [`Inner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outer {
    /// Nothing.
    Nothing,
    /// The network of the POP.
    Fault(Fault),
    /// Nothing fails: a new version of the zone comes.
    NewZone,
}

/// The queries that arrive while the row runs, with the family (0 for IPv4, 1 for IPv6) and how many a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Over UDP.
    Udp(usize, u32),
    /// Over TCP, a connection each.
    Tcp(usize, u32),
    /// Over UDP, and over TCP.
    UdpAndTcp(usize, u32, u32),
}

/// One scenario: what fails, and what must become of the route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// First this.
    pub(super) inner: Inner,
    /// Whether the status must tell of it while the route stays.
    pub(super) alarms: bool,
    /// Then this.
    pub(super) outer: Outer,
    /// Within what time after the last fault the routes must be gone; `None`: they must stay.
    pub(super) gone: Option<Duration>,
    /// The load.
    pub(super) stream: Stream,
}

impl Row {
    /// A fault inside, and nothing else yet.
    pub(super) fn inner(inner: Inner) -> Self {
        Self { inner, alarms: false, outer: Outer::Nothing, gone: None, stream: Stream::Udp(0, 300) }
    }

    /// A fault around the process that must take the route away within this time.
    pub(super) fn outer(outer: Outer, gone: Duration) -> Self {
        Self::inner(Inner::Nothing).then(outer).gone(gone)
    }

    /// The status must tell of the fault inside.
    pub(super) fn alarms(self) -> Self {
        Self { alarms: true, ..self }
    }

    /// What fails around the process.
    pub(super) fn then(self, outer: Outer) -> Self {
        Self { outer, ..self }
    }

    /// Within what time the routes must be gone.
    pub(super) fn gone(self, bound: Duration) -> Self {
        Self { gone: Some(bound), ..self }
    }

    /// The load.
    pub(super) fn under(self, stream: Stream) -> Self {
        Self { stream, ..self }
    }

    /// Which families' prefixes are meant by `gone`.
    pub(super) fn families(&self) -> [bool; 2] {
        match self.outer {
            Outer::Fault(fault) => fault.families(),
            Outer::Nothing | Outer::NewZone => [true, true],
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match self.inner {
            Inner::Nothing => {}
            Inner::Frozen(thread) => parts.push(format!("{thread} frozen")),
            Inner::Panics(task) => parts.push(format!("{task} panics")),
            Inner::StderrFull => parts.push("stderr full".to_owned()),
        }
        match self.outer {
            Outer::Nothing => {}
            Outer::NewZone => parts.push("new zone".to_owned()),
            Outer::Fault(Fault::NoDefaultRoute) => parts.push("no default route".to_owned()),
            Outer::Fault(Fault::AddressDeleted(family)) => {
                parts.push(format!("IPv{} address deleted", [4, 6][family]));
            }
            Outer::Fault(Fault::Dropped { families, transports }) => {
                let families = chosen(families, ["IPv4", "IPv6"]);
                parts.push(format!("{families}{}53 dropped", chosen(transports, ["UDP", "TCP"])));
            }
        }
        if self.stream != Self::inner(Inner::Nothing).stream {
            parts.push(format!("{:?}", self.stream));
        }
        f.pad(&parts.join(", "))
    }
}

/// The chosen one of two; nothing when both are.
fn chosen(chosen: [bool; 2], names: [&str; 2]) -> String {
    match chosen {
        [true, false] => format!("{} ", names[0]),
        [false, true] => format!("{} ", names[1]),
        _ => String::new(),
    }
}
