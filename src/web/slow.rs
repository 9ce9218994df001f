//! A stream whose peer must go on reading: one that takes nothing, or next to nothing, is given up.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may leave a response untaken, beyond what it takes at [`LEAST_RATE`].
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Octets a second of the slowest client that is waited for: a modem.
const LEAST_RATE: u32 = 4096;

/// A stream that fails with `TimedOut` when its peer takes too little.
pub(super) struct Hurried<S> {
    stream: S,
    /// Until when what waits must be taken; `None` while nothing waits.
    deadline: Option<Pin<Box<Sleep>>>,
    patience: Duration,
}

impl<S> Hurried<S> {
    pub(super) fn new(stream: S) -> Self {
        Self::with_patience(stream, PATIENCE)
    }

    fn with_patience(stream: S, patience: Duration) -> Self {
        Self { stream, deadline: None, patience }
    }

    /// What became of a write of so many octets.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        wanted: usize,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Ready(Ok(taken)) if taken >= wanted => self.deadline = None,
            Poll::Ready(Ok(taken)) => {
                // A part is taken: the deadline moves by what that earns, no further.
                let earned = Duration::from_secs(taken as u64) / LEAST_RATE;
                let latest = Instant::now() + self.patience;
                if let Some(deadline) = &mut self.deadline {
                    let moved = (deadline.deadline() + earned).min(latest);
                    deadline.as_mut().reset(moved);
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let patience = self.patience;
                let deadline =
                    self.deadline.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
                if deadline.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Hurried<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Hurried<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, octets);
        self.written(context, octets.len(), outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::interval;

    use super::*;

    /// How long at most nothing is taken, in this test.
    const SHORT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_peer_that_takes_nothing_or_a_trickle_is_given_up_and_a_slow_one_is_not() {
        let write = async |read_each: usize, every: Duration| {
            let (ours, mut theirs) = duplex(1024);
            let mut ours = Hurried::with_patience(ours, SHORT);
            let reads = async {
                let (mut some, mut ticks) = (vec![0; read_each.max(1)], interval(every));
                if read_each == 0 {
                    std::future::pending::<()>().await;
                }
                loop {
                    ticks.tick().await;
                    theirs.read_exact(&mut some).await.unwrap();
                }
            };
            tokio::select! {
                outcome = ours.write_all(&[0; 200_000]) => outcome.map_err(|error| error.kind()),
                () = reads => unreachable!(),
            }
        };
        let milliseconds = Duration::from_millis;
        assert_eq!(write(0, milliseconds(10)).await, Err(io::ErrorKind::TimedOut));
        assert_eq!(
            write(2, milliseconds(10)).await,
            Err(io::ErrorKind::TimedOut),
            "a trickle of 200 octets a second"
        );
        assert_eq!(write(1000, milliseconds(2)).await, Ok(()), "slow, for longer than the patience");
    }
}
