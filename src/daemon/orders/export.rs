//! A zone that is served, as the text of a zone file.

use std::io::{self, Write};
use std::sync::Arc;

use crate::control::Response;
use crate::wire::Name;
use crate::zone::{Published, Zone};
use crate::zonefile::write_zone;

use crate::daemon::response::failed;

/// Octets of the text at most: as a line of JSON it has up to twice as many, and the admin socket carries 128 MiB.
const MOST_OCTETS: usize = 60 << 20;

/// The zone of this name. Looks at every record, so it must run where that holds nothing up.
pub(in crate::daemon) fn export(published: &Arc<Published>, zone: &str) -> Response {
    let name = match zone.parse::<Name>() {
        Ok(name) => name,
        Err(error) => return failed(format!("{zone}: not a zone name: {error}")),
    };
    let Some(served) = published.load().zone(&name).cloned() else {
        return failed(format!("{name} is not served here"));
    };
    text(&served).unwrap_or_else(|_| {
        failed(format!(
            "{name} has more than {MOST_OCTETS} octets as text: take it by AXFR from transfer.listen"
        ))
    })
}

fn text(zone: &Zone) -> io::Result<Response> {
    let mut text = Bounded(Vec::new());
    write_zone(zone, &mut text)?;
    let text = String::from_utf8(text.0).map_err(io::Error::other)?;
    Ok(Response::Zone { text })
}

/// Text that does not grow without a bound.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.0.len() + octets.len() > MOST_OCTETS {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
