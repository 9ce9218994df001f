//! The task that empties the taps, against collectors that end, stay, hang and are slow.

use tokio::net::UnixListener;

use crate::telemetry::TapTransport;

use super::*;

fn settings(target: Target, query_log: bool) -> Settings {
    Settings {
        one_in: 1,
        target: Some(target),
        query_log,
        full_addresses: false,
        catchments: false,
        identity: "a".into(),
        sources: Vec::new(),
        service_addresses: Vec::new(),
    }
}

fn sample(counters: &Counters) {
    let client = (SocketAddr::from(([192, 0, 2, 1], 53)), None);
    counters.taps()[0].take((&[0; 12], &[0; 12]), TapTransport::Udp, client);
}

/// Reads so many octets.
async fn read(stream: &mut UnixStream, octets: usize) -> Vec<u8> {
    let mut read = vec![0; octets];
    stream.read_exact(&mut read).await.unwrap();
    read
}

fn frame(kind: Control) -> Vec<u8> {
    let mut frame = Vec::new();
    frames::control(kind, &mut frame);
    frame
}

#[tokio::test]
async fn a_collector_that_ends_is_noticed_and_one_that_stays_gets_the_last_messages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dnstap.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let counters = Counters::new(1).with_taps(1);
    let mut writer = DnstapWriter::new(settings(Target::Unix(path), false), counters.clone());
    let counts = writer.counts();
    let begin = async |writer: &mut DnstapWriter| {
        writer.retry.0 = Instant::now();
        let connected = async { writer.connect(Instant::now()).await };
        let accepted = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_eq!(read(&mut stream, frame(Control::Ready).len()).await, frame(Control::Ready));
            stream.write_all(&frame(Control::Accept)).await.unwrap();
            assert_eq!(read(&mut stream, frame(Control::Start).len()).await, frame(Control::Start));
            stream
        };
        tokio::join!(connected, accepted).1
    };
    // It reads what is written, and closes: what comes then is lost, and not written.
    let mut stream = begin(&mut writer).await;
    sample(&counters);
    writer.hear();
    let messages = writer.take(Instant::now());
    writer.write(messages).await;
    assert_eq!((counts.written(), counts.dropped()), (2, 0));
    let length = u32::from_be_bytes(read(&mut stream, 4).await.try_into().unwrap());
    read(&mut stream, length as usize).await;
    drop(stream);
    sample(&counters);
    writer.hear();
    let messages = writer.take(Instant::now());
    writer.write(messages).await;
    assert_eq!((counts.written(), counts.dropped()), (2, 2));
    // The end in order: what waits is written, then STOP; FINISH ends the wait.
    let mut stream = begin(&mut writer).await;
    sample(&counters);
    let reader = async {
        for _ in 0..2 {
            let length = u32::from_be_bytes(read(&mut stream, 4).await.try_into().unwrap());
            assert!(length > 0, "a message");
            read(&mut stream, length as usize).await;
        }
        assert_eq!(read(&mut stream, 12).await, frame(Control::Stop));
        stream.write_all(&frame(Control::Finish)).await.unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "closed");
    };
    tokio::join!(writer.finish(), reader);
    assert_eq!((counts.written(), counts.dropped()), (4, 2));
}

#[test]
fn what_is_lost_is_counted_where_it_is_lost() {
    let counters = Counters::new(1).with_taps(1);
    let mut writer = DnstapWriter::new(settings(Target::Unix("absent.sock".into()), true), counters.clone());
    let counts = writer.counts();
    let (tap, now) = (&counters.taps()[0], Instant::now());
    let client = (SocketAddr::from(([192, 0, 2, 1], 53)), None);
    for response in [&[0; 12][..], &[0; 5000]] {
        tap.take((&[0; 12], response), TapTransport::Udp, client);
    }
    assert_eq!(writer.take(now), 0, "there is no collector");
    assert_eq!((counts.dropped(), counts.log_dropped()), (3, 0), "a long response is no message");
    for round in 0..5 {
        (0..MAX_SAMPLES_OF_TICK).for_each(|_| tap.take((&[0; 12], &[0; 12]), TapTransport::Udp, client));
        writer.take(now);
        assert_eq!(counts.dropped(), 3 + 2 * MAX_SAMPLES_OF_TICK as u64 * (round + 1));
    }
    assert_eq!(counts.log_dropped(), 2 + 5 * MAX_SAMPLES_OF_TICK as u64 - 200);
    assert_eq!(counts.written(), 0);
}

/// More samples than a tap has room for, while the collector accepts nothing, and then takes nothing.
#[tokio::test]
async fn a_collector_that_hangs_costs_its_own_messages_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dnstap.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let counters = Counters::new(1).with_taps(1);
    let mut writer = DnstapWriter::new(settings(Target::Unix(path), false), counters.clone());
    let counts = writer.counts();
    // Fewer at a time than a tap has room for, and more in all.
    let samples = async || {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..10 {
            ticks.tick().await;
            (0..10).for_each(|_| sample(&counters));
        }
    };
    let all = 100;
    tokio::join!(writer.connect(Instant::now()), samples());
    let left = writer.take(Instant::now());
    assert_eq!((counters.taps()[0].dropped(), counts.written(), left), (0, 0, 0));
    assert_eq!(counts.dropped(), 2 * all);
    // One that takes nothing: what waits is bounded, and lost with the connection.
    let (ours, _theirs) = tokio::io::duplex(16);
    writer.stream = Some(Box::new(ours));
    sample(&counters);
    let messages = writer.take(Instant::now());
    tokio::join!(writer.write(messages), samples());
    writer.take(Instant::now());
    assert_eq!((counters.taps()[0].dropped(), counts.written()), (0, 0));
    assert_eq!(counts.dropped(), 2 * (2 * all + 1));
    // A slow one gets all, also what came while it took the first.
    let (ours, mut theirs) = tokio::io::duplex(16);
    writer.stream = Some(Box::new(ours));
    sample(&counters);
    let messages = writer.take(Instant::now());
    let reads = async {
        let mut later = interval(PATIENCE / 2);
        later.tick().await;
        later.tick().await;
        let mut octets = vec![0; 4096];
        while theirs.read(&mut octets).await.is_ok_and(|read| read > 0) {}
    };
    tokio::select! {
        () = async { tokio::join!(writer.write(messages), samples()); } => {}
        () = reads => {}
    }
    let last = writer.take(Instant::now());
    assert_eq!(counts.written() + last, 2 * (all + 1));
    drop(listener);
}

/// A collector can leave out what the POP asks itself; it is an authentic message all the same.
#[tokio::test]
async fn messages_of_the_pop_itself_are_marked() {
    let nowhere = || settings(Target::Unix("/nowhere".into()), false);
    let own = IpAddr::from([192, 0, 2, 1]);
    let other = IpAddr::from([192, 0, 2, 2]);
    for (sources, service_addresses, is_marked) in [
        (vec![], vec![], false),
        (vec![other], vec![other], false),
        (vec![own], vec![], true),
        (vec![other], vec![other, own], true),
    ] {
        let counters = Counters::new(1).with_taps(1);
        let mut writer =
            DnstapWriter::new(Settings { sources, service_addresses, ..nowhere() }, counters.clone());
        writer.stream = Some(Box::new(tokio::io::duplex(64).0));
        sample(&counters);
        assert_eq!(writer.take(Instant::now()), 2);
        let marks = writer.frames.windows(5).filter(|octets| octets == b"\x1a\x03own").count();
        assert_eq!(marks, if is_marked { 2 } else { 0 }, "field 3, extra");
    }
}
