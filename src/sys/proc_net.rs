//! What the kernel tells of sockets and packets as text under `/proc` (Linux): text in, numbers out. Lines that cannot be read
//! are passed over: the kernel may add columns, and a number that is not there is no evidence.

use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A listening TCP socket, and a UDP socket that is not connected (`TCP_LISTEN` and `TCP_CLOSE` in net/tcp_states.h).
const LISTEN: u8 = 10;
const UNCONNECTED: u8 = 7;
/// A connection whose SYN was answered and whose handshake is not complete (`TCP_SYN_RECV`).
const SYN_RECEIVED: u8 = 3;

/// Sockets of one table that are looked at: a host has at most as many ports for each address, and the walk must end.
const MAX_TABLE_SOCKETS: usize = 1 << 18;

/// One socket of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketEntry {
    /// Where it is bound.
    pub local: SocketAddr,
    /// Its inode, which tells which process holds it; 0 for one that no process holds.
    pub inode: u64,
    state: u8,
}

/// UDP sockets of the thread's network namespace that are not connected.
pub fn udp_sockets() -> io::Result<Vec<SocketEntry>> {
    let mut found = Vec::new();
    for table in ["udp", "udp6"] {
        found.extend(entries(table)?.filter(|entry| entry.state == UNCONNECTED));
    }
    Ok(found)
}

/// TCP listeners of the thread's network namespace. The kernel lists them first; the connections are not read.
pub fn tcp_listeners() -> io::Result<Vec<SocketEntry>> {
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        found.extend(entries(table)?.take_while(|entry| entry.state == LISTEN));
    }
    Ok(found)
}

/// How many handshakes are under way at this address, or at any of its family if it is the wildcard. Reads the table of all connections: not to be asked often.
pub fn handshakes(address: SocketAddr) -> io::Result<usize> {
    let table = if address.is_ipv4() { "tcp" } else { "tcp6" };
    let is_at = |entry: &SocketEntry| {
        let there = address.ip().is_unspecified() || entry.local.ip() == address.ip();
        entry.state == SYN_RECEIVED && entry.local.port() == address.port() && there
    };
    Ok(entries(table)?.filter(is_at).count())
}

/// The sockets of a table, an IPv4 address as IPv4; none where the kernel does without the family.
fn entries(table: &str) -> io::Result<impl Iterator<Item = SocketEntry>> {
    let lines = match std::fs::File::open(format!("/proc/thread-self/net/{table}")) {
        Ok(file) => Some(BufReader::new(file).lines()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let lines = lines.into_iter().flatten().map_while(Result::ok);
    Ok(lines.take(MAX_TABLE_SOCKETS).filter_map(|line| entry(&line)))
}

/// One line of a table: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`.
fn entry(line: &str) -> Option<SocketEntry> {
    let mut columns = line.split_ascii_whitespace();
    let (address, port) = columns.nth(1)?.split_once(':')?;
    let state = u8::from_str_radix(columns.nth(1)?, 16).ok()?;
    let inode = columns.nth(5)?.parse().ok()?;
    let local = SocketAddr::new(hex_address(address)?, u16::from_str_radix(port, 16).ok()?);
    Some(SocketEntry { local, inode, state })
}

/// An address as the kernel prints it: words of 32 bits in the byte order of the host.
fn hex_address(text: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = text.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(Ipv6Addr::from(octets)).to_canonical())
        }
        _ => None,
    }
}

/// Packets that a CPU took from its backlog, and those that it dropped because the backlog was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Taken.
    pub taken: u32,
    /// Dropped.
    pub dropped: u32,
}

/// The backlog of each CPU since the start of the host; the numbers wrap at 32 bits.
pub fn backlogs() -> io::Result<Vec<Backlog>> {
    Ok(parse_backlogs(&std::fs::read_to_string("/proc/net/softnet_stat")?))
}

fn parse_backlogs(text: &str) -> Vec<Backlog> {
    let backlog = |line: &str| {
        let mut columns = line.split_ascii_whitespace().map(|digits| u32::from_str_radix(digits, 16).ok());
        Some(Backlog { taken: columns.next()??, dropped: columns.next()?? })
    };
    text.lines().filter_map(backlog).collect()
}

/// SYN cookies that this network namespace has sent.
pub fn syn_cookies() -> io::Result<u64> {
    Ok(parse_syn_cookies(&std::fs::read_to_string("/proc/thread-self/net/netstat")?))
}

fn parse_syn_cookies(text: &str) -> u64 {
    let mut rows = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (Some(names), Some(numbers)) = (rows.next(), rows.next()) else { return 0 };
    let mut pairs = names.split(' ').zip(numbers.split(' '));
    pairs.find(|(name, _)| *name == "SyncookiesSent").and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
}

/// Nanoseconds for which a thread of this process ran or wanted to run: its CPU time and its time in the run queue.
pub fn wanted_cpu(thread: u64) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))?;
    let mut numbers = text.split_ascii_whitespace().map(|number| number.parse::<u64>().unwrap_or(0));
    Ok(numbers.next().unwrap_or(0) + numbers.next().unwrap_or(0))
}

/// The calling thread's number, as in `/proc/self/task`.
pub fn thread_id() -> io::Result<u64> {
    let link = std::fs::read_link("/proc/thread-self")?;
    let number = link.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, Instant};

    use super::*;

    fn inode(socket: impl Into<OwnedFd>) -> u64 {
        std::fs::File::from(socket.into()).metadata().unwrap().ino()
    }

    #[test]
    fn sockets_are_listed_with_their_addresses_and_inodes() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(address).unwrap();
            let listener = TcpListener::bind(address).unwrap();
            let (udp, tcp) = (socket.local_addr().unwrap(), listener.local_addr().unwrap());
            let of = |entries: Vec<SocketEntry>, local| {
                entries.into_iter().find(|entry| entry.local == local).map(|entry| entry.inode)
            };
            assert_eq!(of(udp_sockets().unwrap(), udp), Some(inode(socket.try_clone().unwrap())));
            assert_eq!(of(tcp_listeners().unwrap(), tcp), Some(inode(listener.try_clone().unwrap())));
            // A connection has the same local address and is no listener.
            let _client = TcpStream::connect(tcp).unwrap();
            let (stream, _) = listener.accept().unwrap();
            drop(listener);
            assert_eq!(of(tcp_listeners().unwrap(), tcp), None);
            assert_eq!(handshakes(tcp).unwrap(), 0);
            drop(stream);
        }
    }

    #[test]
    fn lines_are_read_and_nonsense_is_passed_over() {
        let line = "  12: 0100007F:0035 00000000:0000 03 00000000:00000000 01:00000062 00000000     0        0 4711 1 0";
        let entry = entry(line).unwrap();
        assert_eq!(
            (entry.local, entry.state, entry.inode),
            ("127.0.0.1:53".parse().unwrap(), SYN_RECEIVED, 4711)
        );
        let mapped = hex_address("0000000000000000FFFF00000100007F").unwrap();
        assert_eq!(mapped, "127.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!(super::entry("  sl  local_address rem_address   st"), None);
        assert_eq!(hex_address("0100"), None);
        let backlogs = parse_backlogs("00000010 00000002 0 0\nxyz\nffffffff 00000000\n");
        let expected = [Backlog { taken: 16, dropped: 2 }, Backlog { taken: u32::MAX, dropped: 0 }];
        assert_eq!(backlogs, expected);
        assert_eq!(parse_syn_cookies("TcpExt: SyncookiesSent SyncookiesRecv\nTcpExt: 17 3\nIpExt: A\n"), 17);
        assert_eq!(parse_syn_cookies(""), 0);
    }

    #[test]
    fn a_thread_that_computes_wants_the_cpu_and_one_that_waits_does_not() {
        let (told, number) = std::sync::mpsc::channel();
        let (_open, waits) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            told.send(thread_id().unwrap()).unwrap();
            let _ = waits.recv();
        });
        let (idle, own) = (number.recv().unwrap(), thread_id().unwrap());
        let (idle_before, own_before) = (wanted_cpu(idle).unwrap(), wanted_cpu(own).unwrap());
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(200) {
            std::hint::black_box(0);
        }
        let wall = begin.elapsed().as_nanos() as u64;
        assert!(wanted_cpu(own).unwrap() - own_before > wall * 9 / 10);
        assert!(wanted_cpu(idle).unwrap() - idle_before < wall / 10);
    }

    #[test]
    fn the_host_tells_its_backlogs_and_cookies() {
        assert!(!backlogs().unwrap().is_empty());
        syn_cookies().unwrap();
    }
}
