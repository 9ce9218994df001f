//! DNS over HTTPS over HTTP/3 (RFC 8484, RFC 9114).

use std::net::SocketAddr;
use std::rc::Rc;

use bytes::{Buf, Bytes};
use h3::error::{Code, ConnectionError};
use h3::server::{RequestResolver, RequestStream};
use h3_quinn::BidiStream;
use http::StatusCode;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::answer::TransportKind;
use crate::serve::context::Context;
use crate::serve::message_stream::{PATIENCE, time_to_take};
use crate::serve::shared::Phase;
use crate::telemetry::count;

use super::http::{self as doh, Ask, MAX_HEADERS, MAX_QUERY};
use super::session::{Answers, Session};

/// Serves a connection.
pub(super) async fn serve(
    connection: quinn::Connection,
    server: SocketAddr,
    path: Rc<str>,
    context: Rc<Context>,
    phase: watch::Receiver<Phase>,
) {
    let mut builder = h3::server::builder();
    builder.max_field_section_size(MAX_HEADERS.into());
    let handshake = builder.build::<_, Bytes>(h3_quinn::Connection::new(connection.clone()));
    let Ok(Ok(mut requests)) = timeout(PATIENCE, handshake).await else {
        context.add(|counters| count(&counters.handshake_failures));
        return;
    };
    let mut session = Session::new(context.clone(), connection.remote_address().ip(), Some(server), phase);
    loop {
        let accepted = tokio::select! {
            accepted = requests.accept() => accepted,
            () = session.ended() => break,
        };
        match accepted {
            Ok(Some(request)) => {
                let (answers, path) = (session.answers(), path.clone());
                session.begin(async move { serve_request(request, &answers, &path).await });
            }
            Ok(None) => break,
            Err(ConnectionError::Local { error, .. }) => {
                tracing::trace!(?error, "HTTP/3");
                return context.add(|counters| count(&counters.protocol_errors));
            }
            // The client closed, or went away.
            Err(_) => return,
        }
    }
    // GOAWAY: what is not in work will not be (RFC 9114 section 5.2).
    let _ = timeout(PATIENCE, requests.shutdown(0)).await;
    session.finished().await;
    connection.close(quinn::VarInt::from_u32(Code::H3_NO_ERROR.value() as u32), b"");
}

type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

/// Answers one request. Its errors are the client's: it went away or is too slow.
async fn serve_request(request: RequestResolver<h3_quinn::Connection, Bytes>, answers: &Answers, path: &str) {
    let Ok(Ok((head, mut stream))) = timeout(PATIENCE, request.resolve_request()).await else { return };
    let (head, ()) = head.into_parts();
    let query = match doh::ask(&head, path) {
        Ask::Query(query) => Ok(query),
        Ask::Body => timeout(PATIENCE, read(&mut stream)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT)),
        Ask::Refused(status) => Err(status),
    };
    let answer = match &query {
        Ok(query) => answers.answer(query, TransportKind::Doh).await.ok_or(StatusCode::BAD_REQUEST),
        Err(status) => Err(*status),
    };
    let (head, body, _room) = match answer {
        Ok((answer, room)) => (doh::answered(&answer), Bytes::from(answer), Some(room)),
        Err(status) => {
            answers.context.add(|counters| count(&counters.protocol_errors));
            stream.stop_sending(Code::H3_NO_ERROR);
            (doh::refused(status), Bytes::new(), None)
        }
    };
    let time = time_to_take(body.len());
    let sent = async {
        stream.send_response(head).await?;
        if !body.is_empty() {
            stream.send_data(body).await?;
        }
        stream.finish().await
    };
    if timeout(time, sent).await.is_err() {
        stream.stop_stream(Code::H3_REQUEST_CANCELLED);
        answers.context.add(|counters| count(&counters.tcp_timeouts));
    }
}

/// Reads the body of a POST.
async fn read(stream: &mut Stream) -> Result<Vec<u8>, StatusCode> {
    let mut query = Vec::new();
    while let Some(mut data) = stream.recv_data().await.map_err(|_| StatusCode::BAD_REQUEST)? {
        if query.len() + data.remaining() > MAX_QUERY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        while data.has_remaining() {
            let piece = data.chunk();
            query.extend_from_slice(piece);
            let octets = piece.len();
            data.advance(octets);
        }
    }
    Ok(query)
}
