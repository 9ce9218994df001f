//! Why RDATA that has the layout of its type can never be right.

/// Why RDATA that has the layout of its type can never be right. Displayed behind "the TYPE record has".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueFault {
    /// A length that another field determines.
    #[error("{field} of {found} octets, expected {expected} for {because} {number}")]
    Length {
        /// The field whose length is wrong, with its article.
        field: &'static str,
        /// Its octets.
        found: usize,
        /// The octets that it must have.
        expected: usize,
        /// What the other field is called.
        because: &'static str,
        /// What the other field holds.
        number: u8,
    },
    /// A length below the least that an RFC allows.
    #[error("{field} of {found} octets, expected at least {least} ({section})")]
    TooShort {
        /// The field whose length is wrong, with its article.
        field: &'static str,
        /// Its octets.
        found: usize,
        /// The fewest octets that it may have.
        least: usize,
        /// The section that says so.
        section: &'static str,
    },
    /// Anything else.
    #[error("{found}, expected {expected}")]
    Form {
        /// What it holds.
        found: &'static str,
        /// What it must hold, and which section says so.
        expected: &'static str,
    },
}

/// Checks a length that `number` determines.
pub(super) fn exact(
    field: &'static str,
    octets: &[u8],
    expected: usize,
    because: &'static str,
    number: u8,
) -> Result<(), ValueFault> {
    let found = octets.len();
    if found == expected {
        return Ok(());
    }
    Err(ValueFault::Length { field, found, expected, because, number })
}

/// Checks a length that has a least.
pub(super) fn at_least(
    field: &'static str,
    octets: &[u8],
    least: usize,
    section: &'static str,
) -> Result<(), ValueFault> {
    let found = octets.len();
    if found >= least { Ok(()) } else { Err(ValueFault::TooShort { field, found, least, section }) }
}

/// Refuses a form.
pub(super) fn form(found: &'static str, expected: &'static str) -> Result<(), ValueFault> {
    Err(ValueFault::Form { found, expected })
}
