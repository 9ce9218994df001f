//! The speaker's own question.

use std::net::IpAddr;
use std::pin::Pin;

use crate::{health, route};

/// The speaker's own question is a probe of health's, without its loop.
pub(super) struct SelfTest(pub(super) health::SelfTest);

impl route::SelfTest for SelfTest {
    fn ask(&self, address: IpAddr) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        self.0.ask(address)
    }
}
