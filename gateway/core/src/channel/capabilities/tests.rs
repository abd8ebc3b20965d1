use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn parse(json: &str) -> Result<Capabilities, InvalidCapabilities> {
    Capabilities::parse(serde_json::from_str(json).expect("JSON"))
}

fn allows(json: &str, channel: &str) -> Vec<&'static str> {
    let (capabilities, channel) = (parse(json).expect("valid"), channel.parse().expect("a channel"));
    Capability::ALL.into_iter().filter(|each| capabilities.allow(&channel, *each)).map(Capability::name).collect()
}

#[test]
fn all_patterns_of_a_channel_count_together() {
    let claim = r##"{"chat:*":["subscribe","presence"],"chat:lobby":["publish"],"chat:lob*":["presence","history"],"#alice":["history"]}"##;
    for (channel, allowed) in [
        ("chat:lobby", &["subscribe", "publish", "presence", "history"][..]),
        ("chat:lobb", &["subscribe", "presence", "history"]),
        ("chat:x", &["subscribe", "presence"]),
        ("chat:lobby2", &["subscribe", "presence", "history"]),
        ("chat", &[]),
        ("chats:x", &[]),
        ("#alice", &["history"]),
        ("#alice2", &[]),
    ] {
        assert_eq!(allows(claim, channel), allowed, "{channel}");
    }
    assert_eq!(allows(r#"{"*":["publish"]}"#, "#alice"), ["publish"]);
    assert_eq!(allows("{}", "chat:x"), [""; 0]);
    assert_eq!(allows(r#"{"chat:*":[]}"#, "chat:x"), [""; 0]);
    assert_eq!(allows(r#"{"a*":["subscribe"]}"#, "a*b"), ["subscribe"]);
    assert_eq!(allows(r#"{"chat:x":["publish","publish"]}"#, "chat:x"), ["publish"]);
}

#[test]
fn an_invalid_claim_has_a_reason() {
    use InvalidCapabilities::{Action, Pattern, Shape, TooLarge, TooMany, Twice};
    let many = |count: usize| format!("{{{}}}", (0..count).map(|at| format!("\"c{at}\":[]")).collect::<Vec<_>>().join(","));
    let long = |bytes: usize| format!("{{{}}}", (0..bytes / 128).map(|at| format!("\"{at:0128}\":[]")).collect::<Vec<_>>().join(","));
    assert!(parse(&many(64)).is_ok() && parse(&long(4096)).is_ok());
    for (claim, why) in [
        ("null", Shape),
        ("true", Shape),
        (r#""chat:*""#, Shape),
        (r#"["chat:*"]"#, Shape),
        (r#"{"chat:*":"subscribe"}"#, Shape),
        (r#"{"chat:*":null}"#, Shape),
        (r#"{"chat:*":[1]}"#, Shape),
        (r#"{"chat:*":{"subscribe":true}}"#, Shape),
        (r#"{"chat:*":["subscribe",null]}"#, Shape),
        (r#"{"chat:*":["read"]}"#, Action),
        (r#"{"chat:*":["Subscribe"]}"#, Action),
        (r#"{"chat:*":["*"]}"#, Action),
        (r#"{"chat:*":["subscribe "]}"#, Action),
        (r#"{"":[]}"#, Pattern),
        (r#"{"**":[]}"#, Pattern),
        (r#"{"chat:*:a":[]}"#, Pattern),
        (r#"{"*:a":[]}"#, Pattern),
        (r#"{"chat:**":[]}"#, Pattern),
        (r#"{"chat:":[]}"#, Pattern),
        (r#"{":*":[]}"#, Pattern),
        (r#"{"chat lobby":[]}"#, Pattern),
        (r#"{"chät:*":[]}"#, Pattern),
        (r#"{"a#b*":[]}"#, Pattern),
        (r#"{"chat:*":[],"chat:*":["publish"]}"#, Twice),
        (r#"{"a":["publish"],"b":[],"a":["publish"]}"#, Twice),
        (&*many(65), TooMany),
        (&*long(4096 + 128), TooLarge),
    ] {
        assert_eq!(parse(claim), Err(why), "{claim}");
    }
}

#[test]
fn a_claim_that_is_written_again_means_the_same() {
    let read = parse(r#"{"b:*":["history","subscribe"],"a":["publish"],"b:c":["presence"]}"#).expect("valid");
    let written = serde_json::to_string(&read).expect("JSON");
    assert_eq!(written, r#"{"a":["publish"],"b:*":["subscribe","history"],"b:c":["presence"]}"#);
    assert_eq!(parse(&written), Ok(read));
}

proptest! {
    /// The model: a list of patterns, each matched by its definition.
    #[test]
    fn the_patterns_mean_what_they_say(
        rules in prop::collection::btree_map("[ab]{0,2}[ab*]", prop::collection::vec(0..4_usize, 0..4), 0..6),
        channel in "[ab]{1,4}",
    ) {
        let claim: BTreeMap<_, Vec<_>> =
            rules.iter().map(|(pattern, actions)| (pattern, actions.iter().map(|at| Capability::ALL[*at].name()).collect())).collect();
        let capabilities = parse(&serde_json::to_string(&claim).expect("JSON")).expect("valid");
        let channel: ChannelName = channel.parse().expect("valid");
        for (at, capability) in Capability::ALL.into_iter().enumerate() {
            let expected = rules.iter().any(|(pattern, actions)| {
                let matches = match pattern.strip_suffix('*') {
                    Some(prefix) => (0..=channel.len()).any(|end| &channel[..end] == prefix),
                    None => *pattern == *channel.as_str(),
                };
                matches && actions.contains(&at)
            });
            prop_assert_eq!(capabilities.allow(&channel, capability), expected, "{:?} in {}", capability, channel);
        }
    }
}
