//! A program of the operator's that judges a version.
//!
//! It gets the zone as a zone file on standard input, its name and serial in `ANYNS_ZONE` and `ANYNS_SERIAL`, and no shell; exit code 0
//! accepts the version. What it prints, its first line, is told. It has a time limit, past which it is ended with all that
//! it started. Both streams are files that have no name any more, so that no pipe can fill and no thread waits for one.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::publish::fault::one_line;
use crate::publish::validate::fault::{MOST_PRINTED, ProgramFault};
use crate::sys::process::kill_group;
use crate::zone::Zone;
use crate::zonefile::write_zone;

/// Octets of what it prints that are looked at: the first line is somewhere in them.
const MOST_OUTPUT: u64 = 4096;
/// The shortest and the longest pause between two looks whether it has ended.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// Names of files that are tried.
const ATTEMPTS: u32 = 16;

/// Has a program judge a version. The calling thread waits in short pauses, by which an observer knows that it goes on.
pub(super) fn run(command: &[String], zone: &Zone, limit: Duration) -> Result<(), ProgramFault> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let program_name = || one_line(program);
    let failed =
        |error: io::Error| ProgramFault::Failed { program: program_name(), error: error.to_string() };
    let input = zone_text(zone).map_err(failed)?;
    let mut output = unnamed_file().map_err(failed)?;
    let start = || -> io::Result<Child> {
        let mut command = Command::new(program);
        command.args(arguments).env("ANYNS_ZONE", zone.origin().to_string());
        command.env("ANYNS_SERIAL", zone.serial().to_string()).stdin(Stdio::from(input));
        command.stdout(Stdio::from(output.try_clone()?)).stderr(Stdio::from(output.try_clone()?));
        std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn()
    };
    let mut child = start().map_err(failed)?;
    let status = wait(&mut child, limit, &output);
    if !matches!(status, Ok(ProgramEnd::Ended(_))) {
        kill_group(child.id());
        // It cannot be left: a process that has ended must be waited for.
        let _ = child.kill().and_then(|()| child.wait());
    }
    match status.map_err(failed)? {
        ProgramEnd::Ended(status) if status.success() => Ok(()),
        ProgramEnd::Ended(status) => {
            let (program, status) = (program_name(), status.to_string());
            Err(ProgramFault::SaysNo { program, status, text: first_line(&mut output) })
        }
        ProgramEnd::TooLong => Err(ProgramFault::TooLong { program: program_name(), limit }),
        ProgramEnd::TooMuch => Err(ProgramFault::TooMuch { program: program_name() }),
    }
}

/// How it ended, or why it must.
enum ProgramEnd {
    Ended(ExitStatus),
    TooLong,
    TooMuch,
}

fn wait(child: &mut Child, limit: Duration, output: &File) -> io::Result<ProgramEnd> {
    let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(ProgramEnd::Ended(status));
        }
        if begun.elapsed() >= limit {
            return Ok(ProgramEnd::TooLong);
        }
        if output.metadata()?.len() > MOST_PRINTED {
            return Ok(ProgramEnd::TooMuch);
        }
        std::thread::park_timeout(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The zone as text, to be read from its beginning.
fn zone_text(zone: &Zone) -> io::Result<File> {
    let mut file = unnamed_file()?;
    let mut writer = BufWriter::with_capacity(1 << 16, &mut file);
    write_zone(zone, &mut writer)?;
    writer.flush()?;
    drop(writer);
    file.rewind()?;
    Ok(file)
}

/// A file that nobody else finds, and that goes with its last descriptor.
fn unnamed_file() -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS {
        let path = std::env::temp_dir().join(format!("anyns-validate-{:016x}", fastrand::u64(..)));
        // `create_new` follows no link and opens no file of somebody else's.
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return std::fs::remove_file(&path).map(|()| file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn first_line(output: &mut File) -> String {
    let mut octets = Vec::new();
    let read = output.rewind().and_then(|()| output.take(MOST_OUTPUT).read_to_end(&mut octets));
    let text = String::from_utf8_lossy(&octets);
    match (read, text.lines().map(str::trim).find(|line| !line.is_empty())) {
        (Ok(_), Some(line)) => one_line(line),
        _ => "it printed nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::{Place, Record, ZoneBuilder};

    fn zone() -> Zone {
        let origin: crate::wire::Name = "example.".parse().unwrap();
        let mut builder = ZoneBuilder::new(origin.clone());
        let mut push = |record_type, rdata: &[u8]| {
            let record = Record { owner: origin.clone(), record_type, ttl: 60, rdata: rdata.into() };
            builder.push(record, Place::default());
        };
        push(crate::wire::RecordType::SOA, &[&[0, 0][..], &[0, 0, 0, 7], &[0; 16]].concat());
        push(crate::wire::RecordType::NS, b"\x02ns\0");
        builder.finish().unwrap()
    }

    fn judge(script: &str, limit: Duration) -> Result<(), ProgramFault> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        run(&command, &zone(), limit)
    }

    #[test]
    fn a_program_sees_the_zone_and_says_yes_or_no() {
        const LIMIT: Duration = Duration::from_secs(20);
        let sees = "test \"$ANYNS_ZONE $ANYNS_SERIAL\" = 'example. 7' && grep -q 'SOA.* 7 '";
        assert_eq!(judge(sees, LIMIT), Ok(()));
        let error = judge("echo; echo 'no\tgood' >&2; exit 3", LIMIT).unwrap_err().to_string();
        assert!(error.contains("says no (exit status: 3): no\\tgood"), "{error}");
        let error = judge("exit 1", LIMIT).unwrap_err().to_string();
        assert!(error.contains("printed nothing"), "{error}");
        assert!(matches!(judge("yes | head -c 3000000; sleep 60", LIMIT), Err(ProgramFault::TooMuch { .. })));
        let missing = run(&["/no/such/program".to_owned()], &zone(), LIMIT);
        assert!(matches!(missing, Err(ProgramFault::Failed { .. })), "{missing:?}");
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_with_what_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 300 & echo $! > {}; wait", file.display());
        let command = ["/bin/sh".to_owned(), "-c".to_owned(), script];
        let found = run(&command, &zone(), Duration::from_millis(300));
        assert!(matches!(found, Err(ProgramFault::TooLong { .. })), "{found:?}");
        let child: u32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        // It is gone, or a zombie that its new parent has not waited for, as soon as it was scheduled once more.
        let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        while !(state().is_empty() || state().contains(") Z ")) {
            std::thread::yield_now();
        }
    }
}
