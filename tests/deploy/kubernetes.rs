//! `deploy/kubernetes`, read by kubectl's own types (no cluster is needed), and its configuration as a pod makes it, read by anyns.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::root;
use crate::support::anyns::{PROGRAM, run_here};
use crate::support::process::must;
use crate::support::skip::{has_programs, is_full_run};

fn manifests() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("deploy/kubernetes/anyns.yaml")).expect("the manifests");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

fn of_kind(kind: &str, name: &str) -> Value {
    let is_it = |it: &Value| it["kind"] == kind && it["metadata"]["name"] == name;
    manifests().into_iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// What of the first is not in the second: a field that the type does not know.
fn lost(path: &str, first: &Value, second: &Value) -> Vec<String> {
    match (first, second) {
        (Value::Object(first), Value::Object(second)) => {
            let each = first.iter().flat_map(|(key, value)| {
                lost(&format!("{path}.{key}"), value, second.get(key).unwrap_or(&Value::Null))
            });
            each.collect()
        }
        (Value::Array(first), Value::Array(second)) if first.len() == second.len() => {
            let pairs = first.iter().zip(second).enumerate();
            pairs.flat_map(|(index, (one, other))| lost(&format!("{path}[{index}]"), one, other)).collect()
        }
        _ if first == second => Vec::new(),
        _ => vec![format!("{path}: {first} became {second}")],
    }
}

#[test]
fn kubectl_knows_every_field() {
    // The full run alone: kubectl is a large package.
    if !is_full_run() || !has_programs("deploy/kubernetes", &["kubectl"]) {
        return;
    }
    // It reads the object into the type of the API, changes an image, and prints what it has read.
    let directory = tempfile::tempdir().expect("a directory");
    let (object, file) = (of_kind("DaemonSet", "anyns"), directory.path().join("daemonset.json"));
    std::fs::write(&file, object.to_string()).expect("written");
    let mut command = Command::new("kubectl");
    command.env("KUBECONFIG", "/dev/null").args(["set", "image", "--local", "-o", "json", "-f"]);
    command.arg(&file).arg("anyns=anyns:other");
    let output = command.output().expect("kubectl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).expect("one object with pods");
    let lost = lost("", &object, &read);
    let changed = lost.iter().filter(|field| field.contains("anyns:other")).count();
    assert_eq!((changed, lost.len()), (1, 1), "{lost:#?}");
}

#[test]
fn the_other_objects_have_their_form() {
    let kinds: Vec<_> =
        manifests().iter().map(|it| it["kind"].as_str().expect("a kind").to_owned()).collect();
    assert_eq!(kinds, ["Namespace", "ConfigMap", "ConfigMap", "DaemonSet"]);
    for object in manifests() {
        let known = ["apiVersion", "kind", "metadata", "data", "spec"];
        assert!(object.as_object().expect("an object").keys().all(|key| known.contains(&key.as_str())));
        if object["kind"] == "ConfigMap" {
            assert!(object["data"].as_object().expect("files").values().all(Value::is_string), "{object:#}");
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
}

/// The binary of the image has a capability: Linux runs it only where the bounding set of the process has that, too.
#[test]
fn every_container_may_run_the_binary_of_the_image() {
    if !has_programs("deploy/kubernetes with the binary of the image", &["setcap", "setpriv"]) {
        return;
    }
    let image = std::fs::read_to_string(root().join("deploy/Dockerfile")).expect("the Dockerfile");
    let capability =
        image.split("setcap ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a capability");
    // The user of the pod may not look into a directory of ours.
    let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
    set_mode(directory.path(), 0o755);
    let program = directory.path().join("anyns");
    std::fs::copy(PROGRAM, &program).expect("copied");
    set_mode(&program, 0o755);
    must(Command::new("setcap").arg(capability).arg(&program));
    let spec = of_kind("DaemonSet", "anyns")["spec"]["template"]["spec"].clone();
    let containers = ["initContainers", "containers"]
        .map(|kind| spec[kind].as_array().cloned().unwrap_or_default())
        .concat();
    assert_eq!(containers.len(), 2);
    for container in containers {
        let context = &container["securityContext"];
        assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
        let added = context["capabilities"]["add"].as_array().cloned().unwrap_or_default();
        let added = added.iter().map(|name| format!(",+{}", name.as_str().expect("a name").to_lowercase()));
        let bounding = format!("--bounding-set=-all{}", added.collect::<String>());
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=-all", &bounding]);
        if context["allowPrivilegeEscalation"] == false {
            command.arg("--no-new-privs");
        }
        must(command.arg(&program).arg("--version"));
    }
}

#[test]
fn the_configuration_of_a_pod_is_good() {
    let directory = tempfile::tempdir().expect("a directory");
    let here = |path: &str| directory.path().join(path.trim_start_matches('/'));
    // The volumes.
    let moved = |text: &str| {
        let mut text = text.to_owned();
        for path in ["/etc/anyns-pop", "/etc/anyns-web", "/var/lib/anyns", "/etc/anyns/"] {
            text = text.replace(path, &format!("{}{path}", directory.path().display()));
        }
        text
    };
    let write = |folder: &str, map: &Value| {
        std::fs::create_dir_all(here(folder)).expect("made");
        for (name, text) in map["data"].as_object().expect("files") {
            std::fs::write(here(folder).join(name), moved(text.as_str().expect("a text"))).expect("written");
        }
    };
    write("/etc/anyns", &of_kind("ConfigMap", "anyns-config"));
    write("/var/lib/anyns/zones", &of_kind("ConfigMap", "anyns-zones"));
    std::fs::create_dir_all(here("/etc/anyns-pop")).expect("made");
    std::fs::create_dir_all(here("/etc/anyns-web")).expect("made");
    std::fs::write(here("/etc/anyns-web/token"), "0123456789abcdef0123456789abcdef").expect("written");
    set_mode(&here("/etc/anyns-web/token"), 0o440);
    // The init container writes what differs between nodes, and checks.
    let init = of_kind("DaemonSet", "anyns")["spec"]["template"]["spec"]["initContainers"][0].clone();
    let script = moved(init["command"][2].as_str().expect("a script"));
    let run_at = |address: &str, path: &Path| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", &script]).env("NODE", "node-1").env("ADDRESS", address).env("PATH", path);
        shell.output().expect("it runs")
    };
    let run = |path: &Path| run_at("198.51.100.10", path);
    let program = Path::new(PROGRAM).parent().expect("a folder");
    let output = run(program);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("192.0.2.0/24"), "{text}");
    // A node may have an IPv6 address, with services of that family.
    let config = here("/etc/anyns/anyns.toml");
    let ipv4 = std::fs::read_to_string(&config).expect("read");
    let ipv6 = ipv4.replace("192.0.2.0/24", "2001:db8:53::/48").replace("192.0.2.53", "2001:db8:53::53");
    std::fs::write(&config, ipv6).expect("written");
    let output = run_at("2001:db8::10", program);
    let [text, said] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(text.contains("2001:db8:53::/48") && !said.contains("see the faults above"), "{text}{said}");
    std::fs::write(&config, ipv4).expect("written");
    // A program that cannot be run ends it; a fault does not.
    let empty = here("/empty");
    std::fs::create_dir_all(&empty).expect("made");
    assert_eq!(run(&empty).status.code(), Some(127));
    std::fs::write(here("/var/lib/anyns/zones").join("example.net.zone"), "no zone\n").expect("written");
    let output = run(program);
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stderr).contains("see the faults above")
    );
    std::fs::remove_file(here("/var/lib/anyns/zones").join("example.net.zone")).expect("removed");
    let said = run_here(Path::new("/"), &["check", "--offline", "--config", &config.display().to_string()]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert!(said.text.contains("192.0.2.0/24"), "{}", said.text);
}
