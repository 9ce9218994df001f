//! DNS over HTTPS over HTTP/2 (RFC 8484, RFC 9113). HTTP/1.1 is not spoken: every DoH client speaks HTTP/2 (RFC 8484
//! section 5.2 wants at least that).

use std::future::poll_fn;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, StatusCode};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::answer::TransportKind;
use crate::serve::accept::ConnectionEnds;
use crate::serve::context::Context;
use crate::serve::message_stream::{PATIENCE, time_to_take};
use crate::serve::shared::Phase;
use crate::telemetry::count;

use super::dot;
use super::http::{self as doh, Ask, MAX_HEADERS, MAX_QUERY};
use super::session::{Answers, STREAM_WINDOW, STREAMS, Session, WINDOW};

/// Streams that we reset because of the client's faults before the connection ends (its rapid-reset defence counts the
/// client's own resets by itself).
const ERROR_RESETS: usize = 64;

/// Serves a connection.
pub(super) async fn serve(
    stream: TcpStream,
    ends: ConnectionEnds,
    tls: TlsAcceptor,
    path: Rc<str>,
    context: Rc<Context>,
    phase: watch::Receiver<Phase>,
) {
    let Some(stream) = dot::handshake(stream, tls, &context).await else { return };
    let handshake = builder().handshake::<_, Bytes>(stream);
    let Ok(Ok(mut connection)) = timeout(PATIENCE, handshake).await else {
        context.add(|counters| count(&counters.handshake_failures));
        return;
    };
    let mut session = Session::new(context.clone(), ends.client, ends.asked, phase);
    // Taking requests is also what moves the octets of all streams.
    let mut leaving: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            () = session.ended(), if leaving.is_none() => {
                connection.graceful_shutdown();
                leaving = Some(Instant::now() + time_to_take(MAX_QUERY));
                continue;
            }
            () = until(leaving), if leaving.is_some() => return,
        };
        match accepted {
            Some(Ok((request, respond))) => {
                let (answers, path) = (session.answers(), path.clone());
                session.begin(async move { serve_request(request, respond, &answers, &path).await });
            }
            Some(Err(error)) => {
                if !error.is_io() && !error.is_remote() {
                    context.add(|counters| count(&counters.protocol_errors));
                }
                return;
            }
            None => return,
        }
    }
}

fn builder() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(MAX_HEADERS)
        .max_send_buffer_size(MAX_QUERY)
        .max_local_error_reset_streams(Some(ERROR_RESETS));
    builder
}

async fn until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment).await;
    }
}

/// Answers one request. Its errors are the client's: it went away or is too slow.
async fn serve_request(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answers: &Answers,
    path: &str,
) {
    let (head, body) = request.into_parts();
    let query = match doh::ask(&head, path) {
        Ask::Query(query) => Ok(query),
        Ask::Body => read(body).await,
        Ask::Refused(status) => Err(status),
    };
    let answer = match &query {
        Ok(query) => answers.answer(query, TransportKind::Doh).await.ok_or(StatusCode::BAD_REQUEST),
        Err(status) => Err(*status),
    };
    let sent = match answer {
        Ok((answer, _room)) => {
            let until = Instant::now() + time_to_take(answer.len());
            match respond.send_response(doh::answered(&answer), false) {
                Ok(stream) => timeout_at(until, send(stream, answer.into())).await.unwrap_or(Err(())),
                Err(_) => Err(()),
            }
        }
        Err(status) => {
            answers.context.add(|counters| count(&counters.protocol_errors));
            respond.send_response(doh::refused(status), true).map(drop).map_err(drop)
        }
    };
    if sent.is_err() {
        respond.send_reset(Reason::CANCEL);
        answers.context.add(|counters| count(&counters.tcp_timeouts));
    }
}

/// Reads the body of a POST, within [`PATIENCE`].
async fn read(mut body: RecvStream) -> Result<Vec<u8>, StatusCode> {
    let mut query = BytesMut::new();
    let until = Instant::now() + PATIENCE;
    while let Some(data) = timeout_at(until, body.data()).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)? {
        let data = data.map_err(|_| StatusCode::BAD_REQUEST)?;
        if query.len() + data.len() > MAX_QUERY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        query.extend_from_slice(&data);
        // It fails only for more octets than came.
        let _ = body.flow_control().release_capacity(data.len());
    }
    Ok(query.into())
}

/// Sends the body as the client makes room for it, and not before.
async fn send(mut stream: SendStream<Bytes>, mut body: Bytes) -> Result<(), ()> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let room = poll_fn(|task| stream.poll_capacity(task)).await.ok_or(())?.map_err(drop)?;
        let piece = body.split_to(room.min(body.len()));
        stream.send_data(piece, body.is_empty()).map_err(drop)?;
    }
    Ok(())
}
