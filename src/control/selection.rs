//! Which zones a status lists. Pure.

/// Which zones are listed, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Which zones.
    pub zones: ZoneFilter,
    /// At most this many, those that are not well first; `None`: all of them.
    pub most: Option<usize>,
}

/// Which zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneFilter {
    /// Every zone.
    All,
    /// Those that are not well.
    Bad,
    /// The zone with this name.
    Name(String),
    /// Those whose name matches, `*` standing for any characters and `?` for one.
    Pattern(String),
}

impl ZoneFilter {
    /// What an operator writes: `bad`, a name, or a pattern.
    pub fn parse(text: &str) -> Self {
        match text {
            "bad" => Self::Bad,
            "*" => Self::All,
            _ if text.contains(['*', '?']) => Self::Pattern(text.to_ascii_lowercase()),
            _ => Self::Name(text.to_owned()),
        }
    }

    /// Whether it takes a zone of this name; the root's dot at the end of the pattern may be left out.
    pub fn takes(&self, name: &str, is_well: bool) -> bool {
        match self {
            Self::All => true,
            Self::Bad => !is_well,
            Self::Name(wanted) => undotted(wanted).eq_ignore_ascii_case(undotted(name)),
            Self::Pattern(pattern) => {
                let name = name.to_ascii_lowercase();
                matches(pattern.as_bytes(), name.as_bytes())
                    || matches(pattern.as_bytes(), undotted(&name).as_bytes())
            }
        }
    }
}

fn undotted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether the pattern takes the whole text; at most pattern × text steps, because it returns to the last `*` only.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from, mut star) = (0, 0, None);
    while let Some(octet) = text.get(from) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == octet => (at, from) = (at + 1, from + 1),
            _ => match star {
                // The star takes one octet more.
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    (at, from) = (star_at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|octet| *octet == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_writes() {
        let table = [
            ("bad", "example.org.", false, true),
            ("bad", "example.org.", true, false),
            ("*", "example.org.", true, true),
            ("example.org", "Example.ORG.", true, true),
            ("example.org.", "example.org.", true, true),
            ("example.org", "a.example.org.", true, false),
            (".", ".", true, true),
            ("*.org", "example.org.", true, true),
            ("*.ORG.", "example.org.", true, true),
            ("*.org", "example.net.", true, false),
            ("ex?mple.*", "example.org.", true, true),
            ("ex?mple.*", "exmple.org.", true, false),
            ("*a*b*c", "xaxbxc.", true, true),
            ("*a*b*c", "xaxcxb.", true, false),
            ("??", "a.", true, true),
            ("?", "ab.", true, false),
        ];
        for (text, name, is_well, taken) in table {
            assert_eq!(ZoneFilter::parse(text).takes(name, is_well), taken, "{text} {name} {is_well}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let (pattern, text) = ("*a".repeat(120) + "b", "a".repeat(250));
        assert!(!ZoneFilter::parse(&pattern).takes(&text, true));
    }
}
