//! The ways to ask: every transport of a server, with each engine. All of them are sockets.

use anyns::serve::{Engine, Transport};

/// One way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    /// The engine in the settings. Only UDP is its own; both have the same listeners of every other transport.
    pub(crate) engine: Engine,
    pub(crate) transport: Transport,
}

const TRANSPORTS: [Transport; 6] =
    [Transport::Udp, Transport::Tcp, Transport::Dot, Transport::Doh, Transport::Doh3, Transport::Doq];

/// The engines of this build.
pub(crate) fn engines() -> impl Iterator<Item = Engine> {
    let all = [Engine::Native, Engine::Hickory].into_iter();
    all.filter(|engine| cfg!(native) || !engine.is_native())
}

/// All of them.
pub(crate) fn ways() -> impl Iterator<Item = Way> {
    engines().flat_map(|engine| TRANSPORTS.map(|transport| Way { engine, transport }))
}

impl Way {
    /// The names that a scenario may use for it, the most special last.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let hickory = self.engine == Engine::Hickory;
        match self.transport {
            Transport::Udp if hickory => vec!["udp", "hickory"],
            Transport::Udp => vec!["udp"],
            Transport::Tcp => vec!["streams", "tcp"],
            Transport::Dot => vec!["streams", "encrypted", "dot"],
            Transport::Doh => vec!["streams", "encrypted", "doh", "doh2"],
            Transport::Doh3 => vec!["streams", "encrypted", "doh", "doh3"],
            Transport::Doq => vec!["streams", "encrypted", "doq"],
        }
    }
}

/// Whether any way has this name.
pub(crate) fn is_name(name: &str) -> bool {
    ways().any(|way| way.names().contains(&name))
}
