//! The thread that writes daily statistics (1x), and what it is told of the zone of the service.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::handoff::{Reader, queue};
use crate::rssac002::{Writer, ZoneFacts};
use crate::telemetry::{Beat, Counters, keep_running};
use crate::wire::Name;
use crate::wire::octets::RECORD_FIXED;
use crate::zone::{Published, Zone};

use crate::daemon::DaemonError;
use crate::daemon::status::ZoneLoads;
use crate::daemon::thread::Thread;

/// Versions that wait for the thread: it looks every ten seconds.
const LOADS: usize = 256;

/// A heartbeat and why nothing is written, the thread, and where versions are told; nothing where no statistics are asked for.
pub(in crate::daemon) type Statistics =
    (Option<(Beat, Reader<Option<String>>)>, Option<Thread>, Option<ZoneLoads>);

/// Starts the thread, if statistics are asked for.
pub(in crate::daemon) fn start_statistics(
    config: &Config,
    counters: &Counters,
    published: &Arc<Published>,
) -> Result<Statistics, DaemonError> {
    let Some(settings) = config.rssac002.clone() else { return Ok((None, None, None)) };
    let (facts, loads) = match &settings.zone {
        None => (None, None),
        Some(zone) => {
            let (queue, loaded) = queue(LOADS).map_err(DaemonError::Runtime)?;
            let facts = ZoneFacts { served: served(published.clone(), zone.clone()), loaded };
            (Some(facts), Some(ZoneLoads { zone: zone.clone(), queue }))
        }
    };
    let mut writer = Writer::new(settings, counters.clone(), facts);
    let (beat, trouble) = (writer.beat(), writer.trouble());
    let running = beat.clone();
    let thread = Thread::start("rssac002", CancellationToken::new(), move || async move {
        keep_running(&running, &mut writer, async |writer| writer.run().await).await;
    })?;
    Ok((Some((beat, trouble)), Some(thread), loads))
}

/// The serial and the octets of what is served of a zone; walks over a version once.
fn served(published: Arc<Published>, name: Name) -> Box<dyn FnMut() -> Option<(u32, u64)> + Send> {
    let mut last = None;
    Box::new(move || {
        let snapshot = published.load();
        let zone = snapshot.zone(&name)?;
        let serial = zone.serial().0;
        match last {
            Some((known, _)) if known == serial => {}
            _ => last = Some((serial, octets(zone))),
        }
        last
    })
}

/// The octets of all records in wire form, without compression.
fn octets(zone: &Zone) -> u64 {
    let mut octets = 0;
    zone.for_each_record(|owner, _, _, rdata| octets += (owner.len() + RECORD_FIXED + rdata.len()) as u64);
    octets
}
