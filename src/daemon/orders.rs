//! What operators order over the admin socket.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::control::{Call, Request, Response};
use crate::publish::{self, PublisherHandle};
use crate::wire::{Name, Serial};

use super::controller::Controller;
use super::drain::Drain;
use super::reload;

/// Carries out one order. What takes time goes on in a task of its own, which answers.
pub(super) fn obey(controller: &mut Controller, call: Call) {
    let Call { request, reply } = call;
    let publisher = controller.publisher.clone();
    let response = match request {
        // The control server answers these itself.
        Request::Status { .. } | Request::TestPanic { .. } => failed("not an order".into()),
        Request::Drain { reason } => drain(controller, &reason),
        Request::Undrain {} => undrain(controller),
        Request::Reload {} => return reload::ask(controller, Some(reply)),
        Request::ZoneRemove { zone } => {
            tokio::spawn(async move {
                reply.send(remove(&publisher, &zone).await);
            });
            return;
        }
        Request::ZoneAccept { zone, serial } => {
            tokio::spawn(async move {
                reply.send(accept(&publisher, &zone, Serial(serial)).await);
            });
            return;
        }
    };
    reply.send(response);
}

fn drain(controller: &mut Controller, reason: &str) -> Response {
    let deprefer = controller.config.drain.deprefer;
    controller.drain.begin(reason, deprefer, Instant::now());
    tracing::warn!(reason, "draining by order");
    let kept = remember(&controller.config.publish, Some(reason));
    let wait = format!("prefers less now, withdraws in {}", humantime::format_duration(deprefer));
    match kept {
        Ok(true) => done(format!("draining: {wait}; stays drained, also across a restart, until undrain")),
        Ok(false) => {
            done(format!("draining: {wait}; without zones.state-directory a restart ends the drain"))
        }
        Err(error) => {
            done(format!("draining: {wait}; a restart ends the drain, for it cannot be kept: {error}"))
        }
    }
}

fn undrain(controller: &mut Controller) -> Response {
    if controller.drain == Drain::None {
        return Response::Failed { message: "not drained".into() };
    }
    if let Err(error) = remember(&controller.config.publish, None) {
        return Response::Failed { message: format!("cannot end the drain: {error}") };
    }
    controller.drain.end();
    tracing::warn!("the drain is over: health decides");
    done("undrained: health decides".into())
}

async fn remove(publisher: &Arc<PublisherHandle>, zone: &str) -> Response {
    match zone.parse::<Name>() {
        Err(error) => failed(format!("{zone}: not a zone name: {error}")),
        Ok(name) => match publisher.remove(&name).await {
            Ok(()) => done(format!("{name} is no longer served")),
            Err(error) => failed(chain(&error)),
        },
    }
}

async fn accept(publisher: &Arc<PublisherHandle>, zone: &str, serial: Serial) -> Response {
    match zone.parse::<Name>() {
        Err(error) => failed(format!("{zone}: not a zone name: {error}")),
        Ok(name) => match publisher.accept(&name, serial).await {
            Ok(()) => done(format!("{name} {serial} is served")),
            Err(error) => failed(chain(&error)),
        },
    }
}

pub(super) fn done(message: String) -> Response {
    Response::Done { message, restart: Vec::new() }
}

pub(super) fn failed(message: String) -> Response {
    Response::Failed { message }
}

/// An error and what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Where an ordered drain is kept: a POP that was taken out of service stays out when the process restarts.
fn drain_file(settings: &publish::Settings) -> Option<PathBuf> {
    settings.state_directory.as_ref().map(|directory| directory.join("drained"))
}

/// Keeps the drain, or with `None` its end; false where there is no state directory.
fn remember(settings: &publish::Settings, reason: Option<&str>) -> std::io::Result<bool> {
    let Some(file) = drain_file(settings) else { return Ok(false) };
    match reason {
        Some(reason) => {
            let fresh = file.with_extension("new");
            fs::write(&fresh, reason)?;
            fs::rename(&fresh, &file)?;
        }
        None => match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        },
    }
    Ok(true)
}

/// The drain that was ordered before a restart.
pub(super) fn restore(settings: &publish::Settings, now: Instant) -> Drain {
    let reason = drain_file(settings).and_then(|file| fs::read_to_string(file).ok());
    reason.map_or(Drain::None, |reason| {
        tracing::warn!(reason, "drained before the restart, and still");
        Drain::restored(reason, now)
    })
}
