//! publish

pub mod text;
