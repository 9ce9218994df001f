//! The values of service parameters, by key (RFC 9460 section 7, RFC 9461, RFC 9540, RFC 9953; draft-ietf-tls-key-share-prediction,
//! draft-ietf-intarea-proxy-config).

use data_encoding::BASE64;

use crate::zonefile::fields::unescape;
use crate::zonefile::rdata::format::{ipv4 as take_ipv4, ipv6 as take_ipv6, quoted, some, text as push_text};
use crate::zonefile::rdata::parse::{ipv4, ipv6, u16_from};
use crate::zonefile::rdata::svcb_key::{key as key_number, write_key};
use crate::zonefile::rdata::wire::Wire;

/// What the value of a key must be, as a fault says it.
pub(super) fn expectation(key: u16) -> &'static str {
    match key {
        0 => "mandatory=KEY,KEY... with other keys, each once",
        1 => "alpn=ID,ID... with protocol identifiers of 1 to 255 octets",
        2 | 8 | 11 => "the key without a value",
        3 => "port=NUMBER from 0 to 65535",
        4 => "ipv4hint=ADDRESS,ADDRESS...",
        5 => "ech=BASE64 with an ECHConfigList (RFC 9849 section 4)",
        6 => "ipv6hint=ADDRESS,ADDRESS...",
        7 => "dohpath=TEMPLATE, a relative URI template that holds {?dns}, in UTF-8",
        9 => "tls-supported-groups=NUMBER,NUMBER... from 0 to 65535, each once",
        10 => {
            "docpath=SEGMENT,SEGMENT... with segments of 1 to 255 octets in UTF-8, or none for the root path"
        }
        _ => "a value of at most 65535 octets with valid escapes",
    }
}

/// What the value of `keyNNNNN` must be, as a fault says it.
pub(super) fn wire_expectation(key: u16) -> &'static str {
    match key {
        0 => {
            "the wire form of `mandatory`: other keys of two octets each, in rising order (RFC 9460 section 8)"
        }
        1 => "the wire form of `alpn`: identifiers, each behind its length (RFC 9460 section 7.1.1)",
        2 | 8 | 11 => "the key without a value",
        3 => "the wire form of `port`: two octets (RFC 9460 section 7.2)",
        4 => "the wire form of `ipv4hint`: four octets for each address (RFC 9460 section 7.3)",
        5 => "the wire form of `ech`: an ECHConfigList (RFC 9849 section 4)",
        6 => "the wire form of `ipv6hint`: sixteen octets for each address (RFC 9460 section 7.3)",
        9 => "the wire form of `tls-supported-groups`: two octets for each group, each once",
        10 => "the wire form of `docpath`: path segments in UTF-8, each behind its length (RFC 9953)",
        _ => expectation(key),
    }
}

/// The value of `keyNNNNN`: the octets are the wire form, also for a key that has a name (RFC 9460 section 2.1).
pub(super) fn read_wire(key: u16, text: Option<&[u8]>, is_kept: bool) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    unescape(text.unwrap_or_default(), &mut value)?;
    if is_kept {
        return Some(value);
    }
    write(key, &value, &mut Vec::new()).map(|()| value)
}

/// The wire form of a value; `None` as the text stands for a key without `=`. Of a value that was accepted before, what it says
/// is not judged again.
pub(super) fn read(key: u16, text: Option<&[u8]>, is_kept: bool) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    unescape(text.unwrap_or_default(), &mut value)?;
    match key {
        0 => mandatory(&value),
        1 => segments(&value),
        2 | 8 | 11 => value.is_empty().then_some(value),
        3 => Some(u16_from(&value)?.to_be_bytes().to_vec()),
        4 => list(&value, |item| Some(ipv4(item)?.octets().to_vec())),
        5 => BASE64.decode(&value).ok().filter(|configs| is_kept || is_config_list(configs)),
        6 => list(&value, |item| Some(ipv6(item)?.octets().to_vec())),
        7 => (is_kept || is_template(&value)).then_some(value),
        9 => groups(&value),
        10 if value.is_empty() => Some(value),
        10 => segments(&value).filter(|wire| is_kept || is_path(wire)),
        _ => Some(value),
    }
}

/// RFC 9461 section 5: a relative template (RFC 6570) in which an expression has the variable `dns`.
fn is_template(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let mut expressions = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    text.starts_with('/') && expressions.any(|(expression, _)| has_dns(expression))
}

fn has_dns(expression: &str) -> bool {
    let variables = expression.strip_prefix(['+', '#', '.', '/', ';', '?', '&']).unwrap_or(expression);
    // A variable may end in `*` or in `:` and a length (RFC 6570 section 2.4).
    variables.split(',').any(|variable| variable.split([':', '*']).next() == Some("dns"))
}

/// A length of two octets, then at least one configuration: a version, a length and as many octets (RFC 9849 section 4).
fn is_config_list(value: &[u8]) -> bool {
    let mut wire = Wire { rest: value };
    let Some(length) = wire.u16() else { return false };
    if usize::from(length) != wire.rest.len() || wire.rest.is_empty() {
        return false;
    }
    while !wire.rest.is_empty() {
        let contents = wire.u16().and_then(|_version| wire.u16()).and_then(|length| wire.take(length.into()));
        if contents.is_none() {
            return false;
        }
    }
    true
}

fn list(value: &[u8], parse: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let items: Option<Vec<Vec<u8>>> = value.split(|octet| *octet == b',').map(parse).collect();
    items.map(|items| items.concat())
}

/// RFC 9460 section 8: in rising order on the wire, each once, never `mandatory` itself.
fn mandatory(value: &[u8]) -> Option<Vec<u8>> {
    let keys: Option<Vec<u16>> = value.split(|octet| *octet == b',').map(key_number).collect();
    let mut keys = keys?;
    keys.sort_unstable();
    is_mandatory_list(&keys).then(|| keys.iter().flat_map(|key| key.to_be_bytes()).collect())
}

fn is_mandatory_list(keys: &[u16]) -> bool {
    !keys.is_empty() && !keys.contains(&0) && keys.is_sorted_by(|a, b| a < b)
}

/// draft-ietf-tls-key-share-prediction section 3.1: numbers of groups, at least one, each once.
fn groups(value: &[u8]) -> Option<Vec<u8>> {
    list(value, |item| Some(u16_from(item)?.to_be_bytes().to_vec())).filter(|wire| is_group_list(wire))
}

fn is_group_list(wire: &[u8]) -> bool {
    let (groups, rest) = wire.as_chunks::<2>();
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    !groups.is_empty() && rest.is_empty() && groups.is_sorted_by(|a, b| a < b)
}

/// Whether octets are path segments in UTF-8, each behind its length.
fn is_path(wire: &[u8]) -> bool {
    let mut wire = Wire { rest: wire };
    while !wire.rest.is_empty() {
        let segment = wire.counted().filter(|segment| !segment.is_empty());
        if segment.is_none_or(|segment| std::str::from_utf8(segment).is_err()) {
            return false;
        }
    }
    true
}

/// RFC 9460 appendix A.1: a comma parts the items, a backslash (left over from the escapes of the character-string)
/// makes a comma or a backslash part of one.
fn segments(value: &[u8]) -> Option<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut octets = value.iter();
    while let Some(&octet) = octets.next() {
        let item = items.last_mut()?;
        match octet {
            b',' => items.push(Vec::new()),
            b'\\' => item.push(*octets.next().filter(|next| matches!(next, b',' | b'\\'))?),
            _ => item.push(octet),
        }
    }
    let mut out = Vec::with_capacity(value.len() + 1);
    for item in items {
        out.push(u8::try_from(item.len()).ok().filter(|length| *length > 0)?);
        out.extend_from_slice(&item);
    }
    Some(out)
}

/// Writes `=value`, or nothing for keys that have none.
pub(super) fn write(key: u16, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut wire = Wire { rest: value };
    match key {
        2 | 8 | 11 => return value.is_empty().then_some(()),
        3 => {
            out.push(b'=');
            push_text(wire.u16()?, out);
        }
        4 => write_list(&mut wire, out, |wire, out| take_ipv4(wire).map(|address| push_text(address, out)))?,
        6 => write_list(&mut wire, out, |wire, out| take_ipv6(wire).map(|address| push_text(address, out)))?,
        5 if !is_config_list(value) => return None,
        5 => push_text(format_args!("={}", BASE64.encode(wire.all())), out),
        0 => {
            let keys: Vec<u16> = value
                .chunks(2)
                .map(|pair| pair.try_into().ok().map(u16::from_be_bytes))
                .collect::<Option<_>>()?;
            is_mandatory_list(&keys).then_some(())?;
            write_list(&mut wire, out, |wire, out| wire.u16().map(|key| write_key(key, out)))?;
        }
        9 if !is_group_list(value) => return None,
        9 => write_list(&mut wire, out, |wire, out| wire.u16().map(|group| push_text(group, out)))?,
        10 if value.is_empty() => return Some(()),
        10 if !is_path(value) => return None,
        1 | 10 => write_segments(&mut wire, out)?,
        7 if !is_template(value) => return None,
        _ if value.is_empty() => return Some(()),
        _ => {
            out.push(b'=');
            quoted(wire.all(), out);
        }
    }
    wire.rest.is_empty().then_some(())
}

fn write_list(
    wire: &mut Wire<'_>,
    out: &mut Vec<u8>,
    item: impl Fn(&mut Wire<'_>, &mut Vec<u8>) -> Option<()>,
) -> Option<()> {
    some(wire.rest)?;
    let mut separator = b'=';
    while !wire.rest.is_empty() {
        out.push(separator);
        item(wire, out)?;
        separator = b',';
    }
    Some(())
}

fn write_segments(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    some(wire.rest)?;
    let mut list = Vec::new();
    while !wire.rest.is_empty() {
        if !list.is_empty() {
            list.push(b',');
        }
        for &octet in some(wire.counted()?)? {
            if matches!(octet, b',' | b'\\') {
                list.push(b'\\');
            }
            list.push(octet);
        }
    }
    out.push(b'=');
    quoted(&list, out);
    Some(())
}
