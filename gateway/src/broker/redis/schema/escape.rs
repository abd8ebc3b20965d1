//! Names of channels and users as parts of key names.
//!
//! A user id may contain almost any character. Some characters have a meaning in a key: `{` and `}` choose the slot, `* ? [ ] \` are
//! wildcards of patterns (ACL rules, `SCAN`, `KEYS`), and a space separates words for many tools. [`escape`] writes these characters, and
//! `%` itself, as `%` and two hex digits.

use std::borrow::Cow;

fn is_special(byte: u8) -> bool {
    b"%{} *?[]\\".contains(&byte)
}

/// Writes a name as a part of a key. Two different names never give the same text.
pub(crate) fn escape(name: &str) -> Cow<'_, str> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let special = name.bytes().filter(|byte| is_special(*byte)).count();
    if special == 0 {
        return name.into();
    }
    let mut escaped = String::with_capacity(name.len() + 2 * special);
    for c in name.chars() {
        match u8::try_from(c) {
            Ok(byte) if is_special(byte) => {
                escaped.push('%');
                escaped.extend([byte >> 4, byte & 0xf].map(|digit| char::from(DIGITS[usize::from(digit)])));
            }
            _ => escaped.push(c),
        }
    }
    escaped.into()
}

/// Reverses [`escape`]. None if [`escape`] cannot have produced the text.
pub(crate) fn unescape(escaped: &str) -> Option<Cow<'_, str>> {
    let Some((plain, mut rest)) = escaped.split_once('%') else {
        return (!escaped.bytes().any(is_special)).then(|| escaped.into());
    };
    let mut name = String::with_capacity(escaped.len());
    name.push_str(plain);
    loop {
        let (digits, behind) = rest.split_at_checked(2)?;
        name.push(char::from(u8::from_str_radix(digits, 16).ok()?));
        let Some((plain, next)) = behind.split_once('%') else {
            name.push_str(behind);
            break;
        };
        name.push_str(plain);
        rest = next;
    }
    (escape(&name) == escaped).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_has_a_meaning_in_redis_is_escaped_and_nothing_else() {
        for (name, escaped) in [
            ("chat:lobby-1", "chat:lobby-1"),
            ("#auth0|abc", "#auth0|abc"),
            ("#jürgen", "#jürgen"),
            ("#a b", "#a%20b"),
            ("#{a}", "#%7Ba%7D"),
            ("#50%", "#50%25"),
            ("#*?[a]\\", "#%2A%3F%5Ba%5D%5C"),
            ("#a\u{a0}b", "#a\u{a0}b"),
        ] {
            assert_eq!((&*escape(name), unescape(escaped).as_deref()), (escaped, Some(name)));
        }
    }

    #[test]
    fn what_escape_never_makes_is_no_name() {
        for text in ["a b", "{a}", "*", "%", "a%2", "%zz", "%7b", "%41", "%2f", "a%é", "%+1", "%20 "] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_found_again(name in "\\PC{0,20}|[%{}*?\\[\\]\\\\ a27BD]{0,20}") {
            let escaped = escape(&name);
            let rest = escaped.replace('%', "");
            prop_assert!(!rest.bytes().any(is_special), "{}", escaped);
            prop_assert_eq!(unescape(&escaped), Some(name.as_str().into()));
        }

        #[test]
        fn no_two_texts_stand_for_one_name(text in "[%27BDabd{} ]{0,12}") {
            if let Some(name) = unescape(&text) {
                prop_assert_eq!(&*escape(&name), &*text);
            }
        }
    }
}
