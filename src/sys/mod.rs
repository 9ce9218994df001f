//! sys

pub mod md5;
pub mod min_ttl;
