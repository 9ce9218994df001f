//! What an operator does with a server, and asks it, by the programs that it runs: anyns, or NSD, BIRD and ExaBGP.

use super::catchment::ZONE;
use super::error::LabError;
use super::nodes::RunningLab;
use super::observe::wait;
use super::topology::Stack;

/// The reason that a drain of the lab gives.
const REASON: &str = "the lab drains it";
/// While this file is there, both health checks of ExaBGP withdraw (`--disable`).
const DISABLED: &str = "/run/stitched/disabled";
/// The processes of the stitched stack, for pgrep and pkill.
const STITCHED: &str = "nsd.*|exabgp|bird";

/// Drains a server. anyns ends the order when it is drained; a health check sees its file when it next looks.
pub fn drain(lab: &RunningLab, server: &str) -> Result<(), LabError> {
    match lab.topology.stack {
        Stack::Anyns => lab.run(server, &["anyns", "drain", "--reason", REASON]),
        Stack::Stitched => lab.run(server, &["touch", DISABLED]),
    }
    .map(drop)
}

/// Ends a drain.
pub fn undrain(lab: &RunningLab, server: &str) -> Result<(), LabError> {
    match lab.topology.stack {
        Stack::Anyns => lab.run(server, &["anyns", "undrain"]),
        Stack::Stitched => lab.run(server, &["rm", "-f", DISABLED]),
    }
    .map(drop)
}

/// Whether a server is drained. One that has only just started answers no command yet, and is not drained.
pub fn is_drained(lab: &RunningLab, server: &str) -> bool {
    match lab.topology.stack {
        Stack::Anyns => lab
            .run(server, &["sh", "-c", "anyns status --json || true"])
            .is_ok_and(|status| status.contains(REASON)),
        Stack::Stitched => lab.run(server, &["test", "-e", DISABLED]).is_ok(),
    }
}

/// Whether the BIRD of a server of the stitched stack has no route to announce.
pub fn is_withdrawn(lab: &RunningLab, server: &str) -> bool {
    let order = ["birdc", "-s", "/run/bird/bird.ctl", "show", "route", "protocol", "exabgp", "count"];
    lab.run(server, &order).is_ok_and(|routes| routes.contains("Total: 0 of"))
}

/// Stops all that a server runs, in order, and waits until it has ended. `node mend` starts it again.
pub fn stop(lab: &RunningLab, server: &str) -> Result<(), LabError> {
    let processes = match lab.topology.stack {
        Stack::Anyns => "anyns",
        Stack::Stitched => STITCHED,
    };
    lab.run(server, &["pkill", "-TERM", "-x", processes])?;
    wait(&format!("{processes} on {server} ends"), || lab.run(server, &["pgrep", "-x", processes]).is_err())
}

/// The serial of the zone that a server serves.
pub fn serial(lab: &RunningLab, server: &str) -> Option<u32> {
    match lab.topology.stack {
        Stack::Anyns => {
            let status = status(lab, server)?;
            let zone = zone(&status)?;
            zone["serial"].as_u64().filter(|_| zone["state"] == "served")?.try_into().ok()
        }
        Stack::Stitched => {
            // A line like `served-serial: "20 since 2026-01-31T23:59:59"`.
            let status = nsd_control(lab, server, &["zonestatus", ZONE]).ok()?;
            let (_, rest) = status.split_once("served-serial: \"")?;
            rest.split(|end: char| !end.is_ascii_digit()).next()?.parse().ok()
        }
    }
}

/// Why a server refuses a version that it has got.
pub fn refusal(lab: &RunningLab, server: &str) -> Option<String> {
    let status = status(lab, server)?;
    let fault = zone(&status)?["faults"].as_array()?.first()?;
    Some(fault.as_str().map_or_else(|| fault.to_string(), ToOwned::to_owned))
}

/// The zone of the lab in a status document, which has catalogs among its zones.
pub fn zone(status: &serde_json::Value) -> Option<&serde_json::Value> {
    status["zones"]
        .as_array()?
        .iter()
        .find(|zone| zone["name"].as_str().is_some_and(|name| name.trim_end_matches('.') == ZONE))
}

/// The status document of the anyns on a node.
pub fn status(lab: &RunningLab, node: &str) -> Option<serde_json::Value> {
    let output = lab.command(node, &["anyns", "status", "--json"]).ok()?.output().ok()?;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    // Where none answers, the document tells the errors.
    document.get("errors").is_none().then_some(document)
}

/// What `nsd-control` prints.
pub fn nsd_control(lab: &RunningLab, server: &str, order: &[&str]) -> Result<String, LabError> {
    lab.run(server, &[&["nsd-control", "-c", "/run/stitched/nsd.conf"], order].concat())
}
