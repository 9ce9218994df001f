//! The latency of links, where the kernel can delay packets (netem).

use super::nodes::RunningLab;

/// Delays packets as the topology file says; a message where that cannot be.
pub fn set(lab: &RunningLab) -> Option<String> {
    for link in &lab.topology.links {
        let Some(latency) = &link.latency else { continue };
        for (node, interface) in &link.ends {
            let netem = ["tc", "qdisc", "replace", "dev", interface, "root", "netem", "delay", latency];
            if lab.run(node, &netem).is_err() {
                return Some("this kernel has no netem: the lab's links have no latency".to_owned());
            }
        }
    }
    None
}
