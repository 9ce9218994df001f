//! From a request to its response.

use std::sync::Arc;

use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::access::{Refusal, check};
use super::guest::Guest;
use super::payload::{Reply, text};
use super::state::State;
use super::{api, assets, events};

/// Answers one request of this connection, and closes it where it has not shown credentials that are needed: it has made room for
/// others then.
pub(super) async fn answer<B>(request: &Request<B>, state: &Arc<State>, guest: &Guest) -> Reply {
    let mut reply = reply_to(request, state, guest).await;
    if !guest.place().is_known() {
        reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

/// The body of the request, if it has one, is never read.
async fn reply_to<B>(request: &Request<B>, state: &Arc<State>, guest: &Guest) -> Reply {
    let (method, fields) = (request.method(), request.headers());
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    if let Err(refusal) = check(request, !guest.credentials().authenticates()) {
        return refused(refusal);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // A connection that shows a token has a place of its own, whatever it asks.
    let admitted = guest.admit(fields);
    // Load balancers and orchestrators have no credentials; these two tell one line.
    match path {
        "/healthz" => return api::health(state),
        "/readyz" => return api::readiness(state),
        _ => {}
    }
    if let Err(refusal) = admitted {
        return refused(refusal);
    }
    match path {
        "/api/v1/status" => api::status(state, query).await,
        "/api/v1/pop" => api::pop(state, query),
        "/api/v1/serials" => api::serials(state, query).await,
        "/api/v1/history" => api::history(state, query).await,
        "/api/v1/catchment" => api::catchment(state, query).await,
        "/api/v1/fleet" => events::fleet(state).await,
        "/metrics" => {
            let accept = fields.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
            api::metrics(state, accept.unwrap_or_default()).await
        }
        _ if method == Method::GET && path.starts_with("/events/") => {
            events::stream(state, guest.place(), path, query).unwrap_or_else(api::not_found)
        }
        "/events/fleet" | "/events/pop" | "/events/zone" => {
            let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "events are read with GET");
            reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
            reply
        }
        _ => assets::page(path).unwrap_or_else(api::not_found),
    }
}

fn refused(refusal: Refusal) -> Reply {
    let mut reply = text(refusal.status, refusal.reason);
    let mut set = |name, value| reply.headers_mut().insert(name, HeaderValue::from_static(value));
    match refusal.status {
        StatusCode::METHOD_NOT_ALLOWED => drop(set(header::ALLOW, "GET, HEAD")),
        StatusCode::UNAUTHORIZED => {
            set(header::WWW_AUTHENTICATE, "Basic realm=\"anyns\", charset=\"UTF-8\"");
            let bearer = HeaderValue::from_static("Bearer realm=\"anyns\"");
            reply.headers_mut().append(header::WWW_AUTHENTICATE, bearer);
        }
        // The body is not read: what follows on this connection would be taken for a request. Nor is it known what follows a malformed one.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::BAD_REQUEST => drop(set(header::CONNECTION, "close")),
        _ => {}
    }
    reply
}
