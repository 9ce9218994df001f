//! DNS over QUIC (RFC 9250): one stream for each query and its answer, each behind its length, all IDs 0.
//!
//! Early data (0-RTT) is not taken: a replayed query tells an observer of the answer's size what was asked (section 4.5).

use std::net::SocketAddr;
use std::rc::Rc;

use quinn::{Connection, ConnectionError, ReadError, ReadToEndError, RecvStream, SendStream, VarInt};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::answer::TransportKind;
use crate::serve::context::Context;
use crate::serve::message_stream::{PATIENCE, time_to_take};
use crate::serve::shared::Phase;
use crate::telemetry::count;
use crate::wire::Query;

use super::session::{Answers, STREAM_WINDOW, Session};

/// Error codes (RFC 9250 section 8.4).
const NO_ERROR: VarInt = VarInt::from_u32(0);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);
const REQUEST_CANCELLED: VarInt = VarInt::from_u32(3);
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(4);

/// Octets of the length before each message.
const LENGTH: usize = 2;

/// Serves a connection.
pub(super) async fn serve(
    connection: Connection,
    server: SocketAddr,
    context: Rc<Context>,
    phase: watch::Receiver<Phase>,
) {
    let mut session = Session::new(context.clone(), connection.remote_address().ip(), Some(server), phase);
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept_bi() => accepted,
            () = session.ended() => break,
        };
        match accepted {
            Ok((send, receive)) => {
                let (answers, connection) = (session.answers(), connection.clone());
                session.begin(async move {
                    if serve_stream(send, receive, &answers).await == Err(Fatal) {
                        answers.context.add(|counters| count(&counters.protocol_errors));
                        connection.close(PROTOCOL_ERROR, b"");
                    }
                });
            }
            Err(ConnectionError::TimedOut) => return context.add(|counters| count(&counters.tcp_timeouts)),
            Err(_) => return,
        }
    }
    session.finished().await;
    connection.close(NO_ERROR, b"");
}

/// The client broke a rule of which a violation ends the connection (RFC 9250 section 4.3.3).
#[derive(Debug, PartialEq, Eq)]
struct Fatal;

/// Answers the query of one stream.
async fn serve_stream(mut send: SendStream, mut receive: RecvStream, answers: &Answers) -> Result<(), Fatal> {
    let message = match timeout(PATIENCE, receive.read_to_end(STREAM_WINDOW as usize)).await {
        Ok(Ok(message)) => message,
        Ok(Err(ReadToEndError::TooLong)) => return Err(Fatal),
        // Cancelled by the client (section 4.3.1), or the connection is gone.
        Ok(Err(ReadToEndError::Read(ReadError::Reset(_)))) => {
            let _ = send.reset(REQUEST_CANCELLED);
            return Ok(());
        }
        Ok(Err(ReadToEndError::Read(_))) => return Ok(()),
        Err(_) => {
            answers.context.add(|counters| count(&counters.tcp_timeouts));
            let _ = receive.stop(EXCESSIVE_LOAD);
            let _ = send.reset(EXCESSIVE_LOAD);
            return Ok(());
        }
    };
    let query = query_of(&message).ok_or(Fatal)?;
    let (answer, _room) = answers.answer(query, TransportKind::Doq).await.ok_or(Fatal)?;
    let length = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes();
    let sent = async {
        send.write_all(&[&length[..], &answer].concat()).await.map_err(drop)?;
        send.finish().map_err(drop)?;
        // Until the client has it all, because a connection that closes drops what is under way.
        send.stopped().await.map(drop).map_err(drop)
    };
    if timeout(time_to_take(answer.len()), sent).await.is_err() {
        answers.context.add(|counters| count(&counters.tcp_timeouts));
        let _ = send.reset(EXCESSIVE_LOAD);
    }
    Ok(())
}

/// The one query on a stream: behind its length, whole, nothing after it, ID 0 (RFC 9250 sections 4.2 and 4.2.1),
/// without edns-tcp-keepalive, which belongs to TCP (section 5.5.2).
fn query_of(message: &[u8]) -> Option<&[u8]> {
    let (length, query) = message.split_first_chunk::<LENGTH>()?;
    let whole = usize::from(u16::from_be_bytes(*length)) == query.len();
    let keepalive =
        || Query::parse(query).and_then(|query| query.edns).is_some_and(|edns| edns.tcp_keepalive.is_some());
    (whole && query.starts_with(&[0, 0]) && !keepalive()).then_some(query)
}

#[cfg(test)]
mod tests {
    use super::query_of;

    #[test]
    fn a_stream_has_one_whole_query_with_the_id_0() {
        for (message, query) in [
            (&b""[..], None),
            (b"\0", None),
            (b"\0\0", None),
            (b"\0\x03\0\0x", Some(&b"\0\0x"[..])),
            (b"\0\x04\0\0x", None),
            (b"\0\x02\0\0x", None),
            (b"\0\x03\0\x01x", None),
            (b"\0\x03\x01\0x", None),
        ] {
            assert_eq!(query_of(message), query, "{message:?}");
        }
    }
}
