//! A client for the page: octets out, a head and a body in, so that a test may be as wrong as it wants.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::support::anyns::BOUND;
use crate::support::lab::Space;

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The status; 0 without a response.
    pub(crate) status: u16,
    /// The head, its names in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(known, _)| *known == name).map(|(_, value)| value).next()
    }
}

/// Sends these octets to the address in the namespace and reads until the server closes.
pub(crate) fn exchange(space: &Space, address: &str, octets: &[u8]) -> Reply {
    let all = space.inside(|| {
        let mut stream = TcpStream::connect(address).expect("the page listens");
        stream.set_read_timeout(Some(BOUND)).expect("a timeout");
        // A server that has refused already may have closed: what it said is still to be read.
        let _ = stream.write_all(octets);
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        all
    });
    let text = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let lower = |line: &str| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
        None => line.to_owned(),
    };
    let head = head.lines().map(lower).collect::<Vec<_>>().join("\n");
    Reply { status, head, body: body.to_owned() }
}

/// GET with further fields, each ended by CR LF.
pub(crate) fn get(space: &Space, address: &str, target: &str, fields: &str) -> Reply {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n");
    exchange(space, address, request.as_bytes())
}

/// The first events of a stream, until one that `wanted` takes; its data.
pub(crate) fn event(
    space: &Space,
    address: &str,
    target: &str,
    wanted: impl Fn(&str, &Value) -> bool + Send + Sync,
) -> Value {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    space.inside(|| {
        let mut stream = TcpStream::connect(address).expect("the page listens");
        stream.set_read_timeout(Some(BOUND)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("sent");
        let (mut text, mut chunk) = (String::new(), vec![0; 65_536]);
        loop {
            let length = stream.read(&mut chunk).expect("an event in time");
            assert!(length > 0, "the stream ended: {text}");
            text.push_str(&String::from_utf8_lossy(&chunk[..length]));
            let events = text.split("event: ").skip(1).filter_map(|event| {
                let (name, rest) = event.split_once("\ndata: ")?;
                let (data, _) = rest.split_once("\n\n")?;
                Some((name.to_owned(), serde_json::from_str::<Value>(data).ok()?))
            });
            if let Some((_, data)) = events.into_iter().find(|(name, data)| wanted(name, data)) {
                return data;
            }
        }
    })
}

/// A connection that stays open.
pub(crate) fn connect(space: &Space, address: &str) -> TcpStream {
    space.inside(|| {
        let stream = TcpStream::connect(address).expect("the page listens");
        stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a timeout");
        stream
    })
}
