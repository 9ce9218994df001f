//! Until when a certificate is valid (RFC 5280 section 4.1.2.5). Certificates in, a stage out; reported, never acted on: a
//! client that does not check dates must still be served. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::{at_unix, rfc3339_of};

/// With less than this left the renewal has been failing for a while: certificates of 90 days are renewed with 30 left.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
/// Of shorter-lived certificates, this part of the whole validity.
const SOON_PART: u32 = 5;
/// With less than this left, or [`SOON_PART`] of the whole validity, the alert of `deploy/prometheus` is critical.
const URGENT: Duration = Duration::from_secs(2 * 24 * 3600);

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateValidity {
    from: SystemTime,
    until: SystemTime,
}

/// How near the end of the validity is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpiryStage {
    /// Far enough, or not known.
    #[default]
    Well,
    /// The validity has not started.
    Early,
    /// So near that a renewal is late.
    Soon,
    /// Past.
    Expired,
}

impl CertificateValidity {
    /// What all certificates of a chain have in common; `None` if the dates of one cannot be read.
    #[must_use]
    pub fn of(chain: &[impl AsRef<[u8]>]) -> Option<Self> {
        let mut common: Option<Self> = None;
        for certificate in chain {
            let (_, certificate) = x509_parser::parse_x509_certificate(certificate.as_ref()).ok()?;
            let validity = certificate.validity();
            let from = moment(validity.not_before.timestamp());
            let until = moment(validity.not_after.timestamp());
            common = Some(common.map_or(Self { from, until }, |common| Self {
                from: common.from.max(from),
                until: common.until.min(until),
            }));
        }
        common
    }

    /// Of several the one whose renewal is urgent first: one of a day ends first of all each day, and hides no older one.
    pub fn most_urgent(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().min_by_key(|validity| {
            let whole = validity.until.duration_since(validity.from).unwrap_or_default();
            validity.until.checked_sub(URGENT.min(whole / SOON_PART)).unwrap_or(UNIX_EPOCH)
        })
    }

    /// Since when.
    #[must_use]
    pub fn from(self) -> SystemTime {
        self.from
    }

    /// Until when.
    #[must_use]
    pub fn until(self) -> SystemTime {
        self.until
    }

    /// Its state at this moment.
    #[must_use]
    pub fn stage(self, now: SystemTime) -> ExpiryStage {
        let whole = self.until.duration_since(self.from).unwrap_or_default();
        match self.until.duration_since(now) {
            Err(_) => ExpiryStage::Expired,
            Ok(_) if now < self.from => ExpiryStage::Early,
            Ok(left) if left < SOON.min(whole / SOON_PART) => ExpiryStage::Soon,
            Ok(_) => ExpiryStage::Well,
        }
    }

    /// What is wrong at this moment, in words; `None` while all is well.
    #[must_use]
    pub fn warning(self, now: SystemTime) -> Option<String> {
        match self.stage(now) {
            ExpiryStage::Well => None,
            ExpiryStage::Early => {
                Some(format!("the certificate is valid from {} only", rfc3339_of(self.from)))
            }
            ExpiryStage::Soon => {
                Some(format!("the certificate expires at {}; it was not renewed", rfc3339_of(self.until)))
            }
            ExpiryStage::Expired => Some(format!("the certificate expired at {}", rfc3339_of(self.until))),
        }
    }
}

/// A time before 1970 counts as 1970.
fn moment(seconds: i64) -> SystemTime {
    at_unix(u64::try_from(seconds).unwrap_or(0)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn validity(from: u64, until: u64) -> CertificateValidity {
        let at = |days| UNIX_EPOCH + Duration::from_secs(days * DAY);
        CertificateValidity { from: at(from), until: at(until) }
    }

    #[test]
    fn the_end_is_near_with_14_days_or_a_fifth_left() {
        for (from, until, now, stage) in [
            (100, 190, 99, ExpiryStage::Early),
            (100, 190, 100, ExpiryStage::Well),
            (100, 190, 176, ExpiryStage::Well),
            (100, 190, 177, ExpiryStage::Soon),
            (100, 190, 190, ExpiryStage::Soon),
            (100, 190, 191, ExpiryStage::Expired),
            (100, 110, 107, ExpiryStage::Well),
            (100, 110, 109, ExpiryStage::Soon),
            (100, 3750, 3735, ExpiryStage::Well),
            (100, 3750, 3737, ExpiryStage::Soon),
        ] {
            let now = UNIX_EPOCH + Duration::from_secs(now * DAY);
            assert_eq!(validity(from, until).stage(now), stage, "{from} {until} {now:?}");
        }
        let warning = validity(100, 190).warning(UNIX_EPOCH + Duration::from_secs(191 * DAY));
        assert_eq!(warning.as_deref(), Some("the certificate expired at 1970-07-10T00:00:00Z"));
    }

    #[test]
    fn one_that_is_renewed_each_day_hides_no_other() {
        let daily = validity(188, 189);
        let (late, well) = (validity(100, 190), validity(110, 200));
        for all in [[daily, late, well], [well, late, daily]] {
            assert_eq!(CertificateValidity::most_urgent(all), Some(late));
        }
        assert_eq!(CertificateValidity::most_urgent([well, daily]), Some(daily));
        assert_eq!(CertificateValidity::most_urgent([]), None);
    }

    #[test]
    fn a_chain_is_valid_while_all_of_it_is() {
        let make = |from, until| {
            let mut parameters = rcgen::CertificateParams::new(vec!["ns.example".to_owned()]).unwrap();
            parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
            parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().clone()
        };
        let chain = [make(1980, 2030), make(1970, 2020), make(1975, 2040)];
        let expected = CertificateValidity { from: moment(315_532_800), until: moment(1_577_836_800) };
        assert_eq!(CertificateValidity::of(&chain), Some(expected));
        assert_eq!(CertificateValidity::of(&[[48, 0]]), None);
    }
}
