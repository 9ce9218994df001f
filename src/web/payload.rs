//! What a response carries: a whole body, or events as they come (server-sent events, WHATWG HTML section 9.2).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc;

/// The body of a response.
#[derive(Debug)]
pub(super) enum Payload {
    /// All of it; `None` when it was sent.
    Whole(Option<Bytes>),
    /// Events, until the sender is dropped.
    Events(mpsc::Receiver<Bytes>),
}

/// A response.
pub(super) type Reply = Response<Payload>;

/// Nothing but this server's own script, styles, icon and data; no frame, no form, no other site, and no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(octets) => Poll::Ready(octets.take().map(|octets| Ok(Frame::data(octets)))),
            Self::Events(events) => {
                events.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(octets) => {
                SizeHint::with_exact(octets.as_ref().map_or(0, |octets| octets.len() as u64))
            }
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// A response with the fields that every response has.
fn reply(status: StatusCode, media_type: &'static str, payload: Payload) -> Reply {
    let mut response = Response::new(payload);
    *response.status_mut() = status;
    let fields = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    response.headers_mut().extend(fields.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// A whole body.
pub(super) fn whole(status: StatusCode, media_type: &'static str, octets: impl Into<Bytes>) -> Reply {
    reply(status, media_type, Payload::Whole(Some(octets.into())))
}

/// A line of text.
pub(super) fn text(status: StatusCode, line: impl std::fmt::Display) -> Reply {
    whole(status, "text/plain; charset=utf-8", format!("{line}\n"))
}

/// A JSON document.
pub(super) fn json(document: &impl serde::Serialize) -> Reply {
    match serde_json::to_vec(document) {
        Ok(octets) => whole(StatusCode::OK, "application/json", octets),
        Err(error) => {
            text(StatusCode::INTERNAL_SERVER_ERROR, format!("the document cannot be written: {error}"))
        }
    }
}

/// Events.
pub(super) fn events(receiver: mpsc::Receiver<Bytes>) -> Reply {
    reply(StatusCode::OK, "text/event-stream", Payload::Events(receiver))
}
