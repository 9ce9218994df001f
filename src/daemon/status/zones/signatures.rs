//! DNSSEC signatures in the document: of each zone, and an alarm before the first of them expires.
//!
//! Facts, never verdicts: no route depends on them.

use std::collections::BTreeMap;

use crate::clock::rfc3339;
use crate::control::{Cause, SignatureStatus, one_line};
use crate::publish::ZoneReport;
use crate::wire::Name;
use crate::zone::signatures::{Stage, Validity};

use crate::daemon::status::other::OtherAlarm;

/// Zones that an alarm looks at: those that are late first.
const MAX_ALARM_ZONES: usize = 1000;

/// What is known of a zone's signatures.
pub(super) fn status(zone: &ZoneReport) -> Option<SignatureStatus> {
    let signatures = zone.signatures.as_ref()?;
    let verdict = &signatures.verdict;
    let is_of_other = zone.serial != Some(signatures.serial);
    Some(SignatureStatus {
        verifying: is_of_other || verdict.verified.is_some_and(|percent| percent < 100),
        verified_percent: verdict.verified.map(|percent| if is_of_other { 0 } else { percent }),
        expires: verdict.validity.map(|validity| validity.expires),
        begins: verdict.validity.map(|validity| validity.begins),
        wrong: verdict.wrong,
        first_wrong: verdict.first.as_ref().map(|fault| one_line(&fault.to_string())),
    })
}

/// When the signatures of zones expire.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    /// Those that are late first.
    zones: BTreeMap<(u64, Name), Validity>,
}

fn validity(zone: Option<&ZoneReport>) -> Option<Validity> {
    zone?.signatures.as_ref()?.verdict.validity
}

impl Expiries {
    pub(super) fn add(&mut self, name: &Name, zone: Option<&ZoneReport>) {
        if let Some(validity) = validity(zone) {
            self.zones.insert((validity.late(), name.clone()), validity);
        }
    }

    /// Takes out what [`add`](Self::add) took in.
    pub(super) fn remove(&mut self, name: &Name, zone: Option<&ZoneReport>) {
        if let Some(validity) = validity(zone) {
            self.zones.remove(&(validity.late(), name.clone()));
        }
    }

    /// When the first signature of any zone expires.
    pub(super) fn earliest(&self) -> Option<u64> {
        self.zones.values().map(|validity| validity.expires).min()
    }

    /// One alarm for each stage that is not well, with the first zone and how many more.
    pub(super) fn alarms(&self, now: u64) -> Vec<OtherAlarm> {
        let stages = [
            (Stage::Expired, "signatures expired", "expired at", "sign again, or validators find nothing"),
            (Stage::Soon, "signatures expire", "expire at", "they were not renewed"),
            (
                Stage::Early,
                "signatures early",
                "are valid only from",
                "check the clocks here and of the signer",
            ),
        ];
        let alarm = |(stage, kind, verb, hint): (Stage, &str, &str, &str)| {
            let moment = |validity: &Validity| match stage {
                Stage::Early => validity.begins,
                _ => validity.expires,
            };
            let latest =
                self.zones.iter().take(MAX_ALARM_ZONES).map(|((_, name), validity)| (validity, name));
            let mut concerned: Vec<_> = latest.filter(|(validity, _)| validity.stage(now) == stage).collect();
            concerned.sort_by_key(|(validity, _)| moment(validity));
            let (validity, name) = concerned.first()?;
            let at = rfc3339(moment(validity));
            let more = match concerned.len() - 1 {
                0 => String::new(),
                more if more + 1 >= MAX_ALARM_ZONES => format!("; so do those of {more} zones or more"),
                more => format!("; so do those of {more} more zones"),
            };
            let message = format!("signatures of {name} {verb} {at}: {hint}{more}");
            Some(OtherAlarm { kind: kind.to_owned(), cause: Cause::Rest, message: one_line(&message) })
        };
        stages.into_iter().filter_map(alarm).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_is_one_alarm_with_its_first_zone() {
        let at = |expires| Validity { began: 0, begins: 0, expires };
        const DAY: u64 = 86_400;
        let zones = [("c.", at(100 * DAY)), ("b.", at(41 * DAY)), ("a.", at(39 * DAY)), ("d.", at(38 * DAY))];
        let early = Validity { begins: 50 * DAY, ..at(100 * DAY) };
        let zones = zones.into_iter().chain([("e.", early)]);
        let expiries =
            Expiries { zones: zones.map(|(name, it)| ((it.late(), name.parse().unwrap()), it)).collect() };
        let messages: Vec<String> =
            expiries.alarms(40 * DAY).into_iter().map(|alarm| alarm.message).collect();
        assert_eq!(
            messages,
            [
                "signatures of d. expired at 1970-02-08T00:00:00Z: sign again, or validators find nothing; so do those of 1 \
                 more zones",
                "signatures of b. expire at 1970-02-11T00:00:00Z: they were not renewed",
                "signatures of e. are valid only from 1970-02-20T00:00:00Z: check the clocks here and of the signer",
            ]
        );
        assert!(Expiries::default().alarms(0).is_empty());
    }
}
