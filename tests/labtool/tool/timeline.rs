//! What a scenario showed, as events in their order.

use super::faults::Moment;
use super::result::{ClientResult, Event};
use super::routes::RouteChange;
use super::sessions::{End, SessionResult};

/// What became of a session, at the time when its retry was answered.
pub fn session_event(pop: &str, session: &SessionResult, moment: Moment) -> Event {
    let asked_ms = session.asked.saturating_duration_since(moment.instant).as_secs_f64() * 1000.0;
    let (family, name) = (FAMILIES[session.family], session.transport.name());
    let end = match session.end {
        End::Reset => "is reset",
        End::Closed => "is closed by it",
        End::Silence => "is given up",
    };
    let how = match session.resumed {
        Some(true) => "resumes it at",
        _ => "is answered anew by",
    };
    let what = format!(
        "client-{pop}: the {name} session with {} {end} {:.1} ms after its next query; the client {how} {} ({family})",
        session.before, session.ended_ms, session.after
    );
    Event { at_ms: asked_ms + session.answered_ms, what }
}

/// The families by number.
pub const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

/// The events in order: the fault, the first change at each router, and what the clients of the POP saw.
pub fn events(
    what: &str,
    pop: &str,
    clients: &[ClientResult],
    routes: &[RouteChange],
    notes: Vec<String>,
) -> Vec<Event> {
    let mut events = vec![Event { at_ms: 0.0, what: what.to_owned() }];
    let mut told: Vec<(&str, usize)> = Vec::new();
    for change in routes {
        let key = (change.router.as_str(), change.family);
        if !told.contains(&key) {
            told.push(key);
            let how = if change.gone { "has no route any more" } else { "has another route" };
            let what = format!("{} {how} ({})", change.router, FAMILIES[change.family]);
            events.push(Event { at_ms: change.at_ms, what });
        }
    }
    for client in clients.iter().filter(|client| client.pop == pop) {
        let (name, family) = (&client.client, FAMILIES[client.family]);
        let mut tell = |at_ms: f64, what: String| {
            events.push(Event { at_ms, what: format!("{name} {what} ({family})") })
        };
        if let Some(lost) =
            client.segments.iter().find(|segment| segment.instance.is_none() && segment.to_ms >= -50.0)
        {
            tell(lost.from_ms, format!("loses its first query of {}", client.lost));
        }
        if let Some(at_ms) = client.elsewhere_ms {
            let mut servers = client.segments.iter().filter_map(|segment| segment.instance.as_deref());
            let before = servers.next().unwrap_or_default();
            let next = servers.find(|server| *server != before).unwrap_or("another server");
            tell(at_ms, format!("is answered by {next}"));
        }
        for (version, at_ms) in client.versions.iter().filter(|(_, at_ms)| **at_ms > 0.0) {
            tell(*at_ms, format!("is answered from version {version}"));
        }
    }
    let last = events.iter().map(|event| event.at_ms).fold(0.0, f64::max);
    events.extend(notes.into_iter().map(|what| Event { at_ms: last, what }));
    events.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
    events
}
