//! What must hold of a scenario, whatever the machine is busy with.

use crate::tool::catchment::{Catchment, is_whole};
use crate::tool::ecmp::GroupChange;
use crate::tool::nodes::RunningLab;
use crate::tool::result::{FamilyResult, ScenarioResult};
use crate::tool::sessions::{End, SessionResult, Transport};
use crate::tool::topology::Role;

/// The longest time until another server answers, in milliseconds: some seconds for what closes a session, because tests share the
/// machine; the hold time of 3 s, the scan of BIRD and the same for what only a timer sees.
const CLOSED_MS: f64 = 3000.0;
const HOLD_MS: f64 = 7000.0;

/// Three catchments: every client is answered by its own POP, at every address of both families.
pub(crate) fn catchments(lab: &RunningLab, map: &[Catchment]) {
    assert!(is_whole(lab, map), "{map:?}");
    assert_eq!(lab.topology.pops().count(), 3);
    assert_eq!(map.len(), 12, "three clients, two services over two families: {map:?}");
    let servers = lab.topology.with_role(Role::Server, None);
    assert_eq!(servers.count(), 4);
}

/// What holds of every scenario with anyns, however busy the machine is: no wrong answer, no version that nobody deployed.
pub(crate) fn scenario(result: &ScenarioResult) {
    common(result);
    versions(result);
    let sessions = |is_crash| result.sessions.iter().for_each(|one| session(&result.pop, is_crash, one));
    let followed: Vec<_> = result.sessions.iter().map(|one| (one.transport, one.family)).collect();
    let all = Transport::ALL.iter().flat_map(|transport| [0, 1].map(|family| (*transport, family)));
    match result.scenario.as_str() {
        name @ ("sessions-crash" | "sessions-drain") => {
            assert_eq!(followed, all.collect::<Vec<_>>(), "each transport over each family");
            sessions(name == "sessions-crash");
        }
        name => assert!(followed.is_empty(), "{name}: {followed:?}"),
    }
}

/// What holds of every scenario with the stitched stack, the comparison: clients go where they must in time, and what is known to be
/// otherwise is so. If it is no longer, the documentation of the lab is wrong.
pub(crate) fn stitched(result: &ScenarioResult) {
    common(result);
    for client in &result.clients {
        let expected = match result.scenario.as_str() {
            // Nothing in this stack refuses a version.
            "wrong-zone" => 3,
            "deploy" | "hub-lost" => 2,
            _ => 1,
        };
        assert_eq!(client.versions.len(), expected, "{}: {:?}", result.scenario, client.versions);
    }
    for family in &result.families {
        match result.scenario.as_str() {
            "cut-off" | "deploy" | "wrong-zone" | "hub-lost" => {
                assert_eq!(family.elsewhere_ms, None, "{}: {family:?}", result.scenario);
            }
            // Nobody but the health check sees that the name server is dead.
            "process-crash" => {
                assert!(family.elsewhere_ms.is_some_and(|ms| ms > 1000.0), "{family:?}");
                assert!(family.lost > 1000, "{family:?}");
            }
            _ if result.moves && result.scenario != "one-of-two" => {
                assert!(family.elsewhere_ms.is_some(), "{}: {family:?}", result.scenario);
            }
            _ => {}
        }
    }
    if result.scenario.starts_with("sessions-") {
        assert_eq!(result.sessions.len(), 4, "TCP and DoT over two families: {:?}", result.sessions);
        for session in &result.sessions {
            // NSD makes keys of tickets for itself: the other POP cannot read them.
            let resumed = (session.transport == Transport::Dot).then_some(false);
            assert_eq!((session.end, session.resumed), (End::Reset, resumed), "{session:?}");
        }
    }
}

/// What holds of every scenario with every stack.
fn common(result: &ScenarioResult) {
    let name = &result.scenario;
    for client in &result.clients {
        assert!(client.faults.is_empty(), "{name}: wrong answers: {:?}", client.faults);
        assert!(client.sent > client.lost, "{name}: {} of {} lost", client.lost, client.sent);
    }
    assert_eq!(result.families.len(), 2, "{name}: IPv4 and IPv6");
    let svg = crate::tool::svg::draw(result);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains(name.as_str()), "{svg}");
    if result.scenario.starts_with("ecmp-") {
        assert_eq!(
            result.group_changes.len(),
            4,
            "both changes over two families: {:?}",
            result.group_changes
        );
        result.group_changes.iter().for_each(|change| group_change(name == "ecmp-resilient", change));
    }
}

/// A server that joins or leaves a resilient group moves no connection of another server; one that joins a plain group does.
fn group_change(is_resilient: bool, change: &GroupChange) {
    let (others, own) = ((change.staying, change.staying_broken), (change.leaving, change.leaving_broken));
    match change.change {
        "joins" => {
            assert!(others.0 >= 24 && own.0 == 0, "all are open at the server that stays: {change:?}");
            assert_eq!(others.1 == 0, is_resilient, "{change:?}");
        }
        _ => {
            assert!(others.0 > 0, "both servers had connections: {change:?}");
            assert!(own.0 > 0 && own.1 == own.0, "those of the server that leaves cannot: {change:?}");
        }
    }
}

/// A session of the POP ends when its next query reaches another one, and goes on there.
fn session(pop: &str, is_crash: bool, session: &SessionResult) {
    let of_pop = |instance: &str| instance.starts_with(&format!("{pop}-"));
    assert!(of_pop(&session.before) && !of_pop(&session.after), "{session:?}");
    // A POP that is drained still tells when its idle timeout has passed, and may be the first to say so.
    let (ends, resumed): (&[End], _) = match session.transport {
        Transport::Tcp => (&[End::Reset], None),
        Transport::Dot | Transport::Doh => (&[End::Reset], Some(true)),
        Transport::Doq if is_crash => (&[End::Silence], Some(true)),
        Transport::Doq => (&[End::Silence, End::Closed], Some(true)),
    };
    assert!(ends.contains(&session.end) && session.resumed == resumed, "{session:?}");
}

/// A reset answers the first segment, so it comes within one round trip to the other POP, which the handshake of the next session
/// measures. This is what a busy machine may need besides; the first retransmission comes no sooner than 200 ms later (TCP_RTO_MIN).
const BESIDES_MS: f64 = 50.0;
/// The idle timeout of the lab (`tls.idle`), after which a QUIC client gives up (RFC 9000 section 10.1). What a drained POP still sends
/// starts it anew.
const IDLE_MS: f64 = 3000.0;

fn measured_session(session: &SessionResult) -> Result<(), String> {
    let (ended, retried) = (session.ended_ms, session.answered_ms - session.ended_ms);
    let fits = match session.end {
        End::Reset => ended < session.handshake_ms + BESIDES_MS,
        End::Closed => ended < IDLE_MS * 2.0,
        End::Silence => (IDLE_MS * 0.9..IDLE_MS * 2.0).contains(&ended),
    };
    match fits && retried < 1000.0 {
        true => Ok(()),
        false => Err(format!(
            "{} is over after {ended:.1} ms, answered {retried:.1} ms later; a round trip takes {:.1} ms",
            session.transport.name(),
            session.handshake_ms
        )),
    }
}

/// Nothing was lost before the fault.
pub(crate) fn nothing_before(result: &ScenarioResult) -> Result<(), String> {
    match result.clients.iter().map(|client| client.lost_before).sum() {
        0 => Ok(()),
        before => Err(format!("{before} queries lost before the fault")),
    }
}

/// Times and losses: what a busy machine may spoil. The streams of the other regions, and the time before the fault, are the control.
pub(crate) fn measured(result: &ScenarioResult) -> Result<(), String> {
    nothing_before(result)?;
    // The longest ways of the others are through the region in these two.
    if !matches!(result.scenario.as_str(), "upgrade" | "cut-off") && result.lost_elsewhere > 0 {
        return Err(format!("{} queries lost in other regions", result.lost_elsewhere));
    }
    result.sessions.iter().try_for_each(measured_session)?;
    // While the router replaces the two paths by one, a packet may go to another POP, which resets the connection.
    let moved = |change: &&GroupChange| change.change == "leaves" && change.staying_broken > 0;
    if let Some(change) = result.group_changes.iter().find(moved) {
        return Err(format!("connections of the server that stays broke, too: {change:?}"));
    }
    result.families.iter().try_for_each(|family| {
        measured_family(result, family).map_err(|fault| format!("{}: {fault}", family.family))
    })
}

fn measured_family(result: &ScenarioResult, family: &FamilyResult) -> Result<(), String> {
    let name = result.scenario.as_str();
    let bound = if matches!(name, "server-crash" | "switch-crash") { HOLD_MS } else { CLOSED_MS };
    let (elsewhere, lost) = (family.elsewhere_ms, family.lost);
    if result.moves && name != "one-of-two" {
        let withdrawn = family.withdrawn_ms.ok_or("no route changed")?;
        let elsewhere = elsewhere.ok_or("nobody else answered")?;
        if withdrawn > bound || elsewhere > bound {
            return Err(format!("withdrawn after {withdrawn:.0} ms, elsewhere after {elsewhere:.0} ms"));
        }
        // Whatever was lost was lost before: nothing more than the time at the rate, and a little.
        let most = elsewhere * f64::from(family.rate) / 1000.0 + f64::from(family.rate) / 10.0;
        if lost as f64 > most {
            return Err(format!("{lost} lost although another server answered after {elsewhere:.0} ms"));
        }
    }
    match name {
        "drain" | "upgrade" if lost > 0 => {
            Err(format!("a planned stop loses no query, and {lost} were lost"))
        }
        "cut-off" | "deploy" | "wrong-zone" | "hub-lost" if lost > 0 || elsewhere.is_some() => {
            Err(format!("the POP goes on, and {lost} were lost, elsewhere after {elsewhere:?} ms"))
        }
        _ => Ok(()),
    }
}

/// A deploy reaches everyone; a wrong version reaches nobody.
fn versions(result: &ScenarioResult) {
    let count = |client: &crate::tool::result::ClientResult| client.versions.len();
    match result.scenario.as_str() {
        "deploy" | "hub-lost" | "wrong-zone" => {
            for client in &result.clients {
                assert_eq!(
                    count(client),
                    2,
                    "{}: the old and the new version: {:?}",
                    result.scenario,
                    client.versions
                );
            }
        }
        _ => result.clients.iter().for_each(|client| assert_eq!(count(client), 1, "{:?}", client.versions)),
    }
    if result.scenario == "wrong-zone" {
        for client in &result.clients {
            let versions: Vec<u32> = client.versions.keys().copied().collect();
            let step = versions.last().zip(versions.first()).map(|(new, old)| new - old);
            assert_eq!(step, Some(2), "the version between was wrong: {versions:?}");
        }
        let refused = result
            .events
            .iter()
            .filter(|event| event.what.contains("refuses it") && event.what.contains("shrank"));
        assert_eq!(refused.count(), 4, "each server says why: {:?}", result.events);
    }
}
