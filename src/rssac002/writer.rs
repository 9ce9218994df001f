//! The task that writes the files (1x).

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use tokio::time::sleep;

use super::counts::Counts;
use super::day::Day;
use super::document::{self, DocumentError, Figures, Metric};
use super::settings::Settings;
use super::sources::{RegistersError, Sources};
use super::versions::{Versions, ZoneFacts};
use crate::handoff::{Latest, Reader};
use crate::sys::files::{self, Durability};
use crate::telemetry::{Beat, Counters, with_causes};

/// Between two writes: what a crash loses at most.
const PERIOD: Duration = Duration::from_secs(60);

/// Between two looks at the zone: a version that is served for a shorter time may be missing.
const LOOK: Duration = Duration::from_secs(10);

/// Octets of a file at most that is read back: the largest document has some 65,536 RCODEs.
const MAX_FILE_OCTETS: u64 = 4 << 20;

/// Why the statistics are not written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("cannot {what} {path}", path = path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} was not written by anyns, and is left as it is: move it away", path = path.display())]
    Foreign {
        path: PathBuf,
        #[source]
        source: ForeignError,
    },
}

/// What is not as anyns writes it.
#[derive(Debug, thiserror::Error)]
enum ForeignError {
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    Registers(#[from] RegistersError),
}

/// Writes the statistics of each day.
pub struct Writer {
    settings: Settings,
    counters: Counters,
    /// Who tells of the zone of the service, if there is one.
    zone: Option<ZoneFacts>,
    beat: Beat,
    trouble: Latest<Option<String>>,
    day: Day,
    /// What the counters had at the beginning of the day, or of the process.
    base: Counts,
    /// What the files of the day told when the process began; `None` until they were read.
    before: Option<Counts>,
    /// The sources and the versions of the day, in the files or not.
    sources: Sources,
    versions: Versions,
    /// The serial that was served at the last look.
    serial: Option<u32>,
}

impl Writer {
    /// A writer that is still to be run, for a process that begins now.
    #[must_use]
    pub fn new(settings: Settings, counters: Counters, zone: Option<ZoneFacts>) -> Self {
        Self::starting_at(settings, counters, zone, SystemTime::now())
    }

    fn starting_at(settings: Settings, counters: Counters, zone: Option<ZoneFacts>, now: SystemTime) -> Self {
        Self {
            settings,
            counters,
            zone,
            beat: Beat::new("rssac002"),
            trouble: Latest::new(None),
            day: Day::of(now),
            base: Counts::default(),
            before: None,
            sources: Sources::default(),
            versions: Versions::default(),
            serial: None,
        }
    }

    /// The heartbeat of [`run`](Self::run).
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// Why the files of this day are not written; `None` while they are.
    #[must_use]
    pub fn trouble(&self) -> Reader<Option<String>> {
        self.trouble.reader()
    }

    /// Runs until it is dropped; may be run again after a panic. Blocks its thread while it writes. Needs a tokio runtime with time.
    pub async fn run(&mut self) {
        let beat = self.beat.clone();
        tokio::select! {
            () = self.write_always() => {}
            () = beat.keep_beating() => {}
        }
    }

    async fn write_always(&mut self) {
        loop {
            self.step(SystemTime::now());
            let begun = Instant::now();
            loop {
                let now = SystemTime::now();
                let left = Day::of(now).rest(now).min(PERIOD.saturating_sub(begun.elapsed()));
                sleep(left.min(LOOK)).await;
                if left <= LOOK {
                    break;
                }
                self.look_at_zone();
            }
        }
    }

    /// Writes what was counted until now; the first time on a new day also the end of the day before.
    fn step(&mut self, now: SystemTime) {
        let (today, counts) = (Day::of(now), Counts::of(&self.counters));
        self.sources.take(&self.counters);
        self.look_at_zone();
        let mut written = self.write(&counts);
        if today != self.day {
            if let Err(error) = &written {
                let (day, error) = (self.day.start(), with_causes(error));
                tracing::error!(day, error, "the statistics of a day are not whole");
            }
            (self.day, self.base, self.before) = (today, counts.clone(), None);
            (self.sources, self.versions) = Default::default();
            written = self.write(&counts);
        }
        let trouble = written.err().map(|error| with_causes(&error));
        let is_new = self.trouble.publish_if_new(trouble.clone());
        if let Some(error) = trouble.filter(|_| is_new) {
            tracing::warn!(error, "the statistics of this day are not written");
        }
    }

    /// Notes the versions of the zone that are new.
    fn look_at_zone(&mut self) {
        let Some(zone) = &mut self.zone else { return };
        while let Some(version) = zone.loaded.try_next() {
            self.versions.note_load(version);
        }
        let served = (zone.served)();
        if let Some((serial, octets)) = served.filter(|(serial, _)| self.serial != Some(*serial)) {
            self.versions.note_size(serial, octets);
            self.serial = Some(serial);
        }
    }

    fn write(&mut self, counts: &Counts) -> Result<(), WriteError> {
        let before = match self.before.take() {
            Some(before) => before,
            None => {
                let Figures { counts, sources, versions } = self.read()?;
                self.sources.merge(&sources);
                self.versions.merge(versions);
                counts
            }
        };
        let figures = Figures {
            counts: before.plus(&counts.since(&self.base)),
            sources: self.sources.clone(),
            versions: self.versions.clone(),
        };
        self.before = Some(before);
        let service = &self.settings.service;
        for metric in self.metrics() {
            replace(&self.path(metric), &document::write(&figures, metric, service, self.day))?;
        }
        replace(&self.registers(), &self.sources.write(service, self.day))
    }

    /// What the files of the day tell; nothing where there are none.
    fn read(&self) -> Result<Figures, WriteError> {
        let (mut figures, service) = (Figures::default(), self.settings.service.as_str());
        for metric in self.metrics() {
            let path = self.path(metric);
            let Some(text) = read_text(&path)? else { continue };
            document::read(&text, (metric, service, self.day), &mut figures)
                .map_err(|source| WriteError::Foreign { path, source: source.into() })?;
        }
        let path = self.registers();
        if let Some(text) = read_text(&path)? {
            figures.sources = Sources::read(&text, service, self.day)
                .map_err(|source| WriteError::Foreign { path, source: source.into() })?;
        }
        Ok(figures)
    }

    /// The metrics that are written.
    fn metrics(&self) -> impl Iterator<Item = Metric> + use<> {
        let has_zone = self.zone.is_some();
        Metric::ALL.into_iter().filter(move |metric| has_zone || !metric.is_of_zone())
    }

    /// The file that the sources of the day go on from.
    fn registers(&self) -> PathBuf {
        self.path(Metric::UniqueSources).with_extension("registers")
    }

    /// `DIRECTORY/YYYY/MM/METRIC/INSTANCE-YYYYMMDD-METRIC.yaml`, as RSSAC002 arranges them.
    fn path(&self, metric: Metric) -> PathBuf {
        let start = self.day.start();
        let date = start.split('T').next().unwrap_or_default();
        let mut parts = date.split('-');
        let (year, month) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Settings { directory, instance, .. } = &self.settings;
        let name = format!("{}-{}-{}.yaml", as_file_name(instance), date.replace('-', ""), metric.name());
        directory.join(year).join(month).join(metric.name()).join(name)
    }
}

/// The name of an instance as a part of the name of a file: a name such as `ams1/a` leads to no other folder.
fn as_file_name(instance: &str) -> String {
    let is_plain = |character: &char| character.is_ascii_alphanumeric() || ".-_".contains(*character);
    instance.chars().map(|character| if is_plain(&character) { character } else { '_' }).collect()
}

/// What was counted since the last write is written when the thread ends.
impl Drop for Writer {
    fn drop(&mut self) {
        self.step(SystemTime::now());
    }
}

/// The text of a file; `None` where there is none.
fn read_text(path: &Path) -> Result<Option<String>, WriteError> {
    let read = || -> io::Result<String> {
        let mut text = String::new();
        io::Read::read_to_string(
            &mut io::Read::take(std::fs::File::open(path)?, MAX_FILE_OCTETS),
            &mut text,
        )?;
        Ok(text)
    };
    match read() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(WriteError::Io { what: "read", path: path.to_owned(), source }),
    }
}

/// Puts a whole file in the place of another, or of none.
fn replace(path: &Path, text: &str) -> Result<(), WriteError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| WriteError::Io { what, path, source }
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed("make", directory))?;
    }
    let written = files::replace(path, Durability::NotSynced, |file| file.write_all(text.as_bytes()));
    written.map_err(failed("write", path))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::telemetry::count_many;

    const NOON: Duration = Duration::from_secs(43_200);
    const DAY: Duration = Duration::from_secs(86_400);

    struct Scene {
        directory: tempfile::TempDir,
        counters: Counters,
    }

    impl Scene {
        fn new() -> Self {
            let counters = Counters::new(1).with_daily_statistics();
            Self { directory: tempfile::tempdir().unwrap(), counters }
        }

        /// A process that begins at this time. Its end at the time of the test's day is not looked at.
        fn writer(&self, counters: &Counters, at: Duration) -> Writer {
            let directory = self.directory.path().to_owned();
            let settings =
                Settings { directory, service: "as112.example".into(), instance: "ams1".into(), zone: None };
            Writer::starting_at(settings, counters.clone(), None, UNIX_EPOCH + at)
        }

        fn text(&self, metric: &str, date: &str) -> String {
            let path = format!("1970/01/{metric}/ams1-{date}-{metric}.yaml");
            std::fs::read_to_string(self.directory.path().join(path)).unwrap_or_default()
        }

        fn ask(&self, queries: u64) {
            count_many(&self.counters.workers()[0].udp_queries, queries);
        }

        fn told(&self, date: &str) -> Option<u64> {
            let text = self.text("traffic-volume", date);
            let line = text.lines().find_map(|line| line.strip_prefix("dns-udp-queries-received-ipv4: "));
            line?.parse().ok()
        }

        /// Notes these sources of a process; how many the file of the date tells after a write at this time.
        fn sources(&self, writer: &mut Writer, last: &[u8], at: Duration, date: &str) -> Option<u64> {
            for last in last {
                let source = std::net::Ipv4Addr::new(192, 0, 2, *last).into();
                writer.counters.all_daily()[0].note_udp(source, 40, 40);
            }
            writer.step(UNIX_EPOCH + at);
            let text = self.text("unique-sources", date);
            text.lines().find_map(|line| line.strip_prefix("num-sources-ipv4: ")?.parse().ok())
        }
    }

    #[test]
    fn an_instance_names_a_file_in_its_folder() {
        assert_eq!(as_file_name("ams1.a-b_c"), "ams1.a-b_c");
        assert_eq!(as_file_name("../../evil"), ".._.._evil");
        assert_eq!(as_file_name("ams1/a b"), "ams1_a_b");
    }

    #[test]
    fn each_day_has_its_own_counts() {
        let scene = Scene::new();
        let mut writer = scene.writer(&scene.counters, NOON);
        scene.ask(5);
        writer.step(UNIX_EPOCH + NOON);
        assert_eq!(scene.told("19700101"), Some(5));
        scene.ask(2);
        writer.step(UNIX_EPOCH + DAY);
        assert_eq!((scene.told("19700101"), scene.told("19700102")), (Some(7), Some(0)));
        scene.ask(4);
        writer.step(UNIX_EPOCH + DAY + PERIOD);
        assert_eq!((scene.told("19700101"), scene.told("19700102")), (Some(7), Some(4)));
        // The clock is set back, and forth again: nothing is lost, and nothing counts twice.
        scene.ask(1);
        writer.step(UNIX_EPOCH + NOON);
        scene.ask(8);
        writer.step(UNIX_EPOCH + DAY + PERIOD);
        assert_eq!((scene.told("19700101"), scene.told("19700102")), (Some(15), Some(5)));
        assert_eq!(*writer.trouble().load(), None);
    }

    #[test]
    fn a_restart_goes_on_from_the_files_of_the_day() {
        let scene = Scene::new();
        scene.ask(5);
        scene.writer(&scene.counters, NOON).step(UNIX_EPOCH + NOON);
        let again = Counters::new(1);
        count_many(&again.workers()[0].udp_queries, 3);
        let mut writer = scene.writer(&again, NOON);
        writer.step(UNIX_EPOCH + NOON);
        writer.step(UNIX_EPOCH + NOON);
        assert_eq!(scene.told("19700101"), Some(8));
    }

    #[test]
    fn a_source_counts_once_a_day_over_restarts_and_days() {
        let scene = Scene::new();
        let (first, second) = ("19700101", "19700102");
        let mut writer = scene.writer(&scene.counters, NOON);
        assert_eq!(scene.sources(&mut writer, &[1, 2, 3], NOON, first), Some(3));
        assert_eq!(scene.sources(&mut writer, &[3, 4], NOON, first), Some(4));
        std::mem::forget(writer);
        let mut writer = scene.writer(&Counters::new(1).with_daily_statistics(), NOON);
        assert_eq!(scene.sources(&mut writer, &[4, 5], NOON, first), Some(5), "a restart goes on");
        // The first write of a new day is also the last of the day before.
        assert_eq!(scene.sources(&mut writer, &[6], DAY, first), Some(6));
        assert_eq!(scene.sources(&mut writer, &[], DAY, second), Some(0));
        assert_eq!(scene.sources(&mut writer, &[1, 6], DAY, second), Some(2));
        assert_eq!(scene.sources(&mut writer, &[7], NOON, second), Some(3), "the clock was set back");
        assert_eq!(scene.sources(&mut writer, &[7], NOON, first), Some(7));
        std::mem::forget(writer);
    }

    #[test]
    fn versions_of_the_zone_are_told_on_the_day_on_which_they_were_served_first() {
        let scene = Scene::new();
        let (queue, loaded) = crate::handoff::queue(4).unwrap();
        let serial = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(1));
        let now = serial.clone();
        let served = Box::new(move || {
            let serial = now.load(std::sync::atomic::Ordering::Relaxed);
            (serial > 0).then_some((serial, u64::from(serial) * 100))
        });
        let mut writer = scene.writer(&scene.counters, NOON);
        writer.zone = Some(ZoneFacts { served, loaded });
        writer.step(UNIX_EPOCH + NOON);
        for version in [2, 0, 3] {
            serial.store(version, std::sync::atomic::Ordering::Relaxed);
            let took = Duration::from_secs(u64::from(version));
            queue.push(super::super::LoadedVersion { serial: version, took }).unwrap();
            writer.look_at_zone();
        }
        writer.step(UNIX_EPOCH + DAY);
        assert!(scene.text("load-time", "19700101").ends_with("\ntime:\n  0: 0\n  2: 2\n  3: 3\n"));
        assert!(scene.text("zone-size", "19700101").ends_with("\nsize:\n  1: 100\n  2: 200\n  3: 300\n"));
        serial.store(4, std::sync::atomic::Ordering::Relaxed);
        writer.step(UNIX_EPOCH + DAY);
        assert!(scene.text("load-time", "19700102").ends_with("\ntime: {}\n"));
        assert!(scene.text("zone-size", "19700102").ends_with("\nsize:\n  4: 400\n"));
        std::mem::forget(writer);
    }

    #[test]
    fn a_file_of_somebody_else_is_left_alone_and_nothing_that_was_counted_is_lost() {
        let scene = Scene::new();
        let path = scene.directory.path().join("1970/01/rcode-volume/ams1-19700101-rcode-volume.yaml");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "mine\n").unwrap();
        let mut writer = scene.writer(&scene.counters, NOON);
        scene.ask(5);
        writer.step(UNIX_EPOCH + NOON);
        let trouble = writer.trouble().load();
        assert!(trouble.as_ref().as_ref().is_some_and(|text| text.contains("move it away")), "{trouble:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine\n");
        std::fs::remove_file(&path).unwrap();
        writer.step(UNIX_EPOCH + NOON);
        assert_eq!((scene.told("19700101"), &*writer.trouble().load()), (Some(5), &None));
    }
}
