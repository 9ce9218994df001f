//! The minimal question that the speaker asks the service addresses by itself when nobody decides any more.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::{Reply, ask};
use super::message::Question;
use super::settings::{Settings, SettingsError, Target};
use super::statistics::Transport;

/// How long one try may take, and how often it is tried: together less than a second.
const TRY: Duration = Duration::from_millis(300);
const TRIES: usize = 3;

/// Asks who answers at a service address (`id.server`, RFC 4892), over UDP, from the management address.
#[derive(Clone, Debug)]
pub struct SelfTest {
    targets: Arc<[Target]>,
    instance: Arc<str>,
}

impl SelfTest {
    /// A test of the service addresses of these settings.
    ///
    /// # Errors
    /// As [`Settings::check`].
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self { targets: settings.targets()?.into(), instance: settings.instance.as_str().into() })
    }

    /// Whether this instance answers at `address`; done within a second. The error says what was missing.
    pub fn ask(&self, address: IpAddr) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        let target = self.targets.iter().find(|target| target.service().ip() == address).copied();
        let instance = self.instance.clone();
        Box::pin(async move {
            let target = target.ok_or_else(|| format!("{address} is no service address"))?;
            let mut last = String::new();
            for _ in 0..TRIES {
                let question = Question::identity().ok_or("cannot encode a question")?;
                match ask(target, Transport::Udp, &question, &instance, TRY).await {
                    Reply::Answered(Ok(()), _) => return Ok(()),
                    Reply::Answered(Err(fault), _) => last = fault.to_string(),
                    Reply::Lost(reason, _) | Reply::Unable(reason) => last = reason,
                    // Nobody listens: another try would say the same.
                    Reply::Refused(reason) => return Err(reason),
                }
            }
            Err(last)
        })
    }
}
