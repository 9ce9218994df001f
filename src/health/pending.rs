//! Lost probes whose answers may still come: they are our own, however late, and must not count as activity for others.

use std::io;

use tokio::net::{TcpStream, UdpSocket};

/// For how many rounds a late answer is waited for. A TCP connection takes a slot of the server's: not for long.
const UDP_ROUNDS: u32 = 10;
const TCP_ROUNDS: u32 = 2;

/// One lost probe.
#[derive(Debug)]
pub(super) struct Pending {
    socket: Socket,
    rounds_left: u32,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Pending {
    pub(super) fn udp(socket: UdpSocket) -> Self {
        Self { socket: Socket::Udp(socket), rounds_left: UDP_ROUNDS }
    }

    pub(super) fn tcp(stream: TcpStream) -> Self {
        Self { socket: Socket::Tcp(stream), rounds_left: TCP_ROUNDS }
    }

    /// How many of these have been answered since; those that were, failed, or have waited long enough are closed.
    pub(super) fn count_answered(all: &mut Vec<Self>) -> u64 {
        let mut answered = 0;
        all.retain_mut(|pending| match pending.poll() {
            Ok(length) => {
                answered += u64::from(length > 0);
                false
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                pending.rounds_left = pending.rounds_left.saturating_sub(1);
                pending.rounds_left > 0
            }
            Err(_) => false,
        });
        answered
    }

    fn poll(&self) -> io::Result<usize> {
        let mut start = [0; 12];
        match &self.socket {
            Socket::Udp(socket) => socket.try_recv(&mut start),
            Socket::Tcp(stream) => stream.try_read(&mut start),
        }
    }
}
