//! Two network namespaces joined by a veth pair, gone when dropped, panic or not.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A POP and its upstream router, each in its own namespace.
pub(crate) struct Pair {
    pop: String,
    router: String,
}

/// The POP's management addresses, and the router's.
pub(crate) const POP: &str = "10.99.0.1";
pub(crate) const POP6: &str = "fd00:99::1";
pub(crate) const ROUTER: &str = "10.99.0.2";
pub(crate) const ROUTER6: &str = "fd00:99::2";

impl Pair {
    /// Builds the pair; `None`, a skip that is counted, where namespaces cannot be made.
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |role: &str| format!("anyr{}{role}{number}", std::process::id());
        let pair = Self { pop: name("p"), router: name("r") };
        if !ip(&["netns", "add", &pair.pop]).status.success() {
            crate::skip::skip("the speaker against a router", "no network namespaces can be made here");
            return None;
        }
        must(ip(&["netns", "add", &pair.router]));
        must(ip(&[
            "-n",
            &pair.pop,
            "link",
            "add",
            "up",
            "type",
            "veth",
            "peer",
            "down",
            "netns",
            &pair.router,
        ]));
        pair.configure(&pair.pop, POP, POP6);
        pair.configure(&pair.router, ROUTER, ROUTER6);
        Some(pair)
    }

    fn configure(&self, namespace: &str, v4: &str, v6: &str) {
        must(ip(&["-n", namespace, "addr", "add", &format!("{v4}/30"), "dev", "veth0"]));
        must(ip(&["-n", namespace, "addr", "add", &format!("{v6}/64"), "dev", "veth0", "nodad"]));
        must(ip(&["-n", namespace, "link", "set", "lo", "up"]));
        must(ip(&["-n", namespace, "link", "set", "veth0", "up"]));
    }

    /// A command that will run where the POP is. Its process is the child itself: `ip` replaces itself by it.
    pub(crate) fn in_pop(&self, program: &str) -> Command {
        within(&self.pop, program)
    }

    /// A command that will run where the router is.
    pub(crate) fn in_router(&self, program: &str) -> Command {
        within(&self.router, program)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.pop]);
        ip(&["netns", "del", &self.router]);
    }
}

fn within(namespace: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, program]);
    command
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip").args(arguments).output().expect("ip runs")
}

fn must(output: Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
