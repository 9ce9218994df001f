//! Second handles of the listening sockets, beside the counts of the threads that serve them.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use super::Engine;
use super::bind::Bound;
use super::error::ServeError;
use super::traffic::{Totals, Traffic};
use super::transport::Transport;

/// The sockets of one listening address over one transport, and who serves them.
#[derive(Debug)]
pub(super) struct ListenerHandles {
    pub(super) address: SocketAddr,
    pub(super) sockets: Handles,
    /// One for each thread.
    pub(super) traffic: Vec<Arc<Traffic>>,
    /// The places of its threads among all.
    pub(super) threads: Vec<usize>,
}

/// Second handles of sockets.
#[derive(Debug)]
pub(super) enum Handles {
    Udp(Vec<UdpSocket>),
    Tcp(Vec<TcpListener>),
}

/// A listening socket of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnSocket {
    /// Where it listens.
    pub address: SocketAddr,
    /// UDP or TCP.
    pub transport: Transport,
    /// Its inode.
    pub inode: u64,
}

impl ListenerHandles {
    /// The counts of all its threads.
    pub(super) fn totals(&self) -> Totals {
        self.traffic.iter().map(|one| one.totals()).fold(Totals::default(), Totals::plus)
    }

    /// Its sockets with their inodes.
    #[cfg(native)]
    pub(super) fn own_sockets(&self) -> Vec<OwnSocket> {
        use std::os::fd::{AsFd, BorrowedFd};
        use std::os::unix::fs::MetadataExt;
        let (transport, handles): (_, Vec<BorrowedFd<'_>>) = match &self.sockets {
            Handles::Udp(sockets) => (Transport::Udp, sockets.iter().map(AsFd::as_fd).collect()),
            Handles::Tcp(sockets) => (Transport::Tcp, sockets.iter().map(AsFd::as_fd).collect()),
        };
        // std has no fstat(2) for a socket, but for a file of any kind.
        let inode = |handle: BorrowedFd<'_>| -> io::Result<u64> {
            Ok(std::fs::File::from(handle.try_clone_to_owned()?).metadata()?.ino())
        };
        let own = |inode| OwnSocket { address: self.address, transport, inode };
        handles.into_iter().filter_map(|handle| inode(handle).ok()).map(own).collect()
    }

    #[cfg(not(native))]
    pub(super) fn own_sockets(&self) -> Vec<OwnSocket> {
        Vec::new()
    }
}

/// Second handles of the sockets, and the counts of each thread at each address.
pub(super) fn of(bound: &[Bound], engine: Engine) -> Result<Vec<ListenerHandles>, ServeError> {
    let mut listeners = Vec::new();
    for Bound { address, udp, tcp } in bound {
        let failed = |transport| move |source| ServeError::Bind { address: *address, transport, source };
        let udp: io::Result<Vec<_>> = udp.iter().map(UdpSocket::try_clone).collect();
        let tcp: io::Result<Vec<_>> = tcp.iter().map(TcpListener::try_clone).collect();
        let (udp, tcp) = (udp.map_err(failed(Transport::Udp))?, tcp.map_err(failed(Transport::Tcp))?);
        let (udp_threads, tcp_threads) = match engine {
            Engine::Native => ((0..udp.len()).collect(), (0..tcp.len()).collect()),
            Engine::Auto | Engine::Hickory => (vec![0], vec![1]),
        };
        for (threads, sockets) in [(udp_threads, Handles::Udp(udp)), (tcp_threads, Handles::Tcp(tcp))] {
            let traffic = std::iter::repeat_with(Arc::default).take(threads.len()).collect();
            listeners.push(ListenerHandles { address: *address, sockets, traffic, threads });
        }
    }
    Ok(listeners)
}

/// The counts of each thread at one address.
type PerThread = Vec<Arc<Traffic>>;

/// The counts of each address, of UDP and of TCP, one for each thread.
pub(super) fn traffic(listeners: &[ListenerHandles]) -> Vec<(PerThread, PerThread)> {
    let pair = |pair: &[ListenerHandles]| match pair {
        [udp, tcp] => Some((udp.traffic.clone(), tcp.traffic.clone())),
        _ => None,
    };
    listeners.chunks(2).filter_map(pair).collect()
}
