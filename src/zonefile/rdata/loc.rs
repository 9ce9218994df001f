//! Positions on Earth (RFC 1876): `d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W alt[m] [size[m] [hp[m] [vp[m]]]]`.

use crate::zonefile::fault::Flaw;
use crate::zonefile::fields::Fields;
use crate::zonefile::number::decimal;
use crate::zonefile::rdata::format::text;
use crate::zonefile::rdata::wire::Wire;

/// The equator and the prime meridian, in thousandths of a second of arc (RFC 1876 section 2).
const MIDDLE: u32 = 1 << 31;
/// Altitude zero lies 100,000 m above the base, in centimetres (RFC 1876 section 2).
const BASE: i64 = 10_000_000;
const ANGLE: &str =
    "degrees [minutes [seconds]], then N or S (latitude, up to 90) and E or W (longitude, up to 180)";
const ALTITUDE: &str = "an altitude from -100000.00m to 42849672.95m";
const PRECISION: &str = "a size or precision from 0 to 90000000.00m";

/// Size 1 m, horizontal precision 10,000 m, vertical precision 10 m (RFC 1876 section 3), in centimetres.
const DEFAULTS: [u64; 3] = [100, 1_000_000, 1_000];

/// Reads the whole RDATA.
pub(super) fn read(fields: &mut Fields<'_, '_>, out: &mut Vec<u8>) -> Result<(), Flaw> {
    let latitude = angle(fields, 90, b'N', b'S')?;
    let longitude = angle(fields, 180, b'E', b'W')?;
    let altitude = fields.parsed(ALTITUDE, |text| {
        let (sign, text) = text.strip_prefix(b"-").map_or((1, text), |text| (-1, text));
        u32::try_from(BASE + sign * i64::try_from(metres(text)?).ok()?).ok()
    })?;
    out.push(0);
    for default in DEFAULTS {
        let centimetres = match fields.peek() {
            Some(_) => fields.parsed(PRECISION, |text| metres(text).filter(|size| *size <= 9_000_000_000))?,
            None => default,
        };
        out.push(mantissa_and_exponent(centimetres));
    }
    for value in [latitude, longitude, altitude] {
        out.extend_from_slice(&value.to_be_bytes());
    }
    Ok(())
}

fn angle(fields: &mut Fields<'_, '_>, most: u64, positive: u8, negative: u8) -> Result<u32, Flaw> {
    let mut thousandths = fields.parsed(ANGLE, |text| decimal(text, most))? * 3_600_000;
    for place in 0..3 {
        let token = fields.bare(ANGLE)?;
        if let [letter] = token.text
            && letter.is_ascii_alphabetic()
        {
            let below = letter.eq_ignore_ascii_case(&negative);
            let known = below || letter.eq_ignore_ascii_case(&positive);
            let offset = u32::try_from(thousandths).ok().filter(|_| known && thousandths <= most * 3_600_000);
            let offset = offset.ok_or_else(|| token.unexpected(ANGLE))?;
            return Ok(if below { MIDDLE - offset } else { MIDDLE + offset });
        }
        let part = match place {
            0 => decimal(token.text, 59).map(|minutes| minutes * 60_000),
            1 => fixed(token.text, 3).filter(|seconds| *seconds < 60_000),
            _ => None,
        };
        thousandths += part.ok_or_else(|| token.unexpected(ANGLE))?;
    }
    Err(Flaw { place: fields.end(), fault: crate::zonefile::fault::FileFault::Missing { expected: ANGLE } })
}

/// Metres in centimetres, the unit optional.
fn metres(text: &[u8]) -> Option<u64> {
    fixed(text.strip_suffix(b"m").or_else(|| text.strip_suffix(b"M")).unwrap_or(text), 2)
}

/// A decimal fraction with up to `places` digits behind the point, as an integer of the last place.
fn fixed(text: &[u8], places: usize) -> Option<u64> {
    let point = text.iter().position(|octet| *octet == b'.');
    let (whole, fraction): (&[u8], &[u8]) = match point {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, b""),
    };
    if fraction.len() > places {
        return None;
    }
    let mut digits = whole.to_vec();
    digits.extend_from_slice(fraction);
    digits.resize(whole.len() + places, b'0');
    decimal(&digits, u64::from(u32::MAX) * 1_000)
}

/// One digit and a power of ten, cut down as RFC 1876's own code does.
fn mantissa_and_exponent(centimetres: u64) -> u8 {
    let mut mantissa = centimetres;
    let mut exponent = 0;
    while mantissa > 9 {
        mantissa /= 10;
        exponent += 1;
    }
    (mantissa as u8) << 4 | exponent
}

/// Writes the whole RDATA; only version 0 has this layout.
pub(super) fn write(wire: &mut Wire<'_>, out: &mut Vec<u8>) -> Option<()> {
    if wire.u8()? != 0 {
        return None;
    }
    let sizes = [wire.u8()?, wire.u8()?, wire.u8()?];
    write_angle(wire.u32()?, 90, 'N', 'S', out)?;
    write_angle(wire.u32()?, 180, 'E', 'W', out)?;
    let altitude = i64::from(wire.u32()?) - BASE;
    let sign = if altitude < 0 { "-" } else { "" };
    text(format_args!("{sign}{}.{:02}m", altitude.abs() / 100, altitude.abs() % 100), out);
    for size in sizes {
        let (mantissa, exponent) = (u64::from(size >> 4), u32::from(size & 15));
        // A zero has one form; an exponent of a zero could not be read back.
        if mantissa > 9 || exponent > 9 || (mantissa == 0 && exponent > 0) {
            return None;
        }
        let centimetres = mantissa * 10_u64.pow(exponent);
        text(format_args!(" {}.{:02}m", centimetres / 100, centimetres % 100), out);
    }
    Some(())
}

fn write_angle(value: u32, most: u32, positive: char, negative: char, out: &mut Vec<u8>) -> Option<()> {
    let letter = if value >= MIDDLE { positive } else { negative };
    let offset = value.abs_diff(MIDDLE);
    if offset > most * 3_600_000 {
        return None;
    }
    let (seconds, thousandths) = (offset / 1_000, offset % 1_000);
    let (degrees, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    text(format_args!("{degrees} {minutes} {seconds}.{thousandths:03} {letter} "), out);
    Some(())
}
