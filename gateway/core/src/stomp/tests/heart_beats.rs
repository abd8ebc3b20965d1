use super::*;

fn page(heart_beat: &str) -> Page {
    Page::new().sign_in("alice", &format!("CONNECT\naccept-version:1.2\nheart-beat:{heart_beat}\n\n")).0
}

#[test]
fn intervals_are_mirrored_within_bounds() {
    for (client, server) in
        [("0,0", "0,0"), ("10000,10000", "10000,10000"), ("4000,0", "0,4000"), ("10,20", "1000,1000"), ("90000,120000", "60000,60000")]
    {
        let (_, lines) = Page::new().sign_in("", &format!("CONNECT\nheart-beat:{client}\n\n"));
        assert!(lines[0].contains(&format!("heart-beat:{server}")), "{client}: {lines:?}");
    }
    let (_, lines) = Page::new().sign_in("", "CONNECT\n\n");
    assert!(lines[0].contains("heart-beat:0,0"), "clients read the header without a check: {lines:?}");
}

#[test]
fn beats_are_sent_early() {
    let mut page = page("0,10000");
    assert_eq!(page.wait(7999), NOTHING);
    assert_eq!(page.wait(1), ["beat"]);
    assert_eq!(page.wait(16_000), ["beat", "beat"]);
    assert_eq!(self::page("0,0").wait(1_000_000), NOTHING);
}

#[test]
fn beats_are_in_time_although_timers_fire_at_whole_seconds() {
    use super::state::heart_beats::HeartBeats;
    use crate::protocol::stomp::HeartBeat;
    for interval in [1000, 1500, 2000, 2500, 3000, 4000, 5000, 10_000] {
        let client = HeartBeat::parse(Some(&format!("0,{interval}"))).expect("valid");
        for (phase, late) in (0..1000).flat_map(|phase| [0, 20, 150].map(|late| (phase, late))) {
            let mut last = Tick(10_000 + phase);
            let mut beats = HeartBeats::begin(last, client, client.answer());
            for _ in 0..4 {
                let due = beats.deadline().expect("a beat");
                let fires = Tick(due.0.div_ceil(1000) * 1000 + late);
                assert!(beats.check(fires, true, Duration::from_secs(8)).beat);
                let gap = fires.0 - last.0;
                let limit = if interval < 2000 { interval * 5 / 4 } else { interval };
                assert!(gap <= limit, "{gap} ms instead of {interval}; CONNECT at {phase}, late by {late}");
                last = fires;
            }
        }
    }
}

#[test]
fn a_client_with_a_short_interval_is_gone_after_twice_its_interval() {
    let mut page = page("1000,0");
    assert_eq!(page.wait(1999), NOTHING);
    assert_eq!(page.send("\n"), NOTHING);
    assert_eq!(page.wait(1999), NOTHING);
    assert_eq!(page.send("SEND\ndestination:/topic/a\n\nany input counts"), ["2: publish a text any input counts"]);
    assert_eq!(page.wait(1999), NOTHING);
    assert_eq!(page.wait(1), ["close 3012 no heart-beat in time"]);
    assert_eq!(page.translator.deadline(), None);
}

#[test]
fn a_client_with_a_long_interval_is_asked_first() {
    let mut page = page("5000,0");
    assert_eq!(page.wait(9999), NOTHING);
    assert_eq!(page.wait(1), ["ping"]);
    assert_eq!(page.wait(7999), NOTHING);
    page.translator.control_pong(page.now);
    assert_eq!(page.wait(9999), NOTHING);
    assert_eq!(page.wait(1), ["ping"], "a hidden page answers pings without its timers");
    assert_eq!(page.wait(7999), NOTHING);
    assert_eq!(page.send("\n"), NOTHING, "input answers too");
    assert_eq!(page.wait(10_000), ["ping"]);
    assert_eq!(page.wait(8000), ["close 3012 no heart-beat in time"]);
    assert_eq!(self::page("4999,0").wait(9998), ["close 3012 no heart-beat in time"]);
}

#[test]
fn a_client_that_is_not_read_is_not_silent() {
    let mut page = page("1000,0");
    page.send("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n");
    assert_eq!(page.wait(60_000), NOTHING, "frames wait for the subscribe, and are not read");
    page.answer(2, subscribed());
    page.now = page.now.after(Duration::from_millis(2000));
    let mut steps = Vec::new();
    page.translator.timer(page.now, false, &mut steps);
    assert_eq!(page.lines(steps), NOTHING, "its outbox is full");
    assert_eq!(page.wait(1999), NOTHING);
    assert_eq!(page.wait(1), ["close 3012 no heart-beat in time"]);
}
