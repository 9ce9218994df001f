//! The speaker's own question.

use std::net::IpAddr;
use std::pin::Pin;

use crate::{health, route};

/// The speaker's own question is a probe of health's, without its loop.
pub(in crate::daemon) struct LeaseSelfTest(pub(in crate::daemon) health::IdentityQuery);

impl route::SelfTest for LeaseSelfTest {
    fn ask(&self, address: IpAddr) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        self.0.ask(address)
    }
}
