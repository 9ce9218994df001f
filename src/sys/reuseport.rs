//! Which socket of a reuseport group takes a packet (Linux). A socket of the group and CPUs in, a program for the whole
//! group in the kernel; never reads or writes data.
//!
//! A group is all sockets with `SO_REUSEPORT` that are bound to one address and port for one protocol. Without a program the
//! kernel chooses by a hash of the addresses and ports of the packet.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// What the program returns for a CPU that is not in the list. No group has that many sockets, and for an index out of range
/// the kernel takes its hash (`reuseport_select_sock`, the same for UDP and TCP), so that these packets still spread.
const BY_HASH: u32 = u32::MAX;

/// Attaches a classic BPF program (`SO_ATTACH_REUSEPORT_CBPF`: UDP since Linux 4.5, TCP since 4.6) to the group of this
/// socket: a packet that the kernel works on at `cpus[i]` goes to the socket that was the `i`-th to join the group, one of
/// any other CPU where the hash says. The CPU is that of the receive queue, unless the kernel hands packets on (RPS), then
/// the one that they were handed to; on loopback it is the sender's. For TCP this is where the SYN came in. A program that
/// was attached before is replaced.
///
/// A UDP socket joins its group at bind(2), a TCP listener at listen(2). When one leaves, the last one takes its place: the
/// program is then wrong, but no packet is lost by that.
///
/// # Errors
/// What the kernel says: `EINVAL` if the socket is in no group or the list has too many gaps (BPF_MAXINSNS, some 1,000),
/// `ENOPROTOOPT` if it does not know the option; `InvalidInput` if a CPU number or the program does not fit its field.
pub fn steer_by_cpu(socket: impl AsFd, cpus: &[usize]) -> io::Result<()> {
    let mut program = program(cpus)?;
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let option = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: the pointer is to a `sock_fprog` of the size that is passed, and the pointer in it to `len` instructions; both
    // live until the call returns, and the kernel copies what it keeps. The fd is open.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const option).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The program (linux/filter.h): loads the number of the CPU and looks in which run of successive CPUs it is, four
/// instructions for each. Most machines have one run or two, so it is as short as a modulo and right with gaps as well.
fn program(cpus: &[usize]) -> io::Result<Vec<libc::sock_filter>> {
    use libc::{BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_JGE, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    let mut program = vec![instruction(BPF_LD | BPF_W | BPF_ABS, LOAD_CPU)];
    for run in runs(cpus)? {
        let Run { first, last, index } = run;
        // Not in this run: on to the next, behind the two that return.
        program.push(jump(BPF_JMP | BPF_JGE | BPF_K, first, 0, 3));
        program.push(jump(BPF_JMP | BPF_JGT | BPF_K, last, 2, 0));
        program.push(instruction(BPF_ALU | BPF_ADD | BPF_K, index.wrapping_sub(first)));
        program.push(instruction(BPF_RET | BPF_A, 0));
    }
    program.push(instruction(BPF_RET | BPF_K, BY_HASH));
    Ok(program)
}

/// Where a load finds the number of the CPU: past any packet.
const LOAD_CPU: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_CPU) as u32;

fn instruction(code: u32, operand: u32) -> libc::sock_filter {
    jump(code, operand, 0, 0)
}

/// A conditional jump over this many instructions; the codes all fit 16 bits.
fn jump(code: u32, operand: u32, if_true: u8, if_false: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: if_true, jf: if_false, k: operand }
}

/// CPUs that follow each other, as their sockets do.
struct Run {
    first: u32,
    last: u32,
    /// Of the socket of the first.
    index: u32,
}

fn runs(cpus: &[usize]) -> io::Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, cpu) in (0..).zip(cpus) {
        let cpu = u32::try_from(*cpu).map_err(|_| io::ErrorKind::InvalidInput)?;
        match runs.last_mut() {
            Some(run) if run.last.checked_add(1) == Some(cpu) => run.last = cpu,
            _ => runs.push(Run { first: cpu, last: cpu, index }),
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, UdpSocket};
    use std::time::{Duration, Instant};

    use socket2::{Domain, Socket, Type};

    use super::*;
    use crate::sys::cpu;

    const SENT: usize = 48;
    const PATIENCE: Duration = Duration::from_secs(10);

    /// The sockets of a group, in the order in which they joined.
    fn group(kind: Type, address: &str, count: usize) -> (SocketAddr, Vec<Socket>) {
        let mut address: SocketAddr = address.parse().unwrap();
        let mut sockets = Vec::new();
        for _ in 0..count {
            let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&address.into()).unwrap();
            address = socket.local_addr().unwrap().as_socket().unwrap();
            if kind == Type::STREAM {
                socket.listen(64).unwrap();
            }
            socket.set_nonblocking(true).unwrap();
            sockets.push(socket);
        }
        (address, sockets)
    }

    /// How many of [`SENT`] packets from this CPU each socket of the group got.
    fn taken(kind: Type, address: SocketAddr, sockets: &[Socket], cpu: usize) -> Vec<usize> {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                cpu::pin(cpu).unwrap();
                (0..SENT).for_each(|_| send(kind, address));
            });
        });
        let (start, mut taken) = (Instant::now(), vec![0; sockets.len()]);
        // On a busy machine the kernel may hand over the last of them a little later.
        while taken.iter().sum::<usize>() < SENT && start.elapsed() < PATIENCE {
            taken.iter_mut().zip(sockets).for_each(|(taken, socket)| *taken += drain(kind, socket));
            std::thread::yield_now();
        }
        taken
    }

    fn send(kind: Type, address: SocketAddr) {
        let socket = Socket::new(Domain::for_address(address), kind, None).unwrap();
        socket.connect(&address.into()).unwrap();
        if kind == Type::DGRAM {
            socket.send(b"packet").unwrap();
        }
    }

    /// Takes what waits; how many that were.
    fn drain(kind: Type, socket: &Socket) -> usize {
        let socket = socket.try_clone().unwrap();
        if kind == Type::DGRAM {
            let socket = UdpSocket::from(socket);
            return std::iter::from_fn(|| socket.recv(&mut [0; 16]).ok()).count();
        }
        let listener = TcpListener::from(socket);
        std::iter::from_fn(|| listener.accept().ok()).count()
    }

    /// Every way in which a CPU can be in the list, on the kernel itself.
    #[test]
    fn a_packet_goes_to_the_socket_of_its_cpu_and_by_the_hash_if_there_is_none() {
        for cpu in cpu::allowed().unwrap() {
            let lists: [(&[usize], Option<usize>); 7] = [
                (&[cpu, cpu + 1, cpu + 2], Some(0)),
                (&[cpu + 1, cpu], Some(1)),
                (&[cpu + 7, cpu + 8, cpu], Some(2)),
                (&[cpu + 7, cpu, cpu + 1], Some(1)),
                (&[cpu + 1, cpu + 2, cpu + 3], None),
                (&[cpu + 1, cpu + 3, cpu + 5], None),
                (&[], None),
            ];
            for (kind, address) in [
                (Type::DGRAM, "127.0.0.1:0"),
                (Type::DGRAM, "[::1]:0"),
                (Type::STREAM, "127.0.0.1:0"),
                (Type::STREAM, "[::1]:0"),
            ] {
                let (address, sockets) = group(kind, address, 3);
                for (cpus, index) in lists {
                    steer_by_cpu(&sockets[0], cpus).unwrap();
                    let taken = taken(kind, address, &sockets, cpu);
                    assert_eq!(taken.iter().sum::<usize>(), SENT, "{cpus:?} from {cpu}: {taken:?}");
                    let as_told = match index {
                        Some(index) => taken[index] == SENT,
                        None => taken.iter().all(|taken| *taken > 0),
                    };
                    assert!(as_told, "{cpus:?} from {cpu}: {taken:?}");
                }
            }
        }
    }

    /// No two of them follow each other: the longest program that 256 CPUs make.
    #[test]
    fn the_kernel_takes_the_longest_program_of_the_most_workers() {
        let cpus: Vec<usize> = (0..256).map(|worker| worker * 3).collect();
        let (_, sockets) = group(Type::DGRAM, "127.0.0.1:0", 2);
        steer_by_cpu(&sockets[1], &cpus).unwrap();
        assert_eq!(program(&cpus).unwrap().len(), 1026);
    }

    #[test]
    fn a_socket_in_no_group_is_refused() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let error = steer_by_cpu(&socket, &[0, 1]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        assert!(steer_by_cpu(&socket, &[usize::MAX]).is_err());
    }
}
