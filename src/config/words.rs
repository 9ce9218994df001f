//! What serde says of a value, in the words of an operator who writes a configuration file.
//!
//! The messages of serde and of the standard library's parsers name Rust's types ("expected u16", "invalid IP address
//! syntax"). Here the wrong value is quoted as the file has it and what is allowed is described. A message that is not
//! known stays as it is.

/// The sections that are lists: each is headed by double brackets, and there may be several.
pub(super) const LISTS: [&str; 8] =
    ["zone", "catalog", "catalog.group", "canary", "service", "bgp.neighbor", "key", "fleet.pop"];

/// The sections of which there is one.
pub(super) const SINGLE: [&str; 18] = [
    "transfer",
    "pop",
    "log",
    "serve",
    "tls",
    "rate-limit",
    "zones",
    "health",
    "policy",
    "drain",
    "route",
    "bgp",
    "control",
    "web",
    "fleet",
    "samples",
    "rssac002",
    "otlp",
];

/// The longest piece of a wrong value that is quoted, in characters.
const MOST_QUOTED: usize = 60;

/// What a message expects, and the words for it.
const EXPECTED: [(&str, &str); 16] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("usize", "a whole number from 0"),
    ("u64", "a whole number from 0"),
    ("a boolean", "true or false"),
    ("a string", "a text in quotes"),
    ("path string", "a path in quotes"),
    ("IP address", ADDRESS),
    ("IPv4 address", IPV4),
    ("IPv6 address", IPV6),
    ("socket address", SOCKET),
    ("IPv4 or IPv6 network address", NETWORK),
    ("a sequence", "a list in square brackets"),
    ("a map", "a section with keys"),
    ("string or table", "a text in quotes"),
];
const ADDRESS: &str = "an IP address in quotes, such as \"192.0.2.53\" or \"2001:db8::53\"";
const IPV4: &str = "an IPv4 address in quotes, such as \"192.0.2.53\"";
const IPV6: &str = "an IPv6 address in quotes, such as \"2001:db8::53\"";
const SOCKET: &str = "an address with a port in quotes, such as \"192.0.2.53:53\" or \"[2001:db8::53]:53\"";
const NETWORK: &str = "a prefix in quotes, such as \"192.0.2.0/24\" or \"2001:db8::/48\"";

/// Keys that hold prefixes: their parser says the same as that of addresses.
const NETWORKS: [&str; 3] = ["service.prefix", "serve.proxy-from", "rate-limit.exempt"];

/// Keys whose values are secrets, also wrong ones: they are not quoted.
const SECRETS: [&str; 3] = ["bgp.neighbor.password", "serve.cookie-secrets", "key.secret"];

/// What the parser says of a piece that is no TOML, and the words for it.
const SYNTAX: [(&str, &str); 13] = [
    ("cannot recurse further", "too many brackets in brackets"),
    ("key with no value", "a key and its value are joined by =, as in name = \"ams1\""),
    (
        "string values must be quoted",
        "no value: a text stands in double quotes, a list in [ ]; true and false are lower case",
    ),
    ("invalid float", "no number: a text, an address, a prefix and a duration stand in double quotes"),
    ("invalid integer", "no number: a text, an address, a prefix and a duration stand in double quotes"),
    ("invalid boolean", "no value: it is true or false, in lower case; a text stands in double quotes"),
    (
        "invalid unquoted key",
        "no key: it has letters, digits and -, and = behind it; a comment begins with #",
    ),
    ("invalid key-value pair", "no key: a line is a [section], a key = value, or a # comment"),
    (
        "invalid basic string",
        "the text is not closed by a double quote on its line, or has a control character in it",
    ),
    ("unclosed table", "the heading of the section is not closed by ]"),
    ("unclosed array", "the list is not closed by ]"),
    (
        "missing comma between array elements",
        "the list is not closed by ], or a comma between its elements is missing",
    ),
    ("carriage return must be followed by newline", "a line ends with LF or CR LF, never with CR alone"),
];

/// The message for a piece that is no TOML; `wrong` is the piece.
pub(super) fn syntax_in_words(message: &str, wrong: &str) -> String {
    if message == "duplicate key" {
        let wrong = quote(wrong);
        let is_it = |list: &&&str| list.rsplit('.').next() == Some(&*wrong) && !SINGLE.contains(&&*wrong);
        let list = LISTS.iter().find(is_it);
        let several = list.map_or_else(
            || "; it may stand once".to_owned(),
            |list| format!("; several sections of a kind are headed with double brackets, [[{list}]]"),
        );
        return format!("{wrong:?} stands here a second time{several}");
    }
    let known = SYNTAX.iter().find(|(begin, _)| message.starts_with(begin));
    known.map_or_else(|| message.to_owned(), |(_, words)| (*words).to_owned())
}

/// The message for the wrong value of a key; for an unknown key also the one that was probably meant, if there is one.
pub(super) fn in_words(message: &str, wrong: &str, key: &str) -> (String, Option<String>) {
    let wrong = if SECRETS.contains(&key) { "what is there" } else { wrong };
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let (unknown, known) = rest.split_once(',').unwrap_or((rest, ""));
        let (message, meant) = unknown_key(unknown.trim_matches('`'), &quoted_in(known), key);
        return (message, Some(meant));
    }
    if message.starts_with("unknown variant ") {
        let known = message.split_once(", expected ").map(|(_, known)| quoted_in(known)).unwrap_or_default();
        let known: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
        return (format!("{}; allowed is {}", quote(wrong), known.join(" or ")), None);
    }
    let words = message.split_once(", expected ").map(|(_, expected)| expected_words(expected, key));
    let words = words.or_else(|| syntax_words(message, key).map(str::to_owned));
    match words {
        Some(words) => (format!("{}; allowed is {words}", quote(wrong)), None),
        None => (message.to_owned(), None),
    }
}

/// The message with the keys there are and the one that was probably meant, and that one.
fn unknown_key(unknown: &str, known: &[&str], path: &str) -> (String, String) {
    let lower = unknown.to_lowercase();
    let distance = |other: &&&str| strsim::damerau_levenshtein(&lower, other);
    let near = known.iter().min_by_key(distance).filter(|near| distance(near) <= 2);
    let meant = near.map(|near| format!(" ({near:?} may be meant)"));
    // A section that belongs into another one.
    let inner = LISTS.iter().find(|list| list.rsplit('.').next() == Some(unknown) && **list != path);
    let meant = meant.or_else(|| inner.map(|list| format!(" ([[{list}]] may be meant)")));
    let meant = meant.unwrap_or_default();
    let message = format!("there is no key {unknown:?} here{meant}; there are {}", known.join(", "));
    (message, near.map(|near| (*near).to_owned()).unwrap_or_default())
}

/// What stands between backquotes.
fn quoted_in(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn expected_words(expected: &str, key: &str) -> String {
    if LISTS.contains(&key) {
        return format!("a section headed [[{key}]] for each");
    }
    if SINGLE.contains(&key) {
        return format!("a section headed [{key}]");
    }
    let known = EXPECTED.iter().find(|(name, _)| *name == expected).map(|(_, words)| (*words).to_owned());
    known.unwrap_or_else(|| match expected.starts_with("struct ") {
        true => "a section with keys".to_owned(),
        false => expected.to_owned(),
    })
}

fn syntax_words(message: &str, key: &str) -> Option<&'static str> {
    match message {
        "invalid IP address syntax" if NETWORKS.contains(&key) => Some(NETWORK),
        "invalid IP address syntax" => Some(ADDRESS),
        "invalid IPv4 address syntax" => Some(IPV4),
        "invalid IPv6 address syntax" => Some(IPV6),
        "invalid socket address syntax" => Some(SOCKET),
        "wanted string or table" => Some("a text in quotes"),
        "integer number overflowed" => Some("a whole number"),
        _ => None,
    }
}

/// The wrong value as the file has it, on one line.
fn quote(wrong: &str) -> String {
    let line = wrong.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(MOST_QUOTED).collect();
    let more = if cut.len() < wrong.len() { "..." } else { "" };
    format!("{cut}{more}")
}
