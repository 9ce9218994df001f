//! Values with a form of their own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

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
