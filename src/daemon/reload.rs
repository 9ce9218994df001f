//! Reading the configuration and the zones again, without a restart.
//!
//! What names zones takes effect, the files of the certificate are read again, and the log level, the rate limits, and the settings
//! of probes, holds and drains are in force at once. Everything else (sockets, addresses, BGP) needs a restart: the answer, the exit
//! code of `anyns reload` and the status say so until the file says again what is in force. A configuration that is wrong changes
//! nothing.

use std::sync::Arc;
use std::time::Instant;

use crate::config::{self, Config};
use crate::control::{Reply, Response};
use crate::handoff::Latest;
use crate::publish::PublisherHandle;
use crate::serve::Certificates;

use super::controller::Controller;
use super::orders::{chain, failed};
use super::status::Reload;

/// SIGHUP: the log tells what came of it.
pub(super) fn by_signal(controller: &mut Controller) {
    begin(controller, None);
}

/// `anyns reload`: answers when every zone was looked at.
pub(super) fn by_order(controller: &mut Controller, reply: Reply) {
    begin(controller, Some(reply));
}

/// Tells whoever asked, and the status, what came of it.
fn finish(state: &Latest<Reload>, reply: Option<Reply>, response: Response) {
    state.publish(match &response {
        Response::Failed { message } => Reload::Failed { since: Instant::now(), reason: message.clone() },
        Response::Done { .. } | Response::Status { .. } => Reload::Done,
    });
    if let Some(reply) = reply {
        reply.send(response);
    }
}

fn begin(controller: &mut Controller, reply: Option<Reply>) {
    controller.reload.publish(Reload::Running { since: Instant::now() });
    let loaded = match config::load(controller.file.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::error!(%error, "the configuration is wrong; the old one stays");
            let message = format!("the old configuration stays: {error}");
            return finish(&controller.reload, reply, failed(message));
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    // The publisher holds a lock in it, and an ordered drain is kept there.
    if loaded.config.publish.state_directory != controller.config.publish.state_directory {
        let message = "the old configuration stays: zones.state-directory cannot change without a restart";
        tracing::error!(message, "reload");
        return finish(&controller.reload, reply, failed(message.to_owned()));
    }
    let restart = needs_restart(&controller.config, &loaded.config);
    controller.restart.clone_from(&restart);
    if let Err(message) = apply(controller, &loaded.config) {
        tracing::error!(message, "reload");
        return finish(&controller.reload, reply, failed(message));
    }
    let state = controller.reload.clone();
    let publisher = controller.publisher.clone();
    let certificates = controller.certificates.clone();
    tokio::spawn(async move {
        let certificate = read_certificate(certificates).await;
        let zones = look_again(&publisher, loaded.config, &restart).await;
        let response = if let Err(message) = certificate { failed(message) } else { zones };
        match &response {
            Response::Failed { message } => tracing::error!(message, "reload"),
            Response::Done { message, .. } => tracing::info!(message, "reload"),
            Response::Status { .. } => {}
        }
        finish(&state, reply, response);
    });
}

async fn look_again(publisher: &Arc<PublisherHandle>, config: Config, restart: &[&'static str]) -> Response {
    if let Err(error) = publisher.reconfigure(config.publish).await {
        return failed(chain(&error));
    }
    let report = publisher.report().load();
    let unwell = report.zones.values().filter(|zone| !zone.faults.is_empty()).count();
    let mut message = format!("{} zones served, {unwell} with faults", report.served());
    if !restart.is_empty() {
        message.push_str(&format!("; changed, but needs a restart: {}", restart.join(", ")));
    }
    Response::Done { message, restart: restart.iter().map(|section| (*section).to_owned()).collect() }
}

/// Reads the certificate again; a bad one changes nothing, and the zones are looked at all the same.
async fn read_certificate(certificates: Option<Arc<Certificates>>) -> Result<(), String> {
    let Some(certificates) = certificates else { return Ok(()) };
    let read = tokio::task::spawn_blocking(move || certificates.reload()).await;
    let kept = |error: &dyn std::error::Error| format!("the old certificate stays: {}", chain(error));
    match read {
        Ok(read) => read.map_err(|error| kept(&error)),
        Err(error) => Err(kept(&error)),
    }
}

/// Puts in force what needs no restart. The configuration was checked, so nothing of it fails halfway.
fn apply(controller: &mut Controller, new: &Config) -> Result<(), String> {
    let now = Instant::now();
    let old = &mut controller.config;
    controller.required = new.required.clone().into();
    if old.log.level != new.log.level {
        controller.log_level.change(&new.log.level).map_err(|error| chain(&error))?;
        old.log.level.clone_from(&new.log.level);
    }
    if old.rate_limit != new.rate_limit {
        controller.limits.change(&new.rate_limit, now).map_err(|error| chain(&error))?;
        old.rate_limit = new.rate_limit.clone();
    }
    if old.policy != new.policy {
        controller.policy.change(new.policy);
        old.policy = new.policy;
    }
    old.drain = new.drain;
    let health = old.health.changed_to(&new.health);
    if old.health != health {
        controller.sources.health.change(&health).map_err(|error| chain(&error))?;
        controller.sources.ages.change(health.interval, health.timeout);
        old.health = health;
    }
    Ok(())
}

/// The sections that changed and that a running anyns does not take over.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let differs = [
        ("[pop]", old.pop != new.pop),
        ("log.format", old.log.format != new.log.format),
        ("[serve] or [tls]", old.serve != new.serve || old.answer != new.answer),
        ("[[service]]", old.services != new.services || old.service_addresses != new.service_addresses),
        ("policy.lease", old.lease != new.lease),
        ("[route] or [bgp]", old.route != new.route),
        ("[control]", old.control != new.control),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
}
