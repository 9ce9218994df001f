//! Answers to orders.

use crate::control::Response;

pub(super) fn done(message: String) -> Response {
    Response::Done { message, restart: Vec::new() }
}

pub(super) fn failed(message: String) -> Response {
    Response::Failed { message }
}

/// An error and what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
