//! How well a POP is, out of what it tells of itself: its probes, its routes, how many answers are SERVFAIL, and which version it refuses.

use std::time::Duration;

use super::client::PopClient;
use super::document::{PopDocument, ToldPrefix, ToldProbe, ToldStatus};
use super::error::FleetError;
use super::summary::short;
use super::survey::{MOST_DOCUMENT, zone_path};

/// How well a POP is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PopHealth {
    /// What is wrong with the server, the first thing, or whether it takes no queries by order.
    pub server: ServerHealth,
    /// When its process began, in Unix seconds: the counts begin there.
    pub started: u64,
    /// Answers since then.
    pub answers: u64,
    /// How many of them were SERVFAIL.
    pub servfail: u64,
}

/// What is wrong with a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerHealth {
    /// Nothing.
    Good,
    /// It takes no queries by order, so it proves nothing; the reason.
    Away(String),
    /// Its probes fail, or a route is withdrawn; which, and why.
    Bad(String),
}

impl PopClient {
    /// How well this POP is.
    ///
    /// # Errors
    /// No answer within `limit`, none that can be used, or one of another POP.
    pub async fn health(&self, limit: Duration) -> Result<PopHealth, FleetError> {
        let document: PopDocument = self.document("/api/v1/pop?digests=0", MOST_DOCUMENT, limit).await?;
        match document.status.answers_as(self.name()) {
            true => Ok(PopHealth::of(&document.status)),
            false => Err(FleetError::OtherPop { found: document.status.pop }),
        }
    }

    /// Why this POP refuses the version of a zone with this serial, if it does.
    ///
    /// # Errors
    /// As [`PopClient::health`].
    pub async fn refusal(
        &self,
        zone: &str,
        serial: u32,
        limit: Duration,
    ) -> Result<Option<String>, FleetError> {
        let status: ToldStatus = self.document(&zone_path(zone), MOST_DOCUMENT, limit).await?;
        Ok(refusal(&status, serial))
    }
}

impl PopHealth {
    /// Reads it out of the status.
    fn of(status: &ToldStatus) -> Self {
        let counters = &status.serve.counters;
        let answers = counters.iter().filter(|(name, _)| name.starts_with("rcode_")).map(|(_, count)| *count);
        Self {
            server: server_health(status),
            started: status.started,
            answers: answers.fold(0, u64::saturating_add),
            servfail: counters.get("rcode_2").copied().unwrap_or_default(),
        }
    }
}

fn refusal(status: &ToldStatus, serial: u32) -> Option<String> {
    let transfer = status.zones.first()?.transfer.as_ref()?;
    let why = transfer.last_error.as_deref().unwrap_or("it does not say why");
    (transfer.refused == Some(serial)).then(|| short(&format!("it refuses serial {serial}: {why}")))
}

/// An order comes first: an operator who drains a POP expects its routes to go and its probes to end.
fn server_health(status: &ToldStatus) -> ServerHealth {
    if status.stopping {
        return ServerHealth::Away("it stops in order".to_owned());
    }
    if status.operator.order == "withdraw" {
        let reason = &status.operator.reason;
        return ServerHealth::Away(short(&format!("it is drained by order: {reason}")));
    }
    let fault = status.probes.iter().find_map(probe_fault);
    match fault.or_else(|| status.prefixes.iter().find_map(route_fault)) {
        Some(fault) => ServerHealth::Bad(short(&fault)),
        None => ServerHealth::Good,
    }
}

/// Probes under proven overload (`pressure`) and those that have not begun say nothing of a version.
fn probe_fault(probe: &ToldProbe) -> Option<String> {
    let ToldProbe { address, transport, standing, reason } = probe;
    let why = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    matches!(standing.as_str(), "wrong" | "silent")
        .then(|| format!("the probe of {address} over {transport} is {standing}{why}"))
}

fn route_fault(prefix: &ToldPrefix) -> Option<String> {
    let why = prefix.reasons.first().map(|reason| format!(": {reason}")).unwrap_or_default();
    (prefix.intent == "withdraw").then(|| format!("{} is withdrawn{why}", prefix.prefix))
}

#[cfg(test)]
mod tests {
    use super::super::document::{ToldOperator, ToldServe, ToldTransfer, ToldZone};
    use super::*;

    fn probe(standing: &str, reason: Option<&str>) -> ToldProbe {
        let (address, transport) = ("192.0.2.53".into(), "UDP".into());
        ToldProbe { address, transport, standing: standing.into(), reason: reason.map(str::to_owned) }
    }

    fn prefix(intent: &str) -> ToldPrefix {
        let (prefix, reasons) = ("192.0.2.0/24".into(), vec!["the probes fail".into()]);
        ToldPrefix { prefix, intent: intent.into(), reasons, ..ToldPrefix::default() }
    }

    fn told(probes: Vec<ToldProbe>, prefixes: Vec<ToldPrefix>) -> ToldStatus {
        ToldStatus { probes, prefixes, ..ToldStatus::default() }
    }

    #[test]
    fn failing_probes_and_withdrawn_routes_are_bad_and_an_order_is_none_of_them() {
        let order = |order: &str| ToldOperator { order: order.into(), reason: "disk".into() };
        let table = [
            (ToldStatus::default(), "good"),
            (told(vec![probe("up", None)], vec![prefix("announce")]), "good"),
            (told(vec![probe("pressure", None), probe("untested", None)], vec![prefix("deprefer")]), "good"),
            (
                told(vec![probe("up", None), probe("silent", Some("no answer"))], vec![prefix("withdraw")]),
                "bad: the probe of 192.0.2.53 over UDP is silent: no answer",
            ),
            (told(vec![probe("wrong", None)], vec![]), "bad: the probe of 192.0.2.53 over UDP is wrong"),
            (told(vec![], vec![prefix("withdraw")]), "bad: 192.0.2.0/24 is withdrawn: the probes fail"),
            (
                ToldStatus { operator: order("withdraw"), ..told(vec![], vec![prefix("withdraw")]) },
                "away: it is drained by order: disk",
            ),
            (ToldStatus { operator: order("deprefer"), ..told(vec![], vec![prefix("deprefer")]) }, "good"),
            (
                ToldStatus { stopping: true, ..told(vec![probe("silent", None)], vec![]) },
                "away: it stops in order",
            ),
        ];
        for (status, expected) in table {
            let found = match PopHealth::of(&status).server {
                ServerHealth::Good => "good".to_owned(),
                ServerHealth::Away(why) => format!("away: {why}"),
                ServerHealth::Bad(why) => format!("bad: {why}"),
            };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn answers_are_counted_and_a_refused_version_is_known_by_its_serial() {
        let counters = [("rcode_0", 90), ("rcode_2", 10), ("rcode_3", 5), ("udp_queries", 999)];
        let counters = counters.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let transfer = ToldTransfer { refused: Some(7), last_error: Some("no www".to_owned()) };
        let status = ToldStatus {
            zones: vec![ToldZone { transfer: Some(transfer), ..ToldZone::default() }],
            serve: ToldServe { counters },
            started: 7,
            ..ToldStatus::default()
        };
        let PopHealth { started, answers, servfail, .. } = PopHealth::of(&status);
        assert_eq!((started, answers, servfail), (7, 105, 10));
        assert_eq!(refusal(&status, 7).unwrap(), "it refuses serial 7: no www");
        assert_eq!(refusal(&status, 8), None, "another version");
        assert_eq!(refusal(&ToldStatus::default(), 7), None);
    }
}
