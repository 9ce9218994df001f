use std::io::{Seek as _, Write as _};

use super::*;

/// Reads a file of this many octets that was said to have `said`.
fn read(content: usize, said: u64, most: u64) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    let octets: Vec<u8> = (0..content).map(|at| at as u8).collect();
    file.write_all(&octets).unwrap();
    file.rewind().unwrap();
    read_bounded(&mut file, said, most).unwrap()
}

#[test]
fn a_file_is_read_to_its_end_whatever_its_size_was_before() {
    let small = SMALL as usize;
    for content in [0, 1, 300, small - 1, small, small + 1, 3 * small] {
        for said in [0, 1, 299, 300, 301, SMALL - 1, SMALL, SMALL + 1, 4 * SMALL] {
            let octets = read(content, said, 1 << 20);
            assert_eq!(octets.len(), content, "said to have {said}");
            assert!(octets.iter().enumerate().all(|(at, octet)| *octet == at as u8), "said to have {said}");
        }
    }
}

#[test]
fn a_file_that_grew_is_read_one_octet_beyond_its_bound() {
    for said in [0, 10, 50] {
        assert_eq!(read(1000, said, 50).len(), 51, "said to have {said}");
    }
    assert_eq!(read(50, 10, 50).len(), 50);
    assert_eq!(read(51, 10, 50).len(), 51);
}
