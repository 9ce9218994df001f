//! The topology file against containerlab's own JSON schema, and against the files that it names.

use std::process::Command;

use crate::support::process::must;
use crate::support::skip::has_programs;
use crate::tool::topology::Role;
use crate::{folder, topology};

/// `schemas/clab.schema.json` of containerlab 0.79.0; its licence (BSD-3-Clause) is beside it.
const SCHEMA: &str = include_str!("schema/clab.schema.json");

#[test]
fn the_topology_file_is_as_containerlab_wants_it() {
    if !has_programs("the schema of containerlab", &["jsonschema"]) {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let text = std::fs::read_to_string(folder().join("anyns.clab.yml")).expect("the topology");
    let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    let (instance, schema) = (directory.path().join("topology.json"), directory.path().join("schema.json"));
    std::fs::write(&instance, value.to_string()).expect("written");
    // Python's regular expressions have no classes of Unicode properties.
    std::fs::write(&schema, SCHEMA.replace("\\\\p{N}\\\\p{L}", "\\\\w")).expect("written");
    must(Command::new("jsonschema").arg("-i").arg(&instance).arg(&schema));
    // The check does find faults.
    std::fs::write(&instance, value.to_string().replacen("\"links\"", "\"lnks\"", 1)).expect("written");
    let wrong = Command::new("jsonschema").arg("-i").arg(&instance).arg(&schema).output().expect("it runs");
    assert!(!wrong.status.success(), "a wrong key passes");
}

#[test]
fn every_node_has_the_files_that_it_runs() {
    let topology = topology();
    let node_script = std::fs::read_to_string(folder().join("node")).expect("the script of the nodes");
    for (name, node) in &topology.nodes {
        let config = folder().join("config").join(name);
        for part in node.env.get("RUN").map(String::as_str).unwrap_or_default().split_whitespace() {
            assert!(
                node_script.contains(&format!("start_{part}() {{")),
                "{name}: the script starts no {part}"
            );
            let file = match part {
                "bird" => "bird.conf",
                "frr" => "frr.conf",
                "anyns" => "anyns.toml",
                _ => continue,
            };
            assert!(config.join(file).exists(), "{name}: {file} is missing");
        }
    }
    for link in &topology.links {
        for (node, _) in &link.ends {
            assert!(topology.nodes.contains_key(node), "{node}");
        }
    }
}

/// RFC 9000 section 21.11: servers share the key of stateless resets only within one ECMP group.
#[test]
fn only_the_servers_of_one_pop_share_a_reset_key() {
    let topology = topology();
    for server in topology.with_role(Role::Server, None) {
        let text = std::fs::read_to_string(folder().join("config").join(server).join("anyns.toml"));
        let has_key = text.expect("the configuration").contains("\nquic-reset-key = ");
        let group = topology.servers(topology.nodes[server].pop.as_deref().expect("a POP")).expect("servers");
        assert_eq!(has_key, group.len() > 1, "{server}");
    }
}
