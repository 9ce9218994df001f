//! The form of a configuration file: its text in, a [`Spec`] out, and every fault of form on the way.
//!
//! A file without faults is read once. A deserializer stops at the first fault. So what is wrong is noted, taken out of the parsed table and the rest is read
//! again, until it can be read; a required key that is missing gets a value that stands for it. What is taken out or put in
//! may provoke faults of meaning that the file does not have; [`Form::provoked`] tells which. A file with such faults is
//! refused in any case.

use std::ops::Range;

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::fault::{Fault, Faults};
use super::sources::Sources;
use super::spec::{Spec, key_of};
use super::words::{LISTS, SINGLE, in_words, syntax_in_words};

/// The most faults of form that are told; a file with more is another kind of file.
const MAX_FAULTS: usize = 100;

/// A key, what it is, and a value of the right form.
type Required = (&'static str, &'static str, &'static str);

/// The keys that must be there, by section, what each is, and a value of the right form.
const REQUIRED: [(&str, &[Required]); 13] = [
    (
        "pop",
        &[
            ("name", "this POP's name, such as \"ams1\"", "\"x\""),
            ("management-addresses", "the POP's own unicast addresses, such as [\"198.51.100.10\"]", "[]"),
        ],
    ),
    (
        "tls",
        &[
            ("certificate", "a file with the certificate chain in PEM", "\"x\""),
            ("key", "a file with the private key in PEM", "\"x\""),
        ],
    ),
    ("zone", &[("name", "the zone's name, such as \"example.org\"", "\"x\"")]),
    ("catalog", &[("name", "the catalog's name, such as \"catalog.example\"", "\"x\"")]),
    ("catalog.group", &[("name", "the group's name, as the catalog has it, such as \"west\"", "\"x\"")]),
    (
        "canary",
        &[(
            "secondaries",
            "the group, such as [{ address = \"198.51.100.8\" }]",
            "[{ address = \"192.0.2.1\" }]",
        )],
    ),
    (
        "key",
        &[
            ("name", "the key's name, the same at both ends", "\"x\""),
            ("algorithm", "hmac-sha256, hmac-sha384, hmac-sha512 or hmac-sha1", "\"hmac-sha256\""),
        ],
    ),
    (
        "service",
        &[
            ("prefix", "the announced prefix, such as \"192.0.2.0/24\"", "\"192.0.2.0/24\""),
            ("addresses", "the service addresses in it, such as [\"192.0.2.53\"]", "[]"),
        ],
    ),
    (
        "bgp",
        &[
            ("local-as", "this POP's AS number, such as 64500", "64500"),
            (
                "router-id",
                "an IPv4 address that is unique in the AS, such as \"198.51.100.10\"",
                "\"192.0.2.1\"",
            ),
        ],
    ),
    (
        "bgp.neighbor",
        &[
            ("address", "the neighbor's address, such as \"198.51.100.1\"", "\"192.0.2.1\""),
            ("remote-as", "the neighbor's AS number, such as 64501", "64501"),
        ],
    ),
    (
        "rssac002",
        &[
            ("directory", "where the files are written, such as \"/var/lib/anyns/rssac002\"", "\"x\""),
            ("service", "what the documents call the service, such as \"as112.example\"", "\"x\""),
        ],
    ),
    (
        "otlp",
        &[(
            "endpoint",
            "where the receiver listens, such as \"http://127.0.0.1:4318\"",
            "\"http://127.0.0.1\"",
        )],
    ),
    (
        "fleet.pop",
        &[
            ("name", "the POP's name, as its own configuration has it, such as \"ams1\"", "\"x\""),
            (
                "url",
                "where its listener [web] is, such as \"http://198.51.100.10:9533\"",
                "\"http://192.0.2.1:9533\"",
            ),
        ],
    ),
];

/// For a fault of form in a key that begins with the first: the beginnings of the keys whose meaning then is not judged.
const PROVOKED: [(&str, &[&str]); 18] = [
    (
        "key",
        &[
            "key",
            "transfer",
            "zone.update",
            "zone.primaries",
            "zone.notify",
            "zone.allow-transfer",
            "catalog",
            "canary",
        ],
    ),
    ("transfer", &["transfer", "zone.update", "catalog"]),
    ("catalog", &["catalog", "zones.directory", "transfer"]),
    ("zones.state-directory", &["zone.database"]),
    ("pop.name", &["pop.instance"]),
    (
        "pop.management-addresses",
        &[
            "pop.management-addresses",
            "bgp",
            "service",
            "transfer",
            "zone.primaries",
            "zone.notify",
            "catalog",
            "canary",
        ],
    ),
    ("zones.directory", &["zones.directory", "zones.required"]),
    ("zone.", &["zone.", "zones.directory", "zones.required", "transfer"]),
    ("service", &["service", "serve.listen", "pop.management-addresses", "bgp"]),
    ("bgp", &["bgp", "service"]),
    ("route", &["route", "bgp", "service"]),
    ("tls", &["tls"]),
    ("serve.cookie", &["serve.cookie"]),
    ("serve.port", &["serve.listen", "tls"]),
    ("serve.listen", &["serve.listen", "tls"]),
    ("policy.hold", &["policy.hold"]),
    ("web", &["web"]),
    ("fleet", &["fleet", "canary"]),
];

/// A file whose form was read.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) spec: Spec,
    /// The keys whose values were wrong or missing.
    repaired: Vec<String>,
}

impl Form {
    /// Whether a fault of this key may come from the repairs alone.
    pub(super) fn provoked(&self, key: &str) -> bool {
        let provokes = |repaired: &String| {
            // The key itself, or its whole section.
            let is_of = |begin: &str| repaired.starts_with(begin) || begin.starts_with(repaired.as_str());
            let mut all = PROVOKED.iter().filter(|(begin, _)| is_of(begin));
            all.any(|(_, keys)| keys.iter().any(|begin| key.starts_with(begin))) || repaired == key
        };
        self.repaired.iter().any(provokes)
    }
}

/// Reads the text as TOML; every fault of its syntax is noted. `None` if it has some.
pub(super) fn parse<'t>(sources: &'t Sources, faults: &mut Faults<'_>) -> Option<Spanned<DeTable<'t>>> {
    let text = sources.text();
    let (table, errors) = DeTable::parse_recoverable(text);
    // A key may seem to be there twice, because the parser misread a line before it.
    let is_twice = |error: &toml::de::Error| error.message() == "duplicate key";
    let misread = errors.iter().any(|error| !is_twice(error));
    let told = errors.iter().filter(|error| !misread || !is_twice(error));
    let mut in_order: Vec<_> = told.take(MAX_FAULTS).collect();
    in_order.sort_by_key(|error| error.span().map(|span| span.start));
    let mut before = None;
    for error in in_order {
        // What follows from a fault in the same line, or in a section that is there twice, is not told.
        let span = error.span();
        let unit = span.as_ref().map(|span| unit_of(text, span, is_twice(error)));
        if unit.is_some() && unit == before {
            continue;
        }
        before = unit;
        let wrong = span.clone().and_then(|span| text.get(span)).unwrap_or_default();
        let first =
            span.as_ref().filter(|_| is_twice(error)).and_then(|span| first_place(sources, span, wrong));
        faults.error(span, "", syntax_in_words(error.message(), wrong) + &first.unwrap_or_default());
    }
    // With faults, what was recovered may differ from what the operator wrote.
    errors.is_empty().then_some(table)
}

/// Where what stands there a second time stands first, if that is in another file: a section by its heading, or a key of a section, which may
/// have a heading of its own.
fn first_place(sources: &Sources, span: &Range<usize>, wrong: &str) -> Option<String> {
    let text = sources.text();
    let before = text.get(..span.start)?;
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let is_heading = heading(text.get(line..)?).is_some();
    let path = match heading(text.get(line..)?) {
        Some(section) => section.to_owned(),
        None => within(before.lines().rev().find_map(heading).unwrap_or_default(), wrong),
    };
    let (mut start, mut section) = (0, "");
    for line in text.get(..line)?.split_inclusive('\n') {
        let is_first = match heading(line) {
            Some(name) => {
                section = name;
                name == path || (!is_heading && name.starts_with(&format!("{path}.")))
            }
            None => line.split_once('=').is_some_and(|(key, _)| within(section, key.trim()) == path),
        };
        if is_first {
            let (first, file, line, _) = sources.place(start);
            let other = first != sources.place(span.start).0;
            return other.then(|| format!("; the first is in {}:{line}", file.display()));
        }
        start += line.len();
    }
    None
}

/// The name of the section that a line begins.
fn heading(line: &str) -> Option<&str> {
    let name = line.trim_start().strip_prefix('[')?;
    Some(name.strip_prefix('[').unwrap_or(name).split(']').next()?.trim())
}

/// A key of a section with the section's name.
fn within(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Reads the files' text; every fault of its form is noted. `None` if nothing can be made of it.
pub(super) fn read(sources: &Sources, faults: &mut Faults<'_>) -> Option<Form> {
    let text = sources.text();
    let mut table = parse(sources, faults)?;
    mend_headings(table.get_mut(), faults);
    let mut repaired = Vec::new();
    for (span, key, what) in complete(table.get_mut()) {
        // A section that is missing altogether has no place.
        let place = Some(span).filter(|span| !span.is_empty());
        faults.error(place, &key, format!("the key is missing; it is {what}"));
        repaired.push(key);
    }
    // Reading takes the table, and a copy of a hundred thousand sections would cost as much as the reading.
    if let Ok(spec) = Spec::deserialize(toml::Deserializer::from(table)) {
        return Some(Form { spec, repaired });
    }
    let mut table = parse_again(sources);
    for _ in 0..MAX_FAULTS {
        let fault = match Spec::from_table(table.clone()) {
            Ok(spec) => return Some(Form { spec, repaired }),
            Err(fault) => fault,
        };
        let taken = fault.span.clone().and_then(|span| take_out(table.get_mut(), &span));
        let wrong = fault.span.clone().and_then(|span| text.get(span)).unwrap_or_default();
        let key = fault.key.clone();
        let (message, unknown) = in_words(&fault.message, wrong, &key);
        faults.error(fault.span, &key, message);
        taken?;
        match unknown {
            None => {
                complete(table.get_mut());
                repaired.push(key);
            }
            // A key that means nothing: nothing follows from taking it out.
            Some(meant) if meant.is_empty() => {}
            // What is wrong only because the key that was meant is not there is not told.
            Some(meant) => {
                let section = key.rsplit_once('.').map(|(section, _)| format!("{section}."));
                repaired.push(section.unwrap_or_default() + &meant);
            }
        }
    }
    None
}

/// The table of a text that [`parse`] read, with what is mended and put there; all that is told of it is told already.
fn parse_again(sources: &Sources) -> Spanned<DeTable<'_>> {
    let (mut table, _) = DeTable::parse_recoverable(sources.text());
    mend_headings(table.get_mut(), &mut Faults::new(sources, false));
    complete(table.get_mut());
    table
}

/// Where the line begins, or for a key that is there twice in a section that is, the section's heading.
fn unit_of(text: &str, span: &Range<usize>, is_twice: bool) -> usize {
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    match is_twice && !text.get(line..).unwrap_or_default().starts_with('[') {
        true => before.rfind("\n[").map_or(line, |newline| newline + 1),
        false => line,
    }
}

/// A section in the wrong brackets is told as that, and read as it was meant.
fn mend_headings(root: &mut DeTable<'_>, faults: &mut Faults<'_>) {
    // `[[bgp]]` first: what is in it may be headed wrongly, too.
    for section in SINGLE {
        let Some(value) = root.get_mut(section) else { continue };
        let span = value.span();
        let DeValue::Array(array) = value.get_mut() else { continue };
        if !array.iter().all(|element| matches!(element.get_ref(), DeValue::Table(_))) {
            continue;
        }
        let Some(first) = std::mem::replace(array, DeArray::new()).into_iter().next() else { continue };
        let span = Some(first.span()).filter(|span| !span.is_empty()).unwrap_or(span);
        faults.error(
            Some(span),
            section,
            format!("[[{section}]] is a list, but there is one [{section}]: write [{section}]"),
        );
        *value = first;
    }
    for section in LISTS {
        let Some(value) = list_place(root, section) else { continue };
        let span = value.span();
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            continue;
        }
        let message = format!(
            "[{section}] is one section, but there may be several: write [[{section}]], once for each"
        );
        faults.error(Some(span.clone()), section, message);
        let single = std::mem::replace(value, Spanned::new(span.clone(), DeValue::Boolean(false)));
        let mut list = DeArray::new();
        list.push(single);
        *value = Spanned::new(span, DeValue::Array(list));
    }
}

/// What the file has for the section: a key at the root or in another section.
fn list_place<'a, 'i>(root: &'a mut DeTable<'i>, section: &str) -> Option<&'a mut Spanned<DeValue<'i>>> {
    match section.split_once('.') {
        None => root.get_mut(section),
        Some((first, rest)) => match root.get_mut(first)?.get_mut() {
            DeValue::Table(table) => table.get_mut(rest),
            _ => None,
        },
    }
}

/// Puts a value there for each required key that is missing; the section's place, the key, and what it is.
fn complete(root: &mut DeTable<'_>) -> Vec<(Range<usize>, String, &'static str)> {
    let mut missing = Vec::new();
    if !root.contains_key("pop") {
        let pop = Spanned::new(0..0, DeValue::Table(DeTable::new()));
        root.insert(Spanned::new(0..0, "pop".into()), pop);
    }
    for (section, keys) in REQUIRED {
        for table in sections(root, section) {
            let span = table.span();
            let DeValue::Table(table) = table.get_mut() else { continue };
            for (key, what, value) in keys {
                if table.contains_key(*key) {
                    continue;
                }
                missing.push((span.clone(), format!("{section}.{key}"), *what));
                if let Ok(value) = DeValue::parse(value) {
                    table.insert(Spanned::new(0..0, (*key).into()), value);
                }
            }
        }
    }
    missing
}

/// The tables of a section, one or a list of them; nothing where it is something else, which serde tells.
fn sections<'a, 'i>(root: &'a mut DeTable<'i>, section: &str) -> Vec<&'a mut Spanned<DeValue<'i>>> {
    let (first, rest) = section.split_once('.').map_or((section, None), |(first, rest)| (first, Some(rest)));
    let Some(value) = root.get_mut(first) else { return Vec::new() };
    let all: Vec<&mut Spanned<DeValue<'i>>> = match value.get_ref() {
        DeValue::Array(_) => match value.get_mut() {
            DeValue::Array(array) => array.iter_mut().collect(),
            _ => Vec::new(),
        },
        _ => vec![value],
    };
    let Some(rest) = rest else { return all };
    let tables = all.into_iter().filter_map(|value| match value.get_mut() {
        DeValue::Table(table) => Some(table),
        _ => None,
    });
    tables.flat_map(|table| sections(table, rest)).collect()
}

/// Takes the entry or the element out whose key or value is at this place.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<()> {
    let is_it = |(key, value): &(&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        key.span() == *span || value.span() == *span
    };
    if let Some(key) = table.iter().find(is_it).map(|(key, _)| key.get_ref().to_string()) {
        return table.remove(key.as_str()).map(drop);
    }
    table.iter_mut().find_map(|(_, value)| take_out_of(value.get_mut(), span))
}

fn take_out_of<'i>(value: &mut DeValue<'i>, span: &Range<usize>) -> Option<()> {
    match value {
        DeValue::Table(table) => take_out(table, span),
        DeValue::Array(array) if array.iter().any(|element| element.span() == *span) => {
            let all = std::mem::replace(array, DeArray::new());
            *array = all.into_iter().filter(|element| element.span() != *span).collect();
            Some(())
        }
        DeValue::Array(array) => array.iter_mut().find_map(|element| take_out_of(element.get_mut(), span)),
        _ => None,
    }
}

impl Spec {
    /// Reads the table; the first thing that has no place in it is the fault.
    fn from_table(table: Spanned<DeTable<'_>>) -> Result<Self, Fault> {
        serde_path_to_error::deserialize(toml::Deserializer::from(table)).map_err(|error| {
            let key = key_of(error.path());
            let inner = error.into_inner();
            Fault { span: inner.span(), key, message: inner.message().to_owned() }
        })
    }
}
