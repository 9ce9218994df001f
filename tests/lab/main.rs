//! Labs with the real BIRD in network namespaces: what must hold of a POP, end to end.

#[path = "../support/mod.rs"]
mod support;

mod itself;
