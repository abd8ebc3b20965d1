//! What a message asks for.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Help,
    WhoIsHere,
    Time,
    CountTo(u32),
    ContinueCounting,
    Story,
    Stop,
    ErrorOnPurpose,
    FailOnPurpose,
    EarlierMessages,
    Greeting,
    Thanks,
    Farewell,
    HowAreYou,
    WhoAreYou,
    Other,
}

/// The words of a text in lower case, without punctuation.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Whether these are exactly the words of a command. Between people, the bot reacts to nothing less.
pub(super) fn is_command(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["help" | "error" | "fail" | "stop" | "enough" | "quiet"]
        | ["who", "is" | "s", "here"]
        | ["what", "time", "is", "it"]
        | ["go", "on"]
        | ["tell", "me", "a", "story"]
        | ["what", "did", "i", "say", "before"] => true,
        ["count", "to", number] => number.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

impl Intent {
    /// Finds words and phrases that the bot understands.
    pub(super) fn of(words: &[String]) -> Self {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let has = |word: &str| words.contains(&word);
        let says = |phrase: &[&str]| words.windows(phrase.len()).any(|window| window == phrase);
        match words.as_slice() {
            ["stop" | "enough" | "quiet", ..] => Self::Stop,
            ["help" | "commands", ..] => Self::Help,
            ["error"] => Self::ErrorOnPurpose,
            ["fail"] => Self::FailOnPurpose,
            ["continue", ..] | ["go", "on", ..] => Self::ContinueCounting,
            _ if has("count") => Self::CountTo(words.iter().find_map(|word| word.parse().ok()).unwrap_or(10)),
            _ if has("story") => Self::Story,
            _ if says(&["who", "is", "here"]) || says(&["who", "s", "here"]) || says(&["who", "else", "is"]) => Self::WhoIsHere,
            _ if says(&["did", "i", "say"]) || (has("remember") && has("i")) => Self::EarlierMessages,
            _ if says(&["what", "time"]) || says(&["the", "time"]) || words == ["time"] => Self::Time,
            _ if says(&["how", "are", "you"]) => Self::HowAreYou,
            _ if says(&["who", "are", "you"]) || says(&["your", "name"]) => Self::WhoAreYou,
            _ if has("thanks") || says(&["thank", "you"]) => Self::Thanks,
            ["bye" | "goodbye", ..] => Self::Farewell,
            ["hi" | "hello" | "hey" | "good", ..] => Self::Greeting,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_messages_are_commands() {
        for (text, intent) in [
            ("help", Intent::Help),
            ("Help!", Intent::Help),
            ("Who is here?", Intent::WhoIsHere),
            ("who's here", Intent::WhoIsHere),
            ("what time is it?", Intent::Time),
            ("count to 10", Intent::CountTo(10)),
            ("Count to 3.", Intent::CountTo(3)),
            ("STOP", Intent::Stop),
            ("enough!", Intent::Stop),
            ("quiet", Intent::Stop),
            ("go on", Intent::ContinueCounting),
            ("tell me a story", Intent::Story),
            ("what did I say before?", Intent::EarlierMessages),
            ("error", Intent::ErrorOnPurpose),
            ("fail", Intent::FailOnPurpose),
        ] {
            assert!(is_command(&words(text)), "{text}");
            assert_eq!(Intent::of(&words(text)), intent, "{text}");
        }
        for text in [
            "hi",
            "thanks",
            "how are you?",
            "continue",
            "stop it",
            "help me, bob",
            "count on me",
            "count to ten",
            "let us count to 10",
            "what time is it in Rome",
            "that is a story",
            "",
            "?!",
        ] {
            assert!(!is_command(&words(text)), "{text}");
        }
    }
}
