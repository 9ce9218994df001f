//! The numbers that end the RDATA of an SOA record (RFC 1035 section 3.3.13).

use super::Serial;
use super::octets::u32_at;

/// Octets of the five numbers: SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM.
pub const NUMBERS: usize = 20;

/// Where they begin; `None` if there is no room for two names before them.
pub fn numbers_at(rdata: &[u8]) -> Option<usize> {
    rdata.len().checked_sub(NUMBERS).filter(|at| *at >= 2)
}

/// The serial.
pub fn serial(rdata: &[u8]) -> Option<Serial> {
    u32_at(rdata, numbers_at(rdata)?).map(Serial)
}

/// EXPIRE, in seconds.
pub fn expire(rdata: &[u8]) -> Option<u32> {
    u32_at(rdata, numbers_at(rdata)? + 12)
}

/// Puts another serial in its place. RDATA that is too short for an SOA record stays as it is.
pub fn set_serial(rdata: &mut [u8], serial: Serial) {
    if let Some(place) = numbers_at(rdata).and_then(|at| rdata.get_mut(at..at + 4)) {
        place.copy_from_slice(&serial.0.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_is_read_and_replaced_and_nothing_else() {
        let names = b"\x02ns\0\x04host\0";
        let mut rdata = [&names[..], &[1, 2, 3, 4], &[9; 16]].concat();
        assert_eq!(expire(&[&rdata[..20], &[0, 0, 1, 2], &[9; 4]].concat()), Some(258));
        assert_eq!(serial(&rdata), Some(Serial(0x0102_0304)));
        set_serial(&mut rdata, Serial(u32::MAX));
        assert_eq!(rdata, [&names[..], &[255; 4], &[9; 16]].concat());
        // The shortest: two root names.
        assert_eq!(serial(&[0; 22]), Some(Serial(0)));
        let mut short = [7; 21];
        set_serial(&mut short, Serial(1));
        assert_eq!((short, serial(&short), serial(&[]), expire(&short)), ([7; 21], None, None, None));
    }
}
