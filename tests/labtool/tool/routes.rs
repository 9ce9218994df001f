//! What routers do with the service prefixes, and when: the kernel's own news, from `ip -ts monitor route`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::catchment::PREFIXES;
use super::error::{LabError, file};
use super::nodes::RunningLab;
use super::topology::Role;

const DAY: i64 = 24 * 3600 * 1_000_000;

/// A change of a router's kernel route to the primary service.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RouteChange {
    /// The router's node.
    pub router: String,
    /// 0 for IPv4, 1 for IPv6.
    pub family: usize,
    /// Milliseconds after the fault.
    pub at_ms: f64,
    /// The route is gone; otherwise it is another one.
    pub gone: bool,
}

/// Listens at every router, from its start until [`RouteMonitors::changes`].
pub struct RouteMonitors {
    monitors: Vec<(String, Child, PathBuf)>,
    _folder: tempfile::TempDir,
}

impl RouteMonitors {
    /// Starts listening at the routers of POPs and transits.
    pub fn start(lab: &RunningLab) -> Result<Self, LabError> {
        let folder = tempfile::tempdir().map_err(file("a directory for the monitors"))?;
        let mut monitors = Vec::new();
        for role in [Role::Router, Role::Transit] {
            for router in lab.topology.with_role(role, None) {
                let path = folder.path().join(router);
                let log = std::fs::File::create(&path).map_err(file(&path))?;
                let space = lab.space(router);
                // Gone with this thread, whatever becomes of it.
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "ip", "-n", space.name(), "-ts", "monitor", "route"]);
                command.env("TZ", "UTC").stdin(Stdio::null()).stdout(log).stderr(Stdio::null());
                let start = |source| LabError::Start { program: "setpriv".into(), source };
                monitors.push((router.to_owned(), command.spawn().map_err(start)?, path));
            }
        }
        Ok(Self { monitors, _folder: folder })
    }

    /// Stops listening: every change after `fault`, in order.
    pub fn changes(mut self, fault: SystemTime) -> Vec<RouteChange> {
        let mut changes = Vec::new();
        for (router, child, path) in &mut self.monitors {
            end(child);
            changes.extend(read(path).lines().filter_map(|line| change(router, line, fault)));
        }
        changes.retain(|change| change.at_ms >= 0.0);
        changes.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
        changes
    }
}

impl Drop for RouteMonitors {
    fn drop(&mut self) {
        self.monitors.iter_mut().for_each(|(_, child, _)| end(child));
    }
}

fn end(child: &mut Child) {
    // An error means that it has ended.
    let _ = child.kill();
    let _ = child.wait();
}

fn read(path: &Path) -> String {
    std::fs::read(path).map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default()
}

/// A line like `[2026-01-31T23:59:59.123456] Deleted 203.0.113.0/24 via ...`.
fn change(router: &str, line: &str, fault: SystemTime) -> Option<RouteChange> {
    let (stamp, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let gone = rest.starts_with("Deleted ");
    let prefix = rest.trim_start_matches("Deleted ").split_whitespace().next()?;
    let family = PREFIXES.iter().position(|known| *known == prefix)?;
    let (_, time) = stamp.split_once('T')?;
    let mut parts = time.split(':');
    let (hours, minutes): (i64, i64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let seconds: f64 = parts.next()?.parse().ok()?;
    let at = (hours * 3600 + minutes * 60) * 1_000_000 + (seconds * 1e6) as i64;
    let fault = fault.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_micros() as i64 % DAY;
    // Around midnight one of them is of the next day.
    let after = (at - fault + DAY / 2).rem_euclid(DAY) - DAY / 2;
    Some(RouteChange { router: router.to_owned(), family, at_ms: after as f64 / 1000.0, gone })
}
