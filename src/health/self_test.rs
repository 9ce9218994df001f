//! The minimal question that the speaker asks the service addresses itself when the deciding task no longer renews the lease.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Reply, ask};
use super::message::Question;
use super::settings::{Settings, SettingsError, Target};
use super::statistics::ProbeTransport;

/// How often it is tried. A try may take three fifths of a probe's time, within these bounds: all together take less than two
/// probes' time, 0.9 s by default.
const TRIES: usize = 3;
const SHORTEST_TRY: Duration = Duration::from_millis(100);
const LONGEST_TRY: Duration = Duration::from_secs(2);

/// Asks who answers at a service address (`id.server`, RFC 4892), over UDP, from the management address.
#[derive(Clone, Debug)]
pub struct IdentityQuery {
    targets: Arc<[Target]>,
    instance: Arc<str>,
    try_time: Duration,
}

impl IdentityQuery {
    /// A test of the service addresses of these settings.
    ///
    /// # Errors
    /// As [`Settings::check`].
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let try_time = (settings.timeout * 3 / 5).clamp(SHORTEST_TRY, LONGEST_TRY);
        let (targets, instance) = (settings.targets()?.into(), settings.instance.as_str().into());
        Ok(Self { targets, instance, try_time })
    }

    /// Whether this instance answers at `address`. The error says what was missing.
    pub fn ask(&self, address: IpAddr) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        let target = self.targets.iter().find(|target| target.service().ip() == address).copied();
        let (instance, try_time) = (self.instance.clone(), self.try_time);
        Box::pin(async move {
            let target = target.ok_or_else(|| format!("{address} is no service address"))?;
            let mut last = String::new();
            for _ in 0..TRIES {
                let question = Question::identity().ok_or("cannot encode a question")?;
                match ask(target, ProbeTransport::Udp, &question, &instance, try_time).await {
                    Reply::Answered(Ok(()), _) => return Ok(()),
                    Reply::Answered(Err(fault), _) => last = fault.to_string(),
                    Reply::Lost(reason, _) | Reply::Unable(reason) => last = reason,
                    // No socket listens: another try would get the same answer.
                    Reply::Refused(reason) => return Err(reason),
                }
            }
            Err(last)
        })
    }
}
