//! JSON texts for people's terminals. Pure.

/// The JSON text with DEL and the C1 control characters escaped: JSON allows them as they are (RFC 8259 section 7), and a terminal
/// obeys some of them (ECMA-48 section 5.3). What the text says stays the same.
pub fn escape_controls(json: String) -> String {
    // No other character of JSON's own syntax is one of these, so they stand in strings only.
    let is_raw = |character: char| matches!(character, '\u{7f}'..='\u{9f}');
    if !json.contains(is_raw) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        match is_raw(character) {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_escaped_and_the_document_stays_the_same() {
        let value = serde_json::json!({"a\u{9b}2J": "\u{1b}[0m \u{7f}\u{80}\u{9f}\u{a0}ü"});
        let text = escape_controls(value.to_string());
        assert_eq!(text, "{\"a\\u009b2J\":\"\\u001b[0m \\u007f\\u0080\\u009f\u{a0}ü\"}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
