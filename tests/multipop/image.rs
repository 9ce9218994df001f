//! The image of anyns run as itself, as an operator runs it: its user, the capability on its file, its health check.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::process::must;
use crate::support::wait::wait_until;

/// How long the health check may take to come to a judgement; it looks every second here.
const BOUND: Duration = Duration::from_secs(60);

/// Another file than the one of the image, with another control socket: the health check finds both.
const CONFIG: &str = r#"
[pop]
name = "image"
management-addresses = ["127.0.0.1"]

[zones]
directory = "/etc/anyns/zones"
state-directory = "/var/lib/anyns/state"
required = ["example.org"]

[[service]]
prefix = "127.0.0.53/32"
addresses = ["127.0.0.53"]

[route]
driver = "dry-run"

[control]
socket = "/run/anyns/other.sock"
"#;

/// A container; removed when dropped.
struct Container(String);

impl Container {
    fn inspect(&self, format: &str) -> String {
        must(Command::new("docker").args(["inspect", "--format", format, &self.0])).trim().to_owned()
    }

    fn wait_health(&self, wanted: &str) {
        wait_until(&format!("the health check says {wanted}"), BOUND, || {
            self.inspect("{{.State.Health.Status}}") == wanted
        });
    }

    fn exec(&self, arguments: &[&str]) -> String {
        must(Command::new("docker").args(["exec", &self.0]).args(arguments))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for order in ["logs", "inspect"] {
                let said = Command::new("docker").args([order, &self.0]).output();
                eprintln!("---- docker {order}: {said:?}");
            }
        }
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.0]).output();
    }
}

/// Runs the image with a configuration of its own and no more than the guide says.
pub(crate) fn runs_as_itself(zone: &Path) {
    let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
    let zones = directory.path().join("zones");
    std::fs::create_dir(&zones).expect("a directory");
    std::fs::copy(zone, zones.join("example.org.zone")).expect("copied");
    std::fs::write(directory.path().join("other.toml"), CONFIG).expect("written");
    must(Command::new("chmod").arg("-R").arg("a+rX").arg(directory.path()));
    let mount = format!("{}:/etc/anyns:ro", directory.path().display());
    let mut run = Command::new("docker");
    run.args(["run", "--detach", "--init", "--network", "none", "--cap-drop", "ALL"]);
    // As on a host: Docker opens all ports in a network namespace of the container's own.
    run.args(["--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"]);
    run.args(["--cap-add", "NET_BIND_SERVICE", "--health-interval", "1s", "--health-retries", "2"]);
    run.args(["--health-start-period", "0s", "--volume", &mount, "anyns"]);
    run.args(["run", "--config", "/etc/anyns/other.toml"]);
    let container = Container(must(&mut run).trim().to_owned());
    container.wait_health("healthy");
    assert_eq!(container.exec(&["id", "-u"]).trim(), "65532");
    let process = container.inspect("{{.State.Pid}}");
    let children =
        std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).expect("children");
    let server = children.split_whitespace().next().expect("the server below init");
    let status = std::fs::read_to_string(format!("/proc/{server}/status")).expect("its status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().next().unwrap_or_default().to_owned()
    };
    assert_eq!((field("Name:"), field("Uid:")), ("anyns".into(), "65532".into()), "{status}");
    // CAP_NET_BIND_SERVICE (10), and nothing else.
    assert_eq!(field("CapEff:"), format!("{:016x}", 1 << 10), "{status}");
    let dig = ["--target", &process, "--net", "dig", "+short", "@127.0.0.53", "example.org", "SOA"];
    assert!(must(Command::new("nsenter").args(dig)).contains("hostmaster"), "port 53 answers");
    // A server that gives no answer is unhealthy.
    must(Command::new("kill").args(["-STOP", server]));
    container.wait_health("unhealthy");
    must(Command::new("kill").args(["-CONT", server]));
    container.wait_health("healthy");
}
