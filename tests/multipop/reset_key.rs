//! The servers of one ECMP group share the key of QUIC's stateless resets (RFC 9000 section 10.3), the POPs do not.

use std::io::{Error, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use crate::support::dns::{self, SOA};
use crate::support::encrypted::{Remembering, over_doq, quic_with};
use crate::tool::catchment::{SERVICES, ZONE};
use crate::tool::faults::{self, Breakage};
use crate::tool::nodes::RunningLab;
use crate::tool::topology::Role;

/// A server dies; the client goes on with its DoQ connection, and the other server of the group ends that before the idle timeout does.
/// Between POPs it is silence: the scenario `sessions-crash`.
pub(crate) fn the_other_server_of_the_group_ends_a_connection(lab: &RunningLab, pop: &str) {
    let client = lab.space(lab.topology.the(Role::Client, pop).expect("a client"));
    let trust = lab.topology.folder.join("config/tls/cert.pem");
    let server = SocketAddr::new(SERVICES[0].parse::<IpAddr>().expect("an address"), 853);
    let (before, end) = client.inside(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let tls = Remembering::new(&[&trust], "doq", &[&rustls::version::TLS13]);
            let (_endpoint, connection) = quic_with(server, tls.config()).await.expect("a connection");
            let query = dns::query(0, ZONE, SOA);
            let answer = over_doq(&connection, &query).await.expect("an answer");
            let before = dns::parse(&answer).expect("a message").instance;
            Breakage::Process.make(lab, &before).unwrap_or_else(|error| panic!("{error}"));
            let again = over_doq(&connection, &query).await;
            assert!(again.is_err(), "{before} is dead, and somebody answers on its connection");
            (before, connection.close_reason().map(Error::from).map(|error| error.kind()))
        })
    });
    assert_eq!(end, Some(ErrorKind::ConnectionReset), "the connection of {before}");
    faults::mend(lab).unwrap_or_else(|error| panic!("{error}"));
}
