//! One connection of DNS messages as a task of a runtime, over TLS (RFC 7858) or over TCP where the engine is hickory: messages, each behind its length in two octets, in; responses,
//! likewise, out. The workers of the native engine have their own for plain TCP
//! (`worker::polled_tcp`), with the same bounds ([`super::message_stream`]).
//!
//! An answer is made the moment its query is whole, so responses leave in the order of the queries; nothing slow could
//! be overtaken (RFC 7766 section 6.2.1.1). Pipelined queries are answered together: all that have arrived, one write.
//! Memory is bounded: one message and one read of input, [`OUTPUT`] and one response of output. A slow client, a silent
//! one and one that does not read are closed; none of them holds up another. How many queries a connection may bring is
//! not limited, because they take turns with those of other connections; how long it may live is. At its end what has arrived
//! is answered, our side is shut, and what still comes is thrown away for a while: a close with octets that were not
//! read is a reset, which destroys the responses on their way.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::telemetry::count;

use super::context::Context;
use super::message_stream::{FAREWELL, LENGTH, OUTPUT, PATIENCE, time_to_take, whole};
use super::respond::Peer;
use super::shared::Phase;
use super::traffic::{Traffic, family};

/// Octets of queries that are still read at the end: twice what Linux gives a connection to receive in. A client that
/// goes on asking does not delay us.
const LAST: usize = 256 << 10;

/// At the end, what has arrived can be read at once, or after one more TLS record; nothing waits for what has not arrived.
const LULL: Duration = Duration::from_millis(10);

/// Octets read at once.
const READ: usize = 4096;

/// Serves a connection until the client closes it, is too slow, sends what is no query, it is [`TcpSettings::lifetime`](super::TcpSettings::lifetime) old, or we
/// stop. Fails if the client went away or did not read; the connection is then closed without a TLS close_notify.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    context: &Context,
    peer: Peer,
    mut phase: watch::Receiver<Phase>,
    traffic: &Traffic,
) -> io::Result<()> {
    let mut input = BytesMut::new();
    let mut output = Vec::new();
    let end = Instant::now() + context.settings.lifetime;
    // When the message at the front of the input must be whole.
    let mut deadline = Instant::now() + context.settings.idle.min(PATIENCE);
    // The latest time at which the client must have taken what it asked for.
    let mut taken = Instant::now();
    loop {
        let progress = answer(context, peer, &mut input, &mut output);
        if !output.is_empty() {
            write(stream, &output, context).await.inspect(|()| traffic.left(family(peer.address())))?;
            output.clear();
            taken = Instant::now() + FAREWELL;
        }
        match progress {
            Progress::Full => {
                deadline = Instant::now() + context.settings.idle;
                continue;
            }
            Progress::NoQuery => return farewell(stream, input).await,
            Progress::Answered if input.is_empty() => deadline = Instant::now() + context.settings.idle,
            Progress::Answered => deadline = Instant::now() + PATIENCE,
            Progress::Nothing => {}
        }
        // What has arrived is answered; a stop waits for no more, nor does the end.
        if *phase.borrow_and_update() != Phase::Serve || Instant::now() >= end {
            let asked = answer_last(stream, context, peer, &mut input).await?;
            return if asked || Instant::now() < taken {
                farewell(stream, input).await
            } else {
                close(stream).await
            };
        }
        let silent = input.is_empty();
        tokio::select! {
            read = timeout_at(deadline, read(stream, &mut input)) => match read {
                Ok(Ok(0)) => return close(stream).await,
                Ok(Ok(_)) if silent => deadline = Instant::now() + PATIENCE,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    context.add(|counters| count(&counters.tcp_timeouts));
                    return close(stream).await;
                }
            },
            _ = phase.changed() => {}
        }
    }
}

/// Answers what has arrived. Returns whether there was any.
async fn answer_last<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    context: &Context,
    peer: Peer,
    input: &mut BytesMut,
) -> io::Result<bool> {
    let (mut left, mut output) = (LAST, Vec::new());
    while left > 0 {
        let Ok(read) = timeout(LULL, read(stream, input)).await else { break };
        let octets = read?;
        left = left.saturating_sub(octets);
        let mut progress = Progress::Full;
        while progress == Progress::Full {
            progress = answer(context, peer, input, &mut output);
            write(stream, &output, context).await?;
            output.clear();
        }
        if octets == 0 || progress == Progress::NoQuery {
            break;
        }
    }
    Ok(left < LAST)
}

/// Shuts our side and waits for the client to close its own, but not for long.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, mut input: BytesMut) -> io::Result<()> {
    close(stream).await?;
    let discard = async {
        loop {
            input.clear();
            input.reserve(READ);
            // Its errors are the peer's, and nothing is due any more.
            if !stream.read_buf(&mut input).await.is_ok_and(|octets| octets > 0) {
                return;
            }
        }
    };
    // A client that still sends is cut off.
    let _ = timeout(FAREWELL, discard).await;
    Ok(())
}

/// Shuts our side (over TLS with close_notify, RFC 8446 section 6.1), but not for long.
async fn close<S: AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    timeout(PATIENCE, stream.shutdown()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// How far [`answer`] came.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// No whole message was there.
    Nothing,
    /// Every whole message is answered.
    Answered,
    /// The output is full; there may be more whole messages.
    Full,
    /// A message was no query. What follows it cannot be read as messages either.
    NoQuery,
}

/// Answers the whole messages at the front of the input.
fn answer(context: &Context, peer: Peer, input: &mut BytesMut, output: &mut Vec<u8>) -> Progress {
    let mut progress = Progress::Nothing;
    let mut responder = context.responder.borrow_mut();
    let mut scratch = context.scratch.borrow_mut();
    let answering = responder.refresh(std::time::Instant::now());
    while let Some(message) = whole(input) {
        let length = answering.message(message, peer, &mut scratch);
        let consumed = LENGTH + message.len();
        input.advance(consumed);
        let (Ok(octets), Some(response), true) = (u16::try_from(length), scratch.get(..length), length > 0)
        else {
            return Progress::NoQuery;
        };
        output.extend_from_slice(&octets.to_be_bytes());
        output.extend_from_slice(response);
        answering.sent(peer);
        if output.len() >= OUTPUT {
            return Progress::Full;
        }
        progress = Progress::Answered;
    }
    progress
}

/// Reads some octets; at least the message at the front finds room.
async fn read<S: AsyncRead + Unpin>(stream: &mut S, input: &mut BytesMut) -> io::Result<usize> {
    let message = input.first_chunk::<LENGTH>().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
    let missing = (LENGTH + message).saturating_sub(input.len());
    // Not more than was asked for: a length of 65,535 costs no memory before the octets come.
    input.reserve(READ.min(missing.max(READ / 2)));
    stream.read_buf(input).await
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, output: &[u8], context: &Context) -> io::Result<()> {
    let written = async {
        stream.write_all(output).await?;
        stream.flush().await
    };
    match timeout(time_to_take(output.len()), written).await {
        Ok(written) => written,
        Err(_) => {
            context.add(|counters| count(&counters.tcp_timeouts));
            Err(io::ErrorKind::TimedOut.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use super::*;
    use crate::answer::{Identity, Settings, TransportKind};
    use crate::serve::TcpSettings;
    use crate::serve::respond::Responder;
    use crate::telemetry::Counters;
    use crate::zone::Published;

    /// A client that asks again and again, as long as it gets answers; how many it got.
    async fn ask_on(mut stream: tokio::io::DuplexStream) -> usize {
        let query = b"\0\x11\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x01";
        let mut answers = 0;
        while stream.write_all(query).await.is_ok() {
            let Ok(length) = stream.read_u16().await else { break };
            stream.read_exact(&mut vec![0; length.into()]).await.unwrap();
            answers += 1;
        }
        answers
    }

    #[tokio::test]
    async fn a_connection_that_is_never_idle_ends_when_it_is_old() {
        let lifetime = Duration::from_millis(200);
        let answers = Arc::new(Settings::new(Identity { instance: "test".into(), version: None }));
        let responder = Responder::new(&Arc::<Published>::default(), answers, None, Counters::new(1), 0);
        let context = Context::new(
            TcpSettings { lifetime, ..TcpSettings::default() },
            responder,
            crate::telemetry::Beat::new("test"),
        );
        let peer = Peer::new(TransportKind::Tcp, Ipv4Addr::LOCALHOST.into());
        let (_phases, phase) = watch::channel(Phase::Serve);
        let traffic = Traffic::default();
        let (client, mut server) = tokio::io::duplex(READ);
        let begin = Instant::now();
        let (served, answers) =
            tokio::join!(serve(&mut server, &context, peer, phase, &traffic), ask_on(client));
        served.unwrap();
        assert!(answers > 0 && begin.elapsed() >= lifetime, "{answers} in {:?}", begin.elapsed());
        assert!((1..=answers as u64 + 1).contains(&traffic.totals().left[0]), "{:?}", traffic.totals());
    }

    #[test]
    fn a_message_is_whole_when_its_last_octet_is_there() {
        for (input, message) in [
            (&[][..], None),
            (&[0][..], None),
            (&[0, 0][..], Some(&[][..])),
            (&[0, 2, 7][..], None),
            (&[0, 2, 7, 8][..], Some(&[7, 8][..])),
            (&[0, 2, 7, 8, 9][..], Some(&[7, 8][..])),
            (&[255, 255, 1][..], None),
        ] {
            assert_eq!(whole(input), message, "{input:?}");
        }
    }
}
