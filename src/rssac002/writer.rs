//! The task that writes the files (1x).

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

use super::counts::Counts;
use super::day::Day;
use super::document::{self, DocumentError, Metric};
use super::settings::Settings;
use crate::handoff::{Latest, Reader};
use crate::telemetry::{Beat, Counters, with_causes};

/// Between two writes: what a crash loses at most.
const PERIOD: Duration = Duration::from_secs(60);

/// Octets of a file at most that is read back: the largest document has some 65,536 RCODEs.
const MOST: u64 = 4 << 20;

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
        source: DocumentError,
    },
}

/// Writes the statistics of each day.
#[derive(Debug)]
pub struct Writer {
    settings: Settings,
    counters: Counters,
    beat: Beat,
    trouble: Latest<Option<String>>,
    day: Day,
    /// What the counters had at the beginning of the day, or of the process.
    base: Counts,
    /// What the files of the day told when the process began; `None` until they were read.
    before: Option<Counts>,
}

impl Writer {
    /// A writer that is still to be run, for a process that begins now.
    #[must_use]
    pub fn new(settings: Settings, counters: Counters) -> Self {
        Self::starting_at(settings, counters, SystemTime::now())
    }

    fn starting_at(settings: Settings, counters: Counters, now: SystemTime) -> Self {
        let (beat, trouble) = (Beat::new("rssac002"), Latest::new(None));
        Self { settings, counters, beat, trouble, day: Day::of(now), base: Counts::default(), before: None }
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
            let now = SystemTime::now();
            self.step(now);
            sleep(Day::of(now).rest(now).min(PERIOD)).await;
        }
    }

    /// Writes what was counted until now; the first time on a new day also the end of the day before.
    fn step(&mut self, now: SystemTime) {
        let (today, counts) = (Day::of(now), Counts::of(&self.counters));
        let mut written = self.write(&counts);
        if today != self.day {
            if let Err(error) = &written {
                let (day, error) = (self.day.start(), with_causes(error));
                tracing::error!(day, error, "the statistics of a day are not whole");
            }
            (self.day, self.base, self.before) = (today, counts.clone(), None);
            written = self.write(&counts);
        }
        let trouble = written.err().map(|error| with_causes(&error));
        let is_new = self.trouble.publish_if_new(trouble.clone());
        if let Some(error) = trouble.filter(|_| is_new) {
            tracing::warn!(error, "the statistics of this day are not written");
        }
    }

    fn write(&mut self, counts: &Counts) -> Result<(), WriteError> {
        let before = match self.before.take() {
            Some(before) => before,
            None => self.read()?,
        };
        let all = before.plus(&counts.since(&self.base));
        self.before = Some(before);
        for metric in Metric::ALL {
            let text = document::write(&all, metric, &self.settings.service, self.day);
            replace(&self.path(metric), &text)?;
        }
        Ok(())
    }

    /// What the files of the day tell; nothing where there are none.
    fn read(&self) -> Result<Counts, WriteError> {
        let mut counts = Counts::default();
        for metric in Metric::ALL {
            let path = self.path(metric);
            let text = match read_text(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(WriteError::Io { what: "read", path, source }),
            };
            let what = (metric, self.settings.service.as_str(), self.day);
            document::read(&text, what, &mut counts)
                .map_err(|source| WriteError::Foreign { path, source })?;
        }
        Ok(counts)
    }

    /// `DIRECTORY/YYYY/MM/METRIC/INSTANCE-YYYYMMDD-METRIC.yaml`, as RSSAC002 arranges them.
    fn path(&self, metric: Metric) -> PathBuf {
        let start = self.day.start();
        let date = start.split('T').next().unwrap_or_default();
        let mut parts = date.split('-');
        let (year, month) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Settings { directory, instance, .. } = &self.settings;
        let name = format!("{instance}-{}-{}.yaml", date.replace('-', ""), metric.name());
        directory.join(year).join(month).join(metric.name()).join(name)
    }
}

/// What was counted since the last write is written when the thread ends.
impl Drop for Writer {
    fn drop(&mut self) {
        self.step(SystemTime::now());
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(std::fs::File::open(path)?, MOST), &mut text)?;
    Ok(text)
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
    let new = path.with_extension("yaml.new");
    std::fs::write(&new, text).map_err(failed("write", &new))?;
    std::fs::rename(&new, path).map_err(failed("write", path))
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
            Self { directory: tempfile::tempdir().unwrap(), counters: Counters::new(1) }
        }

        /// A process that begins at this time. Its end at the time of the test's day is not looked at.
        fn writer(&self, counters: &Counters, at: Duration) -> Writer {
            let directory = self.directory.path().to_owned();
            let settings = Settings { directory, service: "as112.example".into(), instance: "ams1".into() };
            Writer::starting_at(settings, counters.clone(), UNIX_EPOCH + at)
        }

        fn ask(&self, queries: u64) {
            count_many(&self.counters.workers()[0].udp_queries, queries);
        }

        fn told(&self, date: &str) -> Option<u64> {
            let path = format!("1970/01/traffic-volume/ams1-{date}-traffic-volume.yaml");
            let text = std::fs::read_to_string(self.directory.path().join(path)).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("dns-udp-queries-received-ipv4: "));
            line?.parse().ok()
        }
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
