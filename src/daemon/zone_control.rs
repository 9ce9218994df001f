//! What brings zones here and lets them go on: the handles of the parts that do it. Each can be told from any task.

use std::sync::Arc;

use crate::publish::PublisherHandle;
use crate::update::UpdateService;
use crate::zone::Published;

use crate::daemon::canaries::CanaryControl;
use crate::daemon::catalogs::CatalogControl;
use crate::daemon::transfers::transferring::TransferControl;

/// The parts that orders and reloads about zones go to.
#[derive(Clone)]
pub(super) struct ZoneControl {
    pub(super) publisher: Arc<PublisherHandle>,
    /// What is served.
    pub(super) published: Arc<Published>,
    /// Changes what transfers zones, and gives it orders.
    pub(super) transfers: TransferControl,
    /// Follows and makes catalogs.
    pub(super) catalogs: CatalogControl,
    /// Says which secondary may have which version.
    pub(super) canaries: CanaryControl,
    /// Who takes dynamic updates.
    pub(super) updates: Arc<UpdateService>,
}
