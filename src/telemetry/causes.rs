//! The text of an error with what caused it.

/// An error and what caused it, on one line. A cause whose text stands there already is left out.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Fault {
        text: &'static str,
        source: Option<Box<Fault>>,
    }

    #[test]
    fn each_cause_stands_there_once() {
        let fault = |text, source| Fault { text, source };
        let end = fault("no such file", None);
        let middle = fault("a.pem: no such file", Some(Box::new(end)));
        let error = fault("the page does not start", Some(Box::new(middle)));
        assert_eq!(with_causes(&error), "the page does not start: a.pem: no such file");
    }
}
