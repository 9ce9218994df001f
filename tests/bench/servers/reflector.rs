//! The socket's own limit: datagrams come in batches, go out in batches with QR set, and nothing is looked at.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use anyns::sys::datagrams::{Batch, Origin};
use anyns::sys::epoll::{Epoll, Interest};

use super::Setup;

/// Longer than any pause in a run; the process is killed, so nothing depends on it.
const WAIT: Duration = Duration::from_secs(60);

pub(super) fn command(setup: &Setup<'_>) -> Vec<String> {
    let program = std::env::current_exe().expect("this program has a path").display().to_string();
    vec![program, "--reflector".into(), setup.port.to_string()]
}

/// Reflects until the process is killed.
pub(crate) fn run(port: u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    let (mut batch, mut epoll) = (Batch::new(), Epoll::new(1).expect("an epoll instance can be made"));
    epoll.add(&socket, 0, Interest::Read).expect("the socket can be waited for");
    loop {
        if batch.receive(&socket, Origin::Bound).is_err() {
            epoll.wait(WAIT).expect("the socket can be waited for");
            continue;
        }
        let (arrivals, mut replies) = batch.parts();
        for arrival in arrivals.iter() {
            replies.write(&arrival, |room| {
                let length = arrival.octets.len();
                let (Some(reply), true) = (room.get_mut(..length), length > 2) else { return 0 };
                reply.copy_from_slice(arrival.octets);
                reply[2] |= 0x80;
                length
            });
        }
        batch.send(&socket).expect("the socket is there");
    }
}
