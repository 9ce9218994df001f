//! Are the measured answers right? A sample of the queries goes to all servers, and each must say what the first says.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};

use hickory_proto::op::Message;
use hickory_proto::rr::Record;

use crate::ask::ask;
use crate::queries::Query;
use crate::servers::{Kind, Server};

/// How often a query is asked until it is a fault that no answer comes.
const TRIES: u32 = 10;

/// Faults that are told of one server; more of them say the same.
const MOST_FAULTS: usize = 5;

/// What must be the same: RCODE, AA, answer and authority as sets, TTLs included.
#[derive(Debug, PartialEq, Eq)]
struct Essence {
    rcode: u16,
    authoritative: bool,
    answer: BTreeSet<String>,
    authority: BTreeSet<String>,
}

/// Compares all servers but the reflector with NSD, or with the first if it is not here. Returns the faults.
pub(crate) fn compare(servers: &[Server], sample: &[Query]) -> Vec<String> {
    let mut servers: Vec<&Server> = servers.iter().filter(|server| server.kind != Kind::Reflector).collect();
    servers.sort_by_key(|server| server.kind != Kind::Nsd);
    let Some((judge, others)) = servers.split_first() else { return Vec::new() };
    if others.is_empty() {
        println!("not compared: {} is alone", judge.kind.name());
        return Vec::new();
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let wanted: Vec<Result<Essence, String>> =
        sample.iter().map(|query| essence(&socket, judge, query)).collect();
    let mut faults = Vec::new();
    for server in others {
        let differs = sample.iter().zip(&wanted).filter_map(|(query, wanted)| {
            let got = essence(&socket, server, query);
            (&got != wanted || got.is_err()).then(|| {
                let (name, judge) = (server.kind.name(), judge.kind.name());
                format!("{} {}: {name} says {got:?}, {judge} says {wanted:?}", query.name, query.record_type)
            })
        });
        faults.extend(differs.take(MOST_FAULTS));
    }
    println!("{} queries compared with {}: {} faults", sample.len(), judge.kind.name(), faults.len());
    faults
}

fn essence(socket: &UdpSocket, server: &Server, query: &Query) -> Result<Essence, String> {
    let answer: Message =
        ask(socket, server.address, query, TRIES).map_err(|error| format!("no answer: {error}"))?;
    Ok(Essence {
        rcode: answer.metadata.response_code.into(),
        authoritative: answer.metadata.authoritative,
        answer: set(&answer.answers),
        authority: set(&answer.authorities),
    })
}

fn set(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|record| record.to_string().to_ascii_lowercase()).collect()
}
