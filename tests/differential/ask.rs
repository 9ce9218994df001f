//! Many questions to one server at once: over UDP from one socket, over TCP on one connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::questions::Question;

/// Queries without an answer at any time: few enough that no socket buffer overflows, many enough that no server idles.
const OUTSTANDING: usize = 64;
/// How long nothing may come before what is missing is sent again.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How often it is sent at most.
const TRIES: usize = 4;
/// Queries that share the space of IDs.
const BATCH: usize = 1 << 16;

/// Asks all questions over UDP; the answers in their order, `None` where none came.
pub fn over_udp(server: SocketAddr, questions: &[Question]) -> Vec<Option<Vec<u8>>> {
    questions.chunks(BATCH).flat_map(|batch| udp_batch(server, batch)).collect()
}

fn udp_batch(server: SocketAddr, questions: &[Question]) -> Vec<Option<Vec<u8>>> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server).expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut answers: Vec<Option<Vec<u8>>> = vec![None; questions.len()];
    for _ in 0..TRIES {
        let missing: Vec<usize> = (0..questions.len()).filter(|index| answers[*index].is_none()).collect();
        if missing.is_empty() {
            break;
        }
        udp_round(&socket, questions, &missing, &mut answers);
    }
    answers
}

fn udp_round(socket: &UdpSocket, questions: &[Question], missing: &[usize], answers: &mut [Option<Vec<u8>>]) {
    let (mut next, mut open, mut buffer) = (missing.iter(), 0, vec![0; 65_535]);
    loop {
        while open < OUTSTANDING
            && let Some(index) = next.next()
        {
            // A refused port is heard on the next call; the rounds after it try again.
            let _ = socket.send(&questions[*index].message(*index as u16));
            open += 1;
        }
        if open == 0 {
            return;
        }
        match socket.recv(&mut buffer) {
            Ok(length) if length >= 12 => {
                let id = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
                if let Some(answer @ None) = answers.get_mut(id) {
                    *answer = Some(buffer[..length].to_vec());
                    open -= 1;
                }
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                // Either all were sent, or the server is stuck: a whole window without an answer.
                if next.len() == 0 || open == OUTSTANDING {
                    return;
                }
                open = 0;
            }
            Err(_) => return,
        }
    }
}

/// Queries in one go over a connection: less than any server closes after.
const PIPELINE: usize = 16;

/// Asks all questions over TCP, some at a time on one connection each.
pub fn over_tcp(server: SocketAddr, questions: &[Question]) -> Vec<Option<Vec<u8>>> {
    questions.chunks(PIPELINE).flat_map(|some| tcp_batch(server, some)).collect()
}

fn tcp_batch(server: SocketAddr, questions: &[Question]) -> Vec<Option<Vec<u8>>> {
    let mut answers: Vec<Option<Vec<u8>>> = vec![None; questions.len()];
    // What came before an error counts; the comparison sees what is missing.
    let _ = exchange(server, questions, &mut answers);
    answers
}

fn exchange(
    server: SocketAddr,
    questions: &[Question],
    answers: &mut [Option<Vec<u8>>],
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(4 * PATIENCE))?;
    let framed = questions.iter().enumerate().flat_map(|(index, question)| {
        let message = question.message(index as u16);
        [&(message.len() as u16).to_be_bytes(), message.as_slice()].concat()
    });
    stream.write_all(&framed.collect::<Vec<u8>>())?;
    for _ in 0..questions.len() {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message)?;
        let id = message.get(..2).map_or(usize::MAX, |id| usize::from(u16::from_be_bytes([id[0], id[1]])));
        if let Some(answer) = answers.get_mut(id) {
            *answer = Some(message);
        }
    }
    Ok(())
}
