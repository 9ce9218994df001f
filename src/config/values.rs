//! Values with a form of their own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

/// A path as people write it: not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePath(PathBuf);

impl std::ops::Deref for FilePath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = PathBuf::deserialize(deserializer)?;
        match path.as_os_str().is_empty() {
            true => Err(D::Error::invalid_value(Unexpected::Str(""), &"path string")),
            false => Ok(Self(path)),
        }
    }
}

/// A duration as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period(pub(super) Duration);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PeriodVisitor;

        impl Visitor<'_> for PeriodVisitor {
            type Value = Period;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration such as \"200ms\", \"5s\" or \"2m\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
                let parsed = humantime::parse_duration(text).ok();
                parsed.map(Period).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(PeriodVisitor)
    }
}

/// Patterns of files: one or a list; who follows them reads them from the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patterns;

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PatternsVisitor;

        impl<'de> Visitor<'de> for PatternsVisitor {
            type Value = Patterns;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter
                    .write_str("a pattern of files in quotes, such as \"conf.d/*.toml\", or a list of them")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Patterns, E> {
                Ok(Patterns)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Patterns, A::Error> {
                while sequence.next_element::<String>()?.is_some() {}
                Ok(Patterns)
            }
        }

        deserializer.deserialize_any(PatternsVisitor)
    }
}
