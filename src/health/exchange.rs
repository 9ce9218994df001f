//! One question over one transport: the only part of health that touches sockets.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::time::timeout;

use super::evidence::Stage;
use super::message::{AnswerFault, Question};
use super::settings::Target;
use super::statistics::ProbeTransport;

/// The most stray datagrams one probe reads past: more is a flood, and the probe is lost.
const MAX_STRAYS: usize = 16;

/// What became of one question.
#[derive(Debug)]
pub(super) enum Reply {
    /// The whole answer came, right or wrong, after this time.
    Answered(Result<(), AnswerFault>, Duration),
    /// No answer in time, or the connection broke, at this stage.
    Lost(String, Stage),
    /// The system says that no socket listens there.
    Refused(String),
    /// The probe could not be made: says nothing about the server.
    Unable(String),
}

/// What went wrong on the way to an answer.
enum Failure {
    /// On the asking side, before anything was asked.
    Local(io::Error),
    /// After the question was on its way, at this stage.
    Remote(io::Error, Stage),
}

/// Asks one question; done after `limit` at the latest.
pub(super) async fn ask(
    target: Target,
    transport: ProbeTransport,
    question: &Question,
    instance: &str,
    limit: Duration,
) -> Reply {
    let start = Instant::now();
    let answer = match transport {
        ProbeTransport::Udp => ask_udp(target, question, limit).await,
        ProbeTransport::Tcp => ask_tcp(target, question, limit).await,
    };
    match answer {
        Ok(octets) => Reply::Answered(question.judge(&octets, instance), start.elapsed()),
        Err(reply) => reply,
    }
}

async fn ask_udp(target: Target, question: &Question, limit: Duration) -> Result<Vec<u8>, Reply> {
    let failed = |failure| failure_reply(target, failure);
    let remote = |error| failed(Failure::Remote(error, Stage::Asked));
    let socket = UdpSocket::bind(target.source()).await.map_err(|error| failed(Failure::Local(error)))?;
    // Connected: the system drops what comes from elsewhere and hands over ICMP errors.
    socket.connect(target.service()).await.map_err(remote)?;
    socket.send(question.octets()).await.map_err(remote)?;
    match timeout(limit, receive(&socket, question)).await {
        Ok(Ok(octets)) => Ok(octets),
        Ok(Err(error)) => Err(remote(error)),
        Err(_) => Err(Reply::Lost(late(target, limit), Stage::Asked)),
    }
}

async fn receive(socket: &UdpSocket, question: &Question) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    for _ in 0..MAX_STRAYS {
        let length = socket.recv(&mut buffer).await?;
        let octets = buffer.get(..length).unwrap_or_default();
        // Another ID may be a forgery: the true answer may still come.
        if question.is_answered_by(octets) {
            return Ok(octets.to_vec());
        }
    }
    Err(io::Error::new(ErrorKind::InvalidData, "only datagrams with another ID came"))
}

async fn ask_tcp(target: Target, question: &Question, limit: Duration) -> Result<Vec<u8>, Reply> {
    let mut stage = Stage::Connecting;
    match timeout(limit, converse(target, question, &mut stage)).await {
        Ok(Ok(octets)) => Ok(octets),
        Ok(Err(failure)) => Err(failure_reply(target, failure)),
        Err(_) => Err(Reply::Lost(late(target, limit), stage)),
    }
}

/// One connection, one query, one response (RFC 7766 section 8: both behind their length). Says in `stage` how far it came, which
/// outlives a time-out.
async fn converse(target: Target, question: &Question, stage: &mut Stage) -> Result<Vec<u8>, Failure> {
    let socket = match target.source().is_ipv4() {
        true => TcpSocket::new_v4(),
        false => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(Failure::Local)?;
    socket.bind(target.source()).map_err(Failure::Local)?;
    let connecting = |error| Failure::Remote(error, Stage::Connecting);
    let mut stream = socket.connect(target.service()).await.map_err(connecting)?;
    *stage = Stage::Connected;
    // A refusal is one of the connection; whatever breaks later is a loss.
    let later =
        |error: io::Error| Failure::Remote(io::Error::new(ErrorKind::ConnectionAborted, error), Stage::Reset);
    let length = u16::try_from(question.octets().len()).unwrap_or(u16::MAX);
    let framed = [&length.to_be_bytes(), question.octets()].concat();
    stream.write_all(&framed).await.map_err(later)?;
    let length = stream.read_u16().await.map_err(later)?;
    let mut octets = vec![0; usize::from(length)];
    stream.read_exact(&mut octets).await.map_err(later)?;
    Ok(octets)
}

fn late(target: Target, limit: Duration) -> String {
    format!("no answer from {} within {} ms", target.service(), limit.as_millis())
}

fn failure_reply(target: Target, failure: Failure) -> Reply {
    match failure {
        Failure::Local(error) => Reply::Unable(format!("cannot ask from {}: {error}", target.source().ip())),
        Failure::Remote(error, _) if error.kind() == ErrorKind::ConnectionRefused => {
            Reply::Refused(format!("nobody listens on {}: {error}", target.service()))
        }
        Failure::Remote(error, stage) => {
            Reply::Lost(format!("no answer from {}: {error}", target.service()), stage)
        }
    }
}
