use super::*;

fn said(from: &str, text: &str) -> Line {
    Line { from: from.into(), text: text.into() }
}

fn answer(text: &str, facts: &Facts) -> String {
    match Rules::new("bot").answer(&said("alice", text), facts) {
        Thought::Speak(steps) => {
            steps.iter().filter_map(|step| if let Step::Say(text) = step { Some(text.as_str()) } else { None }).collect()
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn every_rule_answers_what_it_should() {
    for (line, part) in [
        ("help", "count to 10"),
        ("Hi!", "Hello alice"),
        ("@bot hello", "Hello alice"),
        ("@Bot: thanks", "welcome"),
        ("@bob hello", "Silence"),
        ("what time is it?", "UTC"),
        ("count to 3", "1, 2, 3."),
        ("please count slowly to 2", "1, 2."),
        ("count to 0", "short way"),
        ("count to 1000", "60. Further"),
        ("count to 99999999999999999999", "10."),
        ("tell me a story", "Ada"),
        ("stop", "Stop"),
        ("fail", "in the middle"),
        ("how are you?", "links"),
        ("who are you", "I am bot"),
        ("bye", "See you"),
        ("colourless green ideas", "simple bot"),
        ("", "simple bot"),
        ("@", "Silence"),
    ] {
        let answer = answer(line, &Facts::Nothing);
        assert!(answer.contains(part), "{line}: {answer}");
    }
}

#[test]
fn who_is_here_names_people_once() {
    let present = Facts::Present(vec!["bob".into(), "alice".into(), "bob".into(), String::new()]);
    assert_eq!(answer("who is here?", &present), "Here now: alice, bob, 1 stranger.");
    assert_eq!(answer("who is here?", &Facts::Present(vec![])), "Nobody but me.");
    assert!(answer("who's here", &Facts::Unavailable).contains("cannot"));
    assert_eq!(Rules::new("bot").needs(&said("alice", "Who is here?")), Needs::Presence);
}

#[test]
fn the_conversation_is_remembered_by_reading_it() {
    let before = Facts::Before(vec![said("alice", "one"), said("bob", "other"), said("alice", "two"), said("bot", "1, 2, 3, ")]);
    assert_eq!(Rules::new("bot").needs(&said("alice", "what did I say before?")), Needs::Conversation);
    assert!(answer("what did I say before?", &before).starts_with("You said \"two\", and before that \"one\"."));
    assert!(answer("go on", &before).starts_with("4, 5, "), "another instance goes on where one stopped");
    assert!(answer("go on", &Facts::Before(vec![])).contains("not counting"));
    assert!(answer("go on", &Facts::Unavailable).contains("cannot"));
}

#[test]
fn only_the_error_on_purpose_is_refused() {
    let rules = Rules::new("bot");
    assert_eq!(rules.objection(&said("alice", "error")).map(|failure| failure.code), Some(418));
    assert_eq!(rules.objection(&said("alice", "an error occurred to me")), None);
}

#[test]
fn a_break_down_fails_after_some_text() {
    let Thought::Speak(steps) = Rules::new("bot").answer(&said("alice", "fail"), &Facts::Nothing) else { panic!("it speaks") };
    assert!(matches!(steps.as_slice(), [Step::Say(_), .., Step::Fail]));
}
