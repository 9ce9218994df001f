//! Frame Streams: frames with their length before them, and the handshake of a bidirectional connection. Bytes in, bytes out.
//!
//! ```text
//!   writer --> READY (content type)
//!              ACCEPT (content type) <-- reader
//!   writer --> START (content type), data frames, STOP
//!              FINISH <-- reader, which has all of it
//! ```
//!
//! The protocol is that of the fstrm library (`fstrm/control.h`): 32-bit numbers in network order; a length of 0 says that a control
//! frame follows, with a length of its own, a type and fields.

/// What a dnstap stream carries.
const CONTENT: &[u8] = b"protobuf:dnstap.Dnstap";

/// Octets of a control frame at most (`FSTRM_CONTROL_FRAME_LENGTH_MAX`).
const MOST_CONTROL: usize = 512;

/// The field of a control frame that holds a content type.
const CONTENT_TYPE: u32 = 1;

/// The types of control frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    #[allow(dead_code, reason = "the reader sends it; tests write it")]
    Accept = 1,
    Start = 2,
    Stop = 3,
    Ready = 4,
    #[allow(dead_code, reason = "the reader sends it; tests write it")]
    Finish = 5,
}

/// Why what a reader sent is no ACCEPT frame for dnstap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameError {
    /// It is no control frame.
    #[error("the reader sent data before the handshake was over")]
    NoControl,
    /// It is longer than any.
    #[error("the reader sent a control frame of {0} octets; {MOST_CONTROL} are allowed")]
    TooLong(u32),
    /// Another control frame.
    #[error("the reader sent the control frame {0}, not ACCEPT")]
    NotAccept(u32),
    /// It does not take dnstap.
    #[error("the reader does not accept the content type protobuf:dnstap.Dnstap")]
    OtherContent,
}

/// Writes a control frame; STOP and FINISH have no fields.
pub(super) fn control(kind: Control, output: &mut Vec<u8>) {
    if matches!(kind, Control::Stop | Control::Finish) {
        return [0, 4, kind as u32].iter().for_each(|number| output.extend_from_slice(&number.to_be_bytes()));
    }
    let length = CONTENT.len() as u32;
    for number in [0, 12 + length, kind as u32, CONTENT_TYPE, length] {
        output.extend_from_slice(&number.to_be_bytes());
    }
    output.extend_from_slice(CONTENT);
}

/// Writes a data frame around what `write` writes.
pub(super) fn data(output: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = output.len();
    output.extend_from_slice(&[0; 4]);
    write(output);
    let length = (output.len() - start - 4) as u32;
    if let Some(place) = output.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Reads an ACCEPT frame: `None` if more octets are needed.
pub(super) fn accept(input: &[u8]) -> Option<Result<(), FrameError>> {
    let [escape, length] = [number(input, 0)?, number(input, 4)?];
    if escape != 0 {
        return Some(Err(FrameError::NoControl));
    }
    if length as usize > MOST_CONTROL {
        return Some(Err(FrameError::TooLong(length)));
    }
    let frame = input.get(8..8 + length as usize)?;
    let kind = number(frame, 0).unwrap_or(0);
    if kind != Control::Accept as u32 {
        return Some(Err(FrameError::NotAccept(kind)));
    }
    // A reader that names no type takes any.
    let mut fields = frame.get(4..).unwrap_or_default();
    let mut accepts = fields.is_empty();
    while let (Some(field), Some(length)) = (number(fields, 0), number(fields, 4)) {
        let Some(value) = fields.get(8..8_usize.saturating_add(length as usize)) else { break };
        accepts |= field == CONTENT_TYPE && value == CONTENT;
        fields = fields.get(8 + value.len()..).unwrap_or_default();
    }
    Some(if accepts { Ok(()) } else { Err(FrameError::OtherContent) })
}

fn number(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|number| u32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_accepts_dnstap_or_says_why_not() {
        let mut frame = Vec::new();
        control(Control::Accept, &mut frame);
        for short in 0..frame.len() {
            assert_eq!(accept(&frame[..short]), None, "{short}");
        }
        assert_eq!(accept(&frame), Some(Ok(())));
        let mut other = frame.clone();
        *other.last_mut().unwrap() = b'x';
        assert_eq!(accept(&other), Some(Err(FrameError::OtherContent)));
        let mut ready = Vec::new();
        control(Control::Ready, &mut ready);
        assert_eq!(accept(&ready), Some(Err(FrameError::NotAccept(4))));
        assert_eq!(accept(&[0, 0, 0, 1, 0, 0, 0, 4]), Some(Err(FrameError::NoControl)));
        assert_eq!(accept(&[0, 0, 0, 0, 0, 0, 2, 1]), Some(Err(FrameError::TooLong(513))));
        assert_eq!(accept(&[0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1]), Some(Ok(())));
    }

    #[test]
    fn a_data_frame_has_its_length_before_it() {
        let mut output = vec![9];
        data(&mut output, |output| output.extend_from_slice(&[1, 2, 3]));
        assert_eq!(output, [9, 0, 0, 0, 3, 1, 2, 3]);
    }
}
