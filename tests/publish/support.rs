//! A publisher in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyns::publish::{
    HoldZones, KeptReleases, Publisher, PublisherHandle, Report, Settings, ZoneReport, ZoneState,
};
use anyns::wire::{LookupName, Name, RecordType, Serial};
use anyns::zone::{Absence, Published, Zone};
use tempfile::TempDir;

/// The longest a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Of orders to hold zones: this one.
pub(crate) fn one(zone: &Name) -> HoldZones {
    HoldZones::These(vec![zone.clone()])
}

/// A zone whose every A record is 10.0.(serial / 256).(serial % 256), so that a mixture of two versions shows.
pub(crate) fn zone_text(serial: u32, hosts: usize) -> String {
    versioned(serial, serial, hosts)
}

/// A zone with this serial and the content of another version.
pub(crate) fn versioned(serial: u32, content: u32, hosts: usize) -> String {
    let mut text =
        format!("@ 60 IN SOA ns.example. host.example. {serial} 1 1 1 1\n@ 60 IN NS ns.example.\n");
    for host in 0..hosts {
        text += &format!("h{host} 60 IN A 10.0.{}.{}\n", content / 256 % 256, content % 256);
    }
    text
}

/// The content's number, or what is wrong with it.
pub(crate) fn content_of(zone: &Zone) -> Result<u32, String> {
    let mut seen = None;
    for record in zone.records().filter(|record| record.record_type == RecordType::A) {
        let number = u32::from(record.rdata[2]) * 256 + u32::from(record.rdata[3]);
        match seen {
            None => seen = Some(number),
            Some(first) if first != number => return Err(format!("a mixture of {first} and {number}")),
            Some(_) => {}
        }
    }
    seen.ok_or_else(|| "no A record".to_owned())
}

pub(crate) struct Pop {
    pub(crate) directory: Home,
    pub(crate) published: Arc<Published>,
    handle: Option<PublisherHandle>,
}

/// Where a publisher lives: in a directory that goes with it, or in one of somebody else.
pub(crate) enum Home {
    Own(TempDir),
    Other(PathBuf),
}

impl Home {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(directory) => directory.path(),
            Self::Other(directory) => directory,
        }
    }
}

impl Drop for Pop {
    /// A test that ends without [`Pop::stop`], or fails: the directory goes when nothing writes in it any more.
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        // The runtime of the test may be the one that this thread drives.
        let end = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let shutdown = async { tokio::time::timeout(PATIENCE, handle.shutdown()).await };
            runtime.map(|runtime| runtime.block_on(shutdown).is_ok())
        };
        let _ = std::thread::spawn(end).join();
    }
}

impl Pop {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("zones")).unwrap();
        Self { directory: Home::Own(directory), published: Arc::default(), handle: None }
    }

    /// In the directory of another process.
    pub(crate) fn at(directory: &Path) -> Self {
        Self { directory: Home::Other(directory.to_path_buf()), published: Arc::default(), handle: None }
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    /// One directory of zones, a state directory, and a regular look so rare that only the watching can be heard.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            directories: vec![self.path("zones")],
            state_directory: Some(self.path("state")),
            rescan: Duration::from_secs(3600),
            ..Settings::default()
        }
    }

    pub(crate) async fn start(&mut self) {
        self.start_with(self.settings()).await;
    }

    pub(crate) async fn start_with(&mut self, settings: Settings) {
        self.handle = Some(Publisher::start(settings, self.published.clone()).unwrap());
        self.wait(|report| report.settled).await;
    }

    /// The process ends and the next one begins with an empty snapshot.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.published = Arc::default();
        self.start().await;
    }

    pub(crate) async fn stop(&mut self) {
        self.handle.take().unwrap().shutdown().await;
    }

    pub(crate) fn handle(&self) -> &PublisherHandle {
        self.handle.as_ref().unwrap()
    }

    pub(crate) fn report(&self) -> Arc<Report> {
        self.handle().report().load()
    }

    /// Waits for a report.
    pub(crate) async fn wait(&self, condition: impl Fn(&Report) -> bool) -> Arc<Report> {
        let mut report = self.handle().report();
        let wanted = report.wait_for(|report| condition(report));
        match tokio::time::timeout(PATIENCE, wanted).await {
            Ok(found) => found,
            Err(_) => panic!("the report never came; the last was {:#?}", self.report()),
        }
    }

    /// Waits until a zone is served with this serial and without a fault.
    pub(crate) async fn wait_serial(&self, zone: &str, serial: u32) {
        let zone = name(zone);
        self.wait(|report| {
            report
                .zones
                .get(&zone)
                .is_some_and(|it| it.serial == Some(Serial(serial)) && it.state == ZoneState::Serving)
        })
        .await;
    }

    /// Waits until every zone that is served is in the state directory.
    pub(crate) async fn wait_kept(&self) -> Arc<Report> {
        self.wait(|report| report.unkept == 0).await
    }

    /// Waits until a zone has a fault whose text holds `part`.
    pub(crate) async fn wait_fault(&self, zone: &str, part: &str) -> ZoneReport {
        let zone = name(zone);
        let has = |report: &Report| {
            report.zones.get(&zone).is_some_and(|it| it.faults.iter().any(|it| it.to_string().contains(part)))
        };
        ZoneReport::clone(&self.wait(has).await.zones[&zone])
    }

    /// What the query path is told of a zone that is configured and not served.
    pub(crate) fn absence(&self, zone: &str) -> Option<Absence> {
        self.published.load().absence(&LookupName::from(&name(zone)), 0)
    }

    /// The serial of the version in the state directory.
    pub(crate) fn kept(&self, zone: &str) -> Option<u32> {
        Some(self.handle().history().steps(&name(zone)).ok()??.serial.0)
    }

    /// Which versions all secondaries may have, as the last process kept it.
    pub(crate) fn kept_releases(&self) -> KeptReleases {
        let kept = self.handle().kept().load();
        (*kept).as_ref().expect("the state directory has answered").releases.clone()
    }

    /// What is served: serial and content.
    pub(crate) fn served(&self, zone: &str) -> Option<(u32, u32)> {
        let snapshot = self.published.load();
        let zone = snapshot.zone(&name(zone))?;
        Some((zone.serial().0, content_of(zone).unwrap()))
    }
}

/// Replaces a file the way editors and rsync do.
pub(crate) fn replace(path: &Path, text: &str) {
    let temporary = path.with_file_name(format!(".{}.new", path.file_name().unwrap().display()));
    fs::write(&temporary, text).unwrap();
    fs::rename(&temporary, path).unwrap();
}
