use super::*;

fn message(from: &str, text: &str) -> ChatMessage {
    ChatMessage { from: from.into(), text: text.into() }
}

fn answer(text: &str, found: &LookupResult) -> String {
    match RuleResponder::new("bot").respond(&message("alice", text), found) {
        Response::Answer(steps) => {
            steps.iter().filter_map(|step| if let Step::Text(text) = step { Some(text.as_str()) } else { None }).collect()
        }
        other @ Response::Stop => format!("{other:?}"),
    }
}

#[test]
fn every_rule_has_its_answer() {
    for (line, part) in [
        ("help", "count to 10"),
        ("Hi!", "Hello alice"),
        ("@bot hello", "Hello alice"),
        ("@Bot: thanks", "welcome"),
        ("hello @bot", "Hello alice"),
        ("hey @bot, stop", "Stop"),
        ("can you count to 2, @bot?", "1, 2."),
        ("what time is it?", "UTC"),
        ("count to 3", "1, 2, 3."),
        ("please count slowly to 2", "1, 2."),
        ("count to 0", "nothing to count"),
        ("count to 1000", "60. I do not"),
        ("count to 99999999999999999999", "10."),
        ("tell me a story", "Ada"),
        ("stop", "Stop"),
        ("fail", "in the middle"),
        ("how are you?", "links"),
        ("who are you", "I am bot"),
        ("bye", "See you"),
        ("colourless green ideas", "simple bot"),
        ("", "simple bot"),
        ("@bot", "simple bot"),
    ] {
        let answer = answer(line, &LookupResult::Nothing);
        assert!(answer.contains(part), "{line}: {answer}");
    }
}

#[test]
fn the_bot_answers_commands_and_messages_with_its_name_and_others_only_to_a_single_person() {
    for (line, attention) in [
        ("help", Attention::Always),
        ("@bot colourless green ideas", Attention::Always),
        ("I think that @bot knows", Attention::Always),
        ("colourless green ideas", Attention::IfAlone),
        ("hi", Attention::IfAlone),
        ("please stop", Attention::IfAlone),
        ("@bob hello", Attention::Never),
        ("@bob stop", Attention::Never),
    ] {
        assert_eq!(RuleResponder::new("bot").attention(&message("alice", line)), attention, "{line}");
    }
}

#[test]
fn what_help_lists_are_commands() {
    let help = answer("help", &LookupResult::Nothing);
    let quoted: Vec<&str> = help.split('"').skip(1).step_by(2).collect();
    assert_eq!(quoted.len(), 9, "{help}");
    for line in quoted {
        assert_eq!(RuleResponder::new("bot").attention(&message("alice", line)), Attention::Always, "{line}");
    }
}

#[test]
fn who_is_here_lists_each_user_once() {
    let present = LookupResult::Presence(vec!["bob".into(), "alice".into(), "bob".into(), String::new()]);
    assert_eq!(answer("who is here?", &present), "Here now: alice, bob, 1 stranger.");
    assert_eq!(answer("who is here?", &LookupResult::Presence(vec![])), "Nobody but me.");
    assert!(answer("who's here", &LookupResult::Unavailable).contains("cannot"));
    assert_eq!(RuleResponder::new("bot").lookup(&message("alice", "Who is here?")), Lookup::Presence);
}

#[test]
fn earlier_messages_are_read_from_the_history() {
    let before =
        LookupResult::History(vec![message("alice", "one"), message("bob", "other"), message("alice", "two"), message("bot", "1, 2, 3, ")]);
    assert_eq!(RuleResponder::new("bot").lookup(&message("alice", "what did I say before?")), Lookup::History);
    assert!(answer("what did I say before?", &before).starts_with("You said \"two\", and before that \"one\"."));
    assert!(answer("go on", &before).starts_with("4, 5, "), "continues the count of another instance");
    assert!(answer("go on", &LookupResult::History(vec![])).contains("not counting"));
    assert!(answer("go on", &LookupResult::Unavailable).contains("cannot"));
}

#[test]
fn only_the_intended_error_is_refused() {
    let rules = RuleResponder::new("bot");
    assert_eq!(rules.refusal(&message("alice", "error")).map(|failure| failure.code), Some(418));
    assert_eq!(rules.refusal(&message("alice", "an error occurred to me")), None);
    assert_eq!(rules.refusal(&message("alice", "@bob error")), None);
}

#[test]
fn an_intended_failure_has_text_before_it() {
    let response = RuleResponder::new("bot").respond(&message("alice", "fail"), &LookupResult::Nothing);
    let Response::Answer(steps) = response else { panic!("{response:?}") };
    assert!(matches!(steps.as_slice(), [Step::Text(_), .., Step::Fail]));
}
