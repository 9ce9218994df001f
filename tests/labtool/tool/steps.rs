//! What people do while clients ask, in scenarios: deploys, a lost hub, an upgrade of every server.

use super::catchment::{ZONE, map};
use super::error::LabError;
use super::faults;
use super::nodes::RunningLab;
use super::observe::{OTHER_RATE, Observation, RATE, wait};
use super::stack::{self, status};
use super::topology::{Role, Stack};
use super::zone;

/// How many answers pass while the hub is lost: two times SOA refresh (4 s) at the rate of the streams.
const TWO_REFRESHES: u32 = 8;

/// A new version reaches every server.
pub fn deploy(lab: &RunningLab, seen: &Observation) -> Result<Vec<String>, LabError> {
    let version = next_version(lab)?;
    zone::deploy(lab, ZONE, &zone::at_version(&lab.topology, version)?)?;
    match lab.topology.stack {
        // As a pipeline waits; what each server says of itself is looked at beside it.
        Stack::Anyns => zone::wait(lab, ZONE, version).map(drop)?,
        Stack::Stitched => {
            wait_all_serve(lab, version)?;
            // The operator's reload, beside the one that NSD makes after a transfer; NSD reads the file that it has just written.
            for server in lab.topology.with_role(Role::Server, None) {
                stack::nsd_control(lab, server, &["write", ZONE])?;
                stack::nsd_control(lab, server, &["reload", ZONE])?;
            }
        }
    }
    wait_all_serve(lab, version)?;
    seen.settle("answers of the new version go on").map(|()| Vec::new())
}

/// A wrong version reaches the POPs: whether each refuses or serves it; the next right one is taken.
pub fn wrong_zone(lab: &RunningLab, seen: &Observation) -> Result<Vec<String>, LabError> {
    let version = next_version(lab)?;
    zone::deploy(lab, ZONE, &zone::shrunk(&lab.topology, version)?)?;
    let mut notes = Vec::new();
    for server in lab.topology.with_role(Role::Server, None) {
        wait(&format!("{server} refuses or serves version {version}"), || {
            let refused = stack::refusal(lab, server).map(|why| format!("{server} refuses it: {why}"));
            let served = || {
                let serial = stack::serial(lab, server).filter(|serial| *serial == version);
                serial.map(|serial| format!("{server} serves it: version {serial}"))
            };
            let note = refused.or_else(served);
            let is_told = note.is_some();
            notes.extend(note);
            is_told
        })?;
    }
    seen.settle("answers go on")?;
    let right = version + 1;
    zone::deploy(lab, ZONE, &zone::at_version(&lab.topology, right)?)?;
    wait_all_serve(lab, right)?;
    seen.settle("answers of the right version go on")?;
    Ok(notes)
}

/// The hub is gone for two times SOA refresh; then it comes back with a new version.
pub fn hub_lost(lab: &RunningLab, seen: &Observation) -> Result<Vec<String>, LabError> {
    let hub = lab.topology.with_role(Role::Hub, None).next().unwrap_or("hub").to_owned();
    let version = next_version(lab)?;
    lab.run(&hub, &["sh", "/run/lab/node", "kill-server"])?;
    seen.wait_answers("answers go on without the hub", OTHER_RATE * TWO_REFRESHES, RATE * TWO_REFRESHES)?;
    zone::deploy(lab, ZONE, &zone::at_version(&lab.topology, version)?)?;
    lab.run(&hub, &["sh", "/run/lab/node", "mend"])?;
    wait_all_serve(lab, version)?;
    seen.settle("answers of the new version go on")?;
    Ok(Vec::new())
}

/// Each server is stopped in order and started again; the next one only when the lab is whole.
pub fn upgrade(lab: &RunningLab, seen: &Observation) -> Result<Vec<String>, LabError> {
    for server in lab.topology.with_role(Role::Server, None) {
        if lab.topology.stack == Stack::Stitched {
            // anyns drains itself when it is told to stop; NSD does not, so its operator does and waits until nobody asks it any more.
            stack::drain(lab, server)?;
            wait(&format!("{server} announces nothing"), || stack::is_withdrawn(lab, server))?;
            seen.wait_unused(server)?;
        }
        stack::stop(lab, server)?;
        lab.run(server, &["sh", "/run/lab/node", "mend"])?;
        if lab.topology.stack == Stack::Stitched {
            stack::undrain(lab, server)?;
        }
        faults::wait_whole(lab)?;
    }
    seen.settle("answers go on")?;
    Ok(Vec::new())
}

/// Waits until every server serves this version.
pub fn wait_all_serve(lab: &RunningLab, version: u32) -> Result<(), LabError> {
    wait(&format!("every server serves version {version}"), || {
        lab.topology.with_role(Role::Server, None).all(|server| stack::serial(lab, server) == Some(version))
    })
}

/// A version that no server has had, one above the highest that any client is answered.
fn next_version(lab: &RunningLab) -> Result<u32, LabError> {
    let serials = map(lab).into_iter().filter_map(|seen| seen.serial);
    let refused = hub_serial(lab).unwrap_or(0);
    Ok(serials.max().unwrap_or(1).max(refused) + 1)
}

fn hub_serial(lab: &RunningLab) -> Option<u32> {
    let hub = lab.topology.with_role(Role::Hub, None).next()?;
    let status = status(lab, hub)?;
    stack::zone(&status)?["serial"].as_u64()?.try_into().ok()
}
