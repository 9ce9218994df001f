//! Deploying to the hub: a zone file is put beside its place and renamed, as an editor does.

use super::catchment::ZONE;
use super::error::{LabError, file};
use super::nodes::RunningLab;
use super::topology::{Role, Topology};

/// The zone of the lab at a version: serial, TXT records and names say it.
pub fn at_version(topology: &Topology, version: u32) -> Result<String, LabError> {
    let path = topology.folder.join("config/hub").join(format!("{ZONE}.zone"));
    let text = std::fs::read_to_string(&path).map_err(file(&path))?;
    let soa = |version: u32| format!("hostmaster {version} ");
    Ok(text
        .replace(&soa(1), &soa(version))
        .replace("\"1\"", &format!("\"{version}\""))
        .replace("\"v 1\"", &format!("\"v {version}\""))
        .replace("step-1 ", &format!("step-{version} "))
        .replace("CNAME step-1\n", &format!("CNAME step-{version}\n")))
}

/// The same without nearly all of its records: what a generator writes whose database was empty.
pub fn shrunk(topology: &Topology, version: u32) -> Result<String, LabError> {
    let whole = at_version(topology, version)?;
    Ok(whole.lines().filter(|line| !line.starts_with("host-")).map(|line| format!("{line}\n")).collect())
}

/// Puts a zone file into the hub's zone directory.
pub fn deploy(lab: &RunningLab, zone: &str, text: &str) -> Result<(), LabError> {
    let hub = lab.topology.with_role(Role::Hub, None).next().unwrap_or("hub").to_owned();
    let place = format!("/var/lib/anyns/zones/{zone}.zone");
    let script = "cat > \"$1.new\" && chmod 0644 \"$1.new\" && mv \"$1.new\" \"$1\"";
    lab.run_with_input(&hub, &["sh", "-c", script, "deploy", &place], text).map(drop)
}

/// Waits until every server that answers has this serial or a newer one, by `anyns fleet wait` at the hub; what that said.
pub fn wait(lab: &RunningLab, zone: &str, serial: u32) -> Result<String, LabError> {
    let hub = lab.topology.with_role(Role::Hub, None).next().unwrap_or("hub").to_owned();
    let (config, serial) = (format!("/run/lab/config/{hub}/anyns.toml"), serial.to_string());
    let order = ["anyns", "--config", &config, "fleet", "wait", zone, &serial, "--skip-unreachable"];
    lab.run(&hub, &order)
}
