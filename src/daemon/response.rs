//! Answers to orders.

use crate::control::Response;

pub(super) fn done(message: String) -> Response {
    Response::Done { message, restart: Vec::new() }
}

pub(super) fn failed(message: String) -> Response {
    Response::Failed { message }
}
