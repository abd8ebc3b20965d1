//! Finds out whom a message is for.

/// Whom a message is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Addressee<'a> {
    /// The bot: the message contains its `@name` between these texts.
    Bot { before: &'a str, after: &'a str },
    /// Somebody else: the message begins with another `@name`.
    SomebodyElse,
    /// Everybody.
    Everybody,
}

impl<'a> Addressee<'a> {
    /// Reads a message. `bot` is the bot's name, in ASCII.
    pub(super) fn of(text: &'a str, bot: &str) -> Self {
        let mention = text.match_indices('@').find_map(|(at, _)| {
            let before = &text[..at];
            let (name, after) = text[at + 1..].split_at_checked(bot.len())?;
            let is_word = !before.ends_with(char::is_alphanumeric) && !after.starts_with(continues_name);
            (is_word && name.eq_ignore_ascii_case(bot)).then_some(Self::Bot { before, after })
        });
        mention.unwrap_or(if text.trim_start().starts_with('@') { Self::SomebodyElse } else { Self::Everybody })
    }
}

fn continues_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bot_is_named_by_its_whole_name_anywhere() {
        let bot = |before, after| Addressee::Bot { before, after };
        for (text, addressee) in [
            ("@bot hello", bot("", " hello")),
            ("@BOT", bot("", "")),
            ("hey @Bot, stop", bot("hey ", ", stop")),
            ("(@bot)", bot("(", ")")),
            ("@bot's turn", bot("", "'s turn")),
            ("ünïcode @bot", bot("ünïcode ", "")),
            ("@alice and @bot", bot("@alice and ", "")),
            ("@bot2 and @bot", bot("@bot2 and ", "")),
            ("@alice hello", Addressee::SomebodyElse),
            (" @alice", Addressee::SomebodyElse),
            ("@", Addressee::SomebodyElse),
            ("@bottom", Addressee::SomebodyElse),
            ("@bot-2", Addressee::SomebodyElse),
            ("@bö", Addressee::SomebodyElse),
            ("ask @bottom", Addressee::Everybody),
            ("mail alice@bot.example", Addressee::Everybody),
            ("bot", Addressee::Everybody),
            ("", Addressee::Everybody),
        ] {
            assert_eq!(Addressee::of(text, "bot"), addressee, "{text}");
        }
    }
}
