//! The topology file: what the lab needs of a file that containerlab reads.
//!
//! A node's settings are those of its own, of its group and of the defaults, in this order, as containerlab merges them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{LabError, file, unknown};

/// The lab as the file describes it.
#[derive(Debug)]
pub struct Topology {
    /// The lab's name: the start of the names of its namespaces or containers.
    pub name: String,
    /// The file itself.
    pub file: PathBuf,
    /// The folder of the file: nodes see it as `/run/lab`.
    pub folder: PathBuf,
    /// The nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// The links.
    pub links: Vec<Link>,
    /// What the servers run.
    pub stack: Stack,
}

/// What the servers of the POPs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// anyns alone, or with the routing daemon of its host.
    Anyns,
    /// NSD, asked by the health check of ExaBGP, which announces to BIRD: for comparison.
    Stitched,
}

impl Stack {
    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anyns => "anyns",
            Self::Stitched => "NSD, BIRD, ExaBGP",
        }
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A router of a transit network.
    Transit,
    /// The router of a POP.
    Router,
    /// The switch between the router and the servers of a POP.
    Switch,
    /// A server of a POP.
    Server,
    /// A resolver's place.
    Client,
    /// The hidden primary.
    Hub,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub role: Role,
    /// Its POP or region.
    pub pop: Option<String>,
    /// The environment of its processes.
    pub env: BTreeMap<String, String>,
    /// Its kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// The first process.
    pub entrypoint: String,
}

/// One link: two interfaces, and how long a packet takes where the kernel can delay it.
#[derive(Debug)]
pub struct Link {
    /// `[(node, interface); 2]`.
    pub ends: [(String, String); 2],
    /// In the notation of tc-netem(8).
    pub latency: Option<String>,
}

impl Topology {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let fault = |message: String| LabError::Topology { path: path.to_owned(), message };
        let text = std::fs::read_to_string(path).map_err(file(path))?;
        let spec: Spec = serde_saphyr::from_str(&text).map_err(|error| fault(error.to_string()))?;
        let path = path.canonicalize().map_err(file(path))?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let SpecTopology { defaults, groups, nodes, links } = spec.topology;
        let node = |(name, own): (String, Settings)| {
            let none = Settings::default();
            let group = own.group.as_ref().and_then(|group| groups.get(group)).unwrap_or(&none);
            let layers = [&defaults, group, &own];
            let merged = |of: fn(&Settings) -> &BTreeMap<String, Scalar>| {
                let all = layers.iter().flat_map(|layer| of(layer));
                all.map(|(key, value)| (key.clone(), value.text())).collect::<BTreeMap<_, _>>()
            };
            let labels = own.labels.clone().ok_or_else(|| fault(format!("the node {name} has no labels")))?;
            let entrypoint = layers.iter().rev().find_map(|layer| layer.entrypoint.clone());
            let node = Node {
                role: labels.role,
                pop: labels.pop,
                env: merged(|layer| &layer.env),
                sysctls: merged(|layer| &layer.sysctls),
                entrypoint: entrypoint.ok_or_else(|| fault(format!("the node {name} has no entrypoint")))?,
            };
            Ok((name, node))
        };
        let nodes = nodes.into_iter().map(node).collect::<Result<BTreeMap<_, _>, LabError>>()?;
        let link = |link: SpecLink| {
            let [one, other] = link.endpoints;
            let end = |text: &str| {
                let (node, interface) = text
                    .split_once(':')
                    .filter(|(node, _)| nodes.contains_key(*node))
                    .ok_or_else(|| fault(format!("the endpoint {text} is not NODE:INTERFACE of a node")))?;
                Ok((node.to_owned(), interface.to_owned()))
            };
            Ok(Link { ends: [end(&one)?, end(&other)?], latency: link.vars.latency })
        };
        let links = links.into_iter().map(link).collect::<Result<Vec<_>, LabError>>()?;
        Ok(Self { name: spec.name, file: path, folder, nodes, links, stack: Stack::Anyns })
    }

    /// Puts the stitched stack in the place of anyns on every server. The hub stays as it is.
    pub fn stitch(&mut self) {
        self.stack = Stack::Stitched;
        for node in self.nodes.values_mut().filter(|node| node.role == Role::Server) {
            node.env.insert("RUN".into(), "blackholes stitched nsd bird exabgp".into());
            node.env.insert("CONFIG".into(), "/run/stitched".into());
        }
    }

    /// The names of the nodes with this role, of one POP where it is given.
    pub fn with_role<'a>(&'a self, role: Role, pop: Option<&str>) -> impl Iterator<Item = &'a str> + use<'a> {
        let pop = pop.map(str::to_owned);
        let is = move |node: &Node| node.role == role && (pop.is_none() || node.pop == pop);
        self.nodes.iter().filter(move |(_, node)| is(node)).map(|(name, _)| name.as_str())
    }

    /// A node that is asked for by name.
    pub fn node(&self, name: &str) -> Result<&Node, LabError> {
        self.nodes.get(name).ok_or_else(|| unknown("node", name, self.nodes.keys().map(String::as_str)))
    }

    /// The POPs.
    pub fn pops(&self) -> impl Iterator<Item = &str> {
        self.with_role(Role::Router, None).filter_map(|router| self.nodes.get(router)?.pop.as_deref())
    }

    /// The one node with this role in a POP.
    pub fn the(&self, role: Role, pop: &str) -> Result<&str, LabError> {
        self.with_role(role, Some(pop)).next().ok_or_else(|| unknown("POP", pop, self.pops()))
    }

    /// The servers that a name means: all of a POP, or one node.
    pub fn servers(&self, name: &str) -> Result<Vec<&str>, LabError> {
        let all = || self.with_role(Role::Server, None);
        let of_pop = self.with_role(Role::Server, Some(name));
        let found: Vec<&str> = of_pop.chain(all().filter(|node| *node == name)).collect();
        if found.is_empty() {
            Err(unknown("POP or server", name, self.pops().chain(all())))
        } else {
            Ok(found)
        }
    }

    /// The interfaces of a node whose links lead to nodes of a role, with the node at the other end.
    pub fn interfaces(&self, node: &str, to: Role) -> Vec<(&str, &str)> {
        let ends = self.links.iter().flat_map(|link| {
            let [one, other] = &link.ends;
            [(one, other), (other, one)]
        });
        ends.filter(|(one, other)| {
            one.0 == node && self.nodes.get(&other.0).is_some_and(|node| node.role == to)
        })
        .map(|(one, other)| (one.1.as_str(), other.0.as_str()))
        .collect()
    }
}

#[derive(Deserialize)]
struct Spec {
    name: String,
    topology: SpecTopology,
}

#[derive(Deserialize)]
struct SpecTopology {
    defaults: Settings,
    #[serde(default)]
    groups: BTreeMap<String, Settings>,
    nodes: BTreeMap<String, Settings>,
    links: Vec<SpecLink>,
}

#[derive(Default, Deserialize)]
struct Settings {
    group: Option<String>,
    labels: Option<NodeLabels>,
    #[serde(default)]
    env: BTreeMap<String, Scalar>,
    #[serde(default)]
    sysctls: BTreeMap<String, Scalar>,
    entrypoint: Option<String>,
}

#[derive(Clone, Deserialize)]
struct NodeLabels {
    role: Role,
    pop: Option<String>,
}

#[derive(Deserialize)]
struct SpecLink {
    endpoints: [String; 2],
    #[serde(default)]
    vars: LinkVars,
}

#[derive(Default, Deserialize)]
struct LinkVars {
    latency: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(i64),
    Text(String),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        }
    }
}
