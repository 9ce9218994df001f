//! Reading the configuration and the zones again, without a restart.
//!
//! ```text
//!   asked --> read (a blocking thread: the file may hang) --> does it leave zones? (a thread, for a second) --> put in force (live.rs) --> TLS files and zones (a task) --> told
//! ```
//!
//! What names zones takes effect, the files of the certificate and of ticket keys are read again, and `live.rs` says what else is in force at once.
//! The answer, the exit code of `anyns reload` and the status name what needs a restart, until the file says again what is in
//! force. A configuration that is wrong changes nothing, nor does one with which every zone would leave: a mistyped directory looks like that.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::Instrument;

use crate::config::{self, Config, RouteDriver};
use crate::control::{Reply, Response};
use crate::handoff::Latest;
use crate::host;
use crate::publish::{PublisherHandle, Report, Settings, finds_no_zone, no_zone_file};
use crate::serve::TlsFiles;
use crate::telemetry::{counted, locked, with_causes};
use crate::transfer::refresh::Order as TransferOrder;
use crate::wire::Name;

use crate::daemon::catalogs::CatalogFacts;
use crate::daemon::controller::Controller;
use crate::daemon::reload::live::{self, Applied};
use crate::daemon::reload::reloads::{Read, ReadConfig, ZoneLooks};
use crate::daemon::response::failed;
use crate::daemon::status::Reload;

/// How long it is looked for zones before a configuration is put in force with which all might leave.
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// Looks that have not come back, at most: each of them has a thread.
const MOST_LOOKS: usize = 8;
/// Zones that the answer names when they leave.
const MOST_NAMED: usize = 10;

/// SIGHUP, for which the log tells what came of it, or `anyns reload`, which is answered when every zone was looked at.
pub(in crate::daemon) fn ask(controller: &mut Controller, reply: Option<Reply>) {
    if controller.configured.reloads.reading.is_some() {
        controller.configured.reloads.next.get_or_insert_default().extend(reply);
        return;
    }
    begin(controller, reply.into_iter().collect());
}

fn begin(controller: &mut Controller, replies: Vec<Reply>) {
    controller.configured.reload.publish(Reload::Running { since: Instant::now() });
    let serves = controller.zones.publisher.report().load().served() > 0;
    let looks = controller.configured.reloads.looks.clone();
    let known = local_addresses(&controller.configured.config);
    let reading = tokio::spawn(read(controller.configured.file.clone(), known, serves.then_some(looks)));
    controller.configured.reloads.reading = Some((reading, replies));
}

/// The local ends of the sessions.
fn local_addresses(config: &Config) -> Vec<IpAddr> {
    match &config.route {
        RouteDriver::Bgp(bgp) => bgp.neighbors.iter().map(|neighbor| neighbor.local_address).collect(),
        RouteDriver::DryRun(_) => Vec::new(),
    }
}

/// Reads the file. A session would be reset in vain if its new local end were not on this host. `looks`: there are zones that could
/// leave.
async fn read(file: Option<PathBuf>, known: Vec<IpAddr>, looks: Option<ZoneLooks>) -> Read {
    let load = move || config::load(file.as_deref()).map_err(|error| error.to_string());
    let loaded = tokio::task::spawn_blocking(load).await.map_err(|error| with_causes(&error))??;
    let has_catalogs = !loaded.config.transfers.catalogs.followed.is_empty();
    let looks = looks.filter(|_| !has_catalogs);
    let silent = match looks.map(|looks| look_for_zones(&loaded.config.publish, looks)) {
        None => None,
        Some(found) => match found.await {
            ZonesFound::Some => None,
            ZonesFound::None => return Err(no_zone_left(&loaded.config)),
            ZonesFound::Unknown(directory) => Some(directory),
        },
    };
    let mut ends = local_addresses(&loaded.config);
    ends.retain(|address| !known.contains(address));
    let missing = host::missing_addresses(&ends).await.map_err(|error| with_causes(&error))?;
    if !missing.is_empty() {
        return Err(host::AddressError::NoSource(missing).to_string());
    }
    Ok(ReadConfig { loaded, silent })
}

/// A look goes on until this is dropped.
struct LookGoesOn {
    looks: ZoneLooks,
    /// The directory that it reads.
    place: Arc<Mutex<PathBuf>>,
}

impl Drop for LookGoesOn {
    fn drop(&mut self) {
        locked(&self.looks).retain(|look| !Arc::ptr_eq(look, &self.place));
    }
}

/// Whether zones are left.
enum ZonesFound {
    Some,
    None,
    /// This directory does not answer.
    Unknown(PathBuf),
}

/// Looks whether a configuration leaves zones, for [`LONGEST_LOOK`] at most: a directory may not answer. An earlier look that has not come
/// back says something of those directories only that are named still.
async fn look_for_zones(settings: &Arc<Settings>, looks: ZoneLooks) -> ZonesFound {
    let first = settings.directories.first().cloned().unwrap_or_default();
    let place = Arc::new(Mutex::new(first.clone()));
    {
        let mut looks = locked(&looks);
        let silent = looks.iter().map(|look| locked(look).clone()).find(|at| {
            looks.len() >= MOST_LOOKS
                || settings.directories.iter().any(|directory| at.starts_with(directory))
        });
        if let Some(directory) = silent {
            return ZonesFound::Unknown(directory);
        }
        looks.push(place.clone());
    }
    let (found, is_found) = oneshot::channel();
    let (settings, look) = (settings.clone(), LookGoesOn { looks, place: place.clone() });
    let work = move || {
        let at = |directory: &Path| directory.clone_into(&mut locked(&look.place));
        let finds_no_zone = finds_no_zone(&settings, &at);
        drop(look);
        let _ = found.send(finds_no_zone);
    };
    if std::thread::Builder::new().name("reload-look".to_owned()).spawn(work).is_err() {
        return ZonesFound::Unknown(first);
    }
    match tokio::time::timeout(LONGEST_LOOK, is_found).await {
        Ok(Ok(true)) => ZonesFound::None,
        Ok(Ok(false)) => ZonesFound::Some,
        Ok(Err(_)) | Err(_) => ZonesFound::Unknown(locked(&place).clone()),
    }
}

fn no_zone_left(config: &Config) -> String {
    let place = no_zone_file(&config.publish.directories);
    format!("no zone would be left: it names none, and {place}; stop anyns to serve nothing")
}

/// Puts in force what was read, and goes on with what was asked for meanwhile.
pub(in crate::daemon) fn take_over(controller: &mut Controller, (read, replies): (Read, Vec<Reply>)) {
    match read.and_then(|ReadConfig { loaded, silent }| {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        changeable(&controller.configured.config, &loaded.config)?;
        catalogs_left(&loaded.config, &controller.zones.catalogs.facts().load())?;
        Ok((loaded.config, silent))
    }) {
        Ok(read) => put_in_force(controller, read, replies),
        Err(reason) => {
            let message = format!("the old configuration stays: {reason}");
            finish(&controller.configured.reload, replies, failed(message));
        }
    }
    if let Some(replies) = controller.configured.reloads.next.take() {
        begin(controller, replies);
    }
}

/// The publisher holds a lock in the state directory, and an ordered drain is kept there.
fn changeable(old: &Config, new: &Config) -> Result<(), String> {
    match old.publish.state_directory == new.publish.state_directory {
        true => Ok(()),
        false => Err("zones.state-directory cannot change without a restart".to_owned()),
    }
}

/// A followed catalog that is named no more takes its zones with it: with many of them that is not done by a mistyped name. One that is
/// made here from now on is named: this server takes the hub's place.
fn catalogs_left(new: &Config, facts: &CatalogFacts) -> Result<(), String> {
    let all = &new.transfers.catalogs;
    let is_named = |name: &Name| {
        all.followed.iter().any(|it| it.name == *name) || all.produced.iter().any(|it| it.name == *name)
    };
    match facts.too_large_to_leave.iter().find(|(name, _)| !is_named(name)) {
        None => Ok(()),
        Some((name, members)) => Err(format!(
            "the catalog {name} would leave, and {} with it, more than its removal limit allows; to take it out, set its \
             removal-limit-percent to 100 first, and reload",
            counted(*members, "zone")
        )),
    }
}

fn put_in_force(
    controller: &mut Controller,
    (config, silent): (Config, Option<PathBuf>),
    replies: Vec<Reply>,
) {
    let moved = moved_to_primaries(controller, &config);
    let mut applied = match live::apply(controller, &config) {
        Ok(applied) => applied,
        Err(message) => return finish(&controller.configured.reload, replies, failed(message)),
    };
    let unknown = |directory: PathBuf| {
        format!(
            "the directory {} does not answer, so it is not known which zones are in it",
            directory.display()
        )
    };
    applied.changes.extend(silent.map(unknown));
    controller.configured.restart.clone_from(&applied.restart);
    if applied.restart.is_empty() {
        controller.configured.config.digest.clone_from(&config.digest);
    }
    let state = controller.configured.reload.clone();
    let publisher = controller.zones.publisher.clone();
    let (tls_files, catalogs) = (controller.configured.tls_files.clone(), controller.zones.catalogs.clone());
    let ticket_keys = config.serve.tls.as_ref().map(|tls| tls.ticket_keys.clone()).unwrap_or_default();
    let (canaries, transfers) = (controller.zones.canaries.clone(), controller.zones.transfers.clone());
    let work = async move {
        let read = read_tls_files(tls_files, ticket_keys).await;
        // Before the publisher forgets what the file names no more: a catalog may have it.
        let pause = catalogs.configure(config.transfers.catalogs.clone()).await;
        // Before new versions come: the others must not have them at once.
        canaries.configure(&config.transfers).await;
        let zones = look_again(&publisher, config).await;
        for zone in moved {
            // What came before the publisher knew of it was not taken.
            let _ = transfers.order(Some(zone), TransferOrder::Refresh).await;
        }
        // What is made here now is made of the zones that the configuration names.
        drop(pause);
        finish(&state, replies, outcome(read, zones, &applied));
    };
    tokio::spawn(work.instrument(tracing::info_span!("reload")));
}

/// The zones that come from primaries from now on and are known here already: their next try may be far away.
fn moved_to_primaries(controller: &Controller, config: &Config) -> Vec<Name> {
    let report = controller.zones.publisher.report().load();
    let new = config.publish.transferred.difference(&controller.configured.config.publish.transferred);
    new.filter(|zone| report.zones.contains_key(*zone)).cloned().collect()
}

/// Tells the log, those who asked, and the status, what came of it.
fn finish(state: &Latest<Reload>, replies: Vec<Reply>, response: Response) {
    match &response {
        Response::Failed { message } => {
            tracing::error!(message, "reload");
            state.publish(Reload::Failed { since: Instant::now(), reason: message.clone() });
        }
        Response::Done { message, .. } => {
            tracing::info!(message, "reload");
            state.publish(Reload::Done);
        }
        Response::Status { .. }
        | Response::History { .. }
        | Response::Difference { .. }
        | Response::Metrics { .. }
        | Response::Catchment { .. }
        | Response::Zone { .. } => {}
    }
    for reply in replies {
        reply.send(response.clone());
    }
}

/// What came of the zones, in words.
async fn look_again(publisher: &Arc<PublisherHandle>, config: Config) -> Result<String, String> {
    let before = publisher.report().load();
    let settings = Arc::unwrap_or_clone(config.publish);
    publisher.reconfigure(settings).await.map_err(|error| with_causes(&error))?;
    let report = publisher.report().load();
    let mut message = format!("{} served, {} with faults", counted(report.served(), "zone"), report.faulty());
    if let Some(left) = left(&before, &report) {
        message.push_str(&format!("; {left}"));
    }
    Ok(message)
}

/// One answer of all parts: where one failed, it says what is in force all the same.
fn outcome(tls_files: Result<(), String>, zones: Result<String, String>, applied: &Applied) -> Response {
    let (zones, fault_of_zones) = match zones {
        Ok(message) => (Some(message), None),
        Err(fault) => (None, Some(fault)),
    };
    let restart = (!applied.restart.is_empty())
        .then(|| format!("changed, but needs a restart: {}", applied.restart.join(", ")));
    let done: Vec<String> = zones.into_iter().chain(applied.changes.iter().cloned()).chain(restart).collect();
    let done = done.join("; ");
    let faults: Vec<String> = tls_files.err().into_iter().chain(fault_of_zones).collect();
    if faults.is_empty() {
        let restart = applied.restart.iter().map(|section| (*section).to_owned()).collect();
        return Response::Done { message: done, restart };
    }
    let faults = faults.join("; ");
    failed(match done.is_empty() {
        true => format!("{faults}; the rest of the configuration is in force"),
        false => format!("{faults}; the rest of the configuration is in force: {done}"),
    })
}

/// Which zones are not served any more.
fn left(before: &Report, after: &Report) -> Option<String> {
    let mut gone = before.zones.iter().filter(|(name, zone)| zone.is_served() && !after.serves(name));
    let named: Vec<String> = gone.by_ref().take(MOST_NAMED).map(|(name, _)| name.to_string()).collect();
    let more = match gone.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!named.is_empty()).then(|| format!("no longer served: {}{more}", named.join(", ")))
}

/// Reads the certificate and the ticket keys again; bad ones change nothing, and the zones are looked at all the same.
async fn read_tls_files(files: Option<TlsFiles>, ticket_keys: Vec<PathBuf>) -> Result<(), String> {
    let Some(TlsFiles { certificates, ticket_keys: keys }) = files else { return Ok(()) };
    let read = move || {
        let certificate = certificates.reload();
        let certificate =
            certificate.map_err(|error| format!("the old certificate stays: {}", with_causes(&error)));
        let keys = keys.reload(&ticket_keys);
        let keys = keys.map_err(|error| format!("the old ticket keys stay: {}", with_causes(&error)));
        let faults: Vec<String> = [certificate.err(), keys.err()].into_iter().flatten().collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| format!("the old certificate and ticket keys stay: {}", with_causes(&error)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_says_what_failed_and_what_is_in_force() {
        let applied =
            Applied { changes: vec!["192.0.2.0/24 is withdrawn".to_owned()], restart: vec!["[pop]"] };
        let nothing = Applied::default();
        let zones = || Ok("1 zone served, 0 with faults".to_owned());
        let wrong = |what: &str| Err(format!("the {what} is bad"));
        let message = |response| match response {
            Response::Done { message, restart } => (true, format!("{message} {restart:?}")),
            Response::Failed { message } => (false, message),
            other => panic!("{other:?}"),
        };
        let all =
            "1 zone served, 0 with faults; 192.0.2.0/24 is withdrawn; changed, but needs a restart: [pop]";
        assert_eq!(message(outcome(Ok(()), zones(), &applied)), (true, format!("{all} [\"[pop]\"]")));
        let rest = "the rest of the configuration is in force";
        let certificate = message(outcome(wrong("certificate"), zones(), &applied));
        assert_eq!(certificate, (false, format!("the certificate is bad; {rest}: {all}")));
        let both = message(outcome(wrong("certificate"), Err("no publisher".to_owned()), &nothing));
        assert_eq!(both, (false, format!("the certificate is bad; no publisher; {rest}")));
    }

    /// A look hangs at a directory. The next configuration names it still, names another one alone, or names it beside another one.
    #[tokio::test]
    async fn a_look_that_hangs_tells_nothing_of_a_configuration_without_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["hung", "empty", "full"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        std::fs::write(path("full/a.example.zone"), "").unwrap();
        let looks = ZoneLooks::default();
        let hung = Arc::new(Mutex::new(path("hung/folder")));
        locked(&looks).push(hung.clone());
        let look = async |names: &[&str]| {
            let directories = names.iter().map(|name| path(name)).collect();
            let settings = Arc::new(Settings { directories, ..Settings::default() });
            match look_for_zones(&settings, looks.clone()).await {
                ZonesFound::Some => "some".to_owned(),
                ZonesFound::None => "none".to_owned(),
                ZonesFound::Unknown(at) => at.strip_prefix(directory.path()).unwrap().display().to_string(),
            }
        };
        assert_eq!((look(&["empty"]).await, look(&["full"]).await), ("none".into(), "some".into()));
        assert_eq!(
            (look(&["hung"]).await, look(&["empty", "hung"]).await),
            ("hung/folder".into(), "hung/folder".into())
        );
        assert_eq!(locked(&looks).len(), 1, "a look that came back hangs no more");
        drop(LookGoesOn { looks: looks.clone(), place: hung });
        assert_eq!(look(&["hung"]).await, "none");
    }
}
