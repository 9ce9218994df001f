//! Socket affinity (Linux): packets go to the worker that is pinned to the CPU that received them. Bound sockets and the
//! workers' CPUs in; out comes a program in the kernel for each address and transport, or the reason why not.
//!
//! What a worker answers then touches the caches of one core, and no packet wakes another. It takes a receive queue for each
//! worker (or RPS): what arrives on one CPU is all answered by one worker, and the others are idle. That is why
//! the operator has to ask for it. Over loopback the CPU is the sender's, that of our own probes too: each asks the worker of
//! the core on which the prober happens to run, not one drawn by the hash.
//!
//! The program counts on an order: the worker on the `i`-th CPU has the `i`-th socket of each group. [`super::bind`] makes
//! it so, worker by worker, before any program is attached, and it stays, because sockets live as long as the workers: none
//! is added later (a changed address needs a restart, which makes new groups), a service address that leaves the host
//! and comes back leaves them bound, and one that is lost is kept, unread. Only a worker that stops closes its own,
//! and the last socket takes that place; it stops because all do, or by a bug, and then the POP withdraws. Until it has, the
//! CPUs' packets go to the wrong workers, or where the hash says. A wrong order costs speed, never a packet; nor does a worker
//! that the kernel did not let be pinned after all, which says so in the log.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use crate::sys::reuseport;

use super::bind::Bound;
use super::transport::Transport;

/// Why packets are not steered, or not all of them: the kernel's hash chooses the worker, as without the setting.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSteered {
    /// One worker takes everything anyway.
    #[error("there is one worker; it takes two or more, each on a core of its own")]
    OneWorker,
    /// Workers run where the scheduler puts them.
    #[error(
        "{workers} workers are not pinned to cores; they are where serve.workers is the number of cores that the process \
         may run on, as it is by default without a CPU quota"
    )]
    NotPinned {
        /// How many there are.
        workers: usize,
    },
    /// The kernel refused the program; it may have taken those of other addresses.
    #[error("the kernel refused SO_ATTACH_REUSEPORT_CBPF for {address}/{transport}: {source}")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// Its UDP sockets or its listeners.
        transport: Transport,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Steers to each worker what its CPU received, for all addresses, UDP and TCP. The worker with the `i`-th socket of an
/// address is, or will be, pinned to `cpus[i]`; `cpus` is empty if none is. Stops at the first refusal.
pub(super) fn steer(bound: &[Bound], cpus: &[usize]) -> Result<(), NotSteered> {
    let workers = bound.first().map_or(0, |bound| bound.udp.len());
    if workers < 2 {
        return Err(NotSteered::OneWorker);
    }
    if cpus.len() != workers {
        return Err(NotSteered::NotPinned { workers });
    }
    for Bound { address, udp, tcp } in bound {
        // The program is the group's, whichever of its sockets it is attached by.
        let groups =
            [(Transport::Udp, udp.first().map(AsFd::as_fd)), (Transport::Tcp, tcp.first().map(AsFd::as_fd))];
        for (transport, socket) in groups {
            let refused = |source| NotSteered::Refused { address: *address, transport, source };
            socket.map_or(Ok(()), |socket| reuseport::steer_by_cpu(socket, cpus)).map_err(refused)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;
    use crate::serve::bind::bind_all;

    fn bound(workers: usize) -> Vec<Bound> {
        let addresses = ["127.0.0.1:0", "[::1]:0"].map(|address| address.parse().unwrap());
        bind_all(&addresses, workers, 1232).unwrap()
    }

    #[test]
    fn why_not_is_told() {
        steer(&bound(2), &[0, 1]).unwrap();
        for (workers, cpus, expected) in [
            (1, &[0][..], "there is one worker"),
            (2, &[], "2 workers are not pinned to cores"),
            (3, &[0, 1], "3 workers are not pinned to cores"),
        ] {
            let told = steer(&bound(workers), cpus).unwrap_err().to_string();
            assert!(told.starts_with(expected), "{told}");
        }
    }

    /// By sockets that share no port: they are in no group.
    #[test]
    fn a_refusal_names_the_option_the_address_and_the_transport() {
        let udp = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
        let of_us = bound(2).swap_remove(0);
        let address = of_us.address;
        for (bound, transport) in [
            (Bound { address, udp: vec![udp(), udp()], tcp: vec![tcp(), tcp()] }, "udp"),
            (Bound { udp: of_us.udp, ..Bound { address, udp: vec![], tcp: vec![tcp(), tcp()] } }, "tcp"),
        ] {
            let told = steer(&[bound], &[0, 1]).unwrap_err().to_string();
            let expected = format!("the kernel refused SO_ATTACH_REUSEPORT_CBPF for {address}/{transport}: ");
            assert!(told.starts_with(&expected), "{told}");
        }
    }
}
