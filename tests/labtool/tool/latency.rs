//! The latency of links, where the kernel can delay packets (netem).

use super::nodes::RunningLab;

/// Delays packets as the topology file says; where that cannot be, on any link, no link has a latency, and the message says why.
pub fn set(lab: &RunningLab) -> Option<String> {
    let mut delayed: Vec<(&str, &str)> = Vec::new();
    for link in &lab.topology.links {
        let Some(latency) = &link.latency else { continue };
        for (node, interface) in &link.ends {
            let netem = ["tc", "qdisc", "replace", "dev", interface, "root", "netem", "delay", latency];
            let Err(error) = lab.run(node, &netem) else {
                delayed.push((node, interface));
                continue;
            };
            for (node, interface) in delayed {
                // What is still wrong then, the first fault tells.
                let _ = lab.run(node, &["tc", "qdisc", "delete", "dev", interface, "root"]);
            }
            return Some(message(&error.to_string()));
        }
    }
    None
}

fn message(error: &str) -> String {
    // tc passes on what the kernel says, and says itself what it cannot read.
    match error.contains("Specified qdisc kind is unknown") {
        true => "this kernel has no netem: the lab's links have no latency".to_owned(),
        false => format!("the lab's links have no latency: {error}"),
    }
}
