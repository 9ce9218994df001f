//! A scenario file: the zones, the settings, the cases. Its form is specified in `README.md`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::ways::Way;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Scenario {
    /// What the file is about.
    #[allow(dead_code)]
    about: String,
    /// The zones served: origin and file, relative to the scenario.
    #[serde(default)]
    pub(crate) zones: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) settings: SettingsSpec,
    pub(crate) case: Vec<Case>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct SettingsSpec {
    pub(crate) udp_payload_ceiling: Option<u16>,
    pub(crate) report_channel: Option<String>,
    pub(crate) cookie_secrets: Vec<String>,
    pub(crate) cookie_required: bool,
    pub(crate) no_version: bool,
    /// The first load is not over.
    pub(crate) loading: bool,
    /// Zones that are configured and not served, with the reason.
    pub(crate) absent: BTreeMap<String, Absent>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Absent {
    Loading,
    NoData,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Case {
    pub(crate) section: String,
    pub(crate) says: String,
    pub(crate) ask: Option<String>,
    pub(crate) also_ask: Option<String>,
    #[serde(default)]
    pub(crate) header: String,
    /// The message's ID, if it is to be another than usual.
    pub(crate) id: Option<u16>,
    pub(crate) edns: Option<String>,
    #[serde(default)]
    pub(crate) trailing: String,
    over: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) expect: Expect,
    #[serde(default)]
    on: BTreeMap<String, Expect>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Expect {
    pub(crate) rcode: Option<String>,
    pub(crate) flags: Option<String>,
    pub(crate) answer: Option<Vec<String>>,
    pub(crate) authority: Option<Vec<String>>,
    pub(crate) additional: Option<Vec<String>>,
    pub(crate) records: Option<[usize; 3]>,
    pub(crate) options: Option<Vec<String>>,
    pub(crate) opt: Option<bool>,
    pub(crate) question: Option<bool>,
    pub(crate) multiple_of: Option<usize>,
    pub(crate) silence: Option<bool>,
    pub(crate) refusal: Option<String>,
}

/// What is expected in one way, the defaults filled in.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) rcode: String,
    pub(crate) flags: String,
    /// Answer, authority, additional.
    pub(crate) sections: [Wanted; 3],
    pub(crate) options: Vec<String>,
    pub(crate) opt: bool,
    pub(crate) question: bool,
    pub(crate) multiple_of: Option<usize>,
    pub(crate) silence: bool,
    /// How the transport itself refuses the query.
    pub(crate) refusal: Option<String>,
}

/// What is expected of a section.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// These records, in any order.
    Records(Vec<String>),
    /// So many records.
    Count(usize),
    Anything,
}

impl Scenario {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Case {
    pub(crate) fn is_for(&self, way: Way) -> bool {
        let names = way.names();
        self.over.as_ref().is_none_or(|over| over.iter().any(|it| names.contains(&it.as_str())))
    }

    /// The case's expectation with what is said of this way laid over it, the most special last.
    pub(crate) fn expected(&self, way: Way) -> Expected {
        for name in self.on.keys() {
            assert!(crate::ways::is_name(name), "{}: no way is called {name}", self.says);
        }
        let mut expect = self.expect.clone();
        for name in way.names() {
            if let Some(special) = self.on.get(name) {
                expect = special.over(&expect);
            }
        }
        let sections = [expect.answer, expect.authority, expect.additional];
        let wanted = |index: usize| match (&sections[index], expect.records) {
            (Some(lines), _) if *lines == ["*"] => Wanted::Anything,
            (Some(lines), _) => Wanted::Records(lines.clone()),
            (None, Some(records)) => Wanted::Count(records[index]),
            (None, None) => Wanted::Records(Vec::new()),
        };
        Expected {
            rcode: expect.rcode.unwrap_or_else(|| "NOERROR".into()),
            flags: expect.flags.unwrap_or_else(|| "aa".into()),
            sections: [wanted(0), wanted(1), wanted(2)],
            options: expect.options.unwrap_or_default(),
            opt: expect.opt.unwrap_or(self.edns.is_some()),
            question: expect.question.unwrap_or(self.ask.is_some() && self.also_ask.is_none()),
            multiple_of: expect.multiple_of,
            silence: expect.silence.unwrap_or(false),
            refusal: expect.refusal,
        }
    }
}

impl Expect {
    fn over(&self, other: &Self) -> Self {
        let (it, other) = (self.clone(), other.clone());
        Self {
            rcode: it.rcode.or(other.rcode),
            flags: it.flags.or(other.flags),
            answer: it.answer.or(other.answer),
            authority: it.authority.or(other.authority),
            additional: it.additional.or(other.additional),
            records: it.records.or(other.records),
            options: it.options.or(other.options),
            opt: it.opt.or(other.opt),
            question: it.question.or(other.question),
            multiple_of: it.multiple_of.or(other.multiple_of),
            silence: it.silence.or(other.silence),
            refusal: it.refusal.or(other.refusal),
        }
    }
}
