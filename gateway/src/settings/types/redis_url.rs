//! The notation of the setting `redis.url`.

use super::value::Setting;
use config::ValueKind;
use secrecy::SecretString;
use std::fmt;

/// One URL, or several URLs with names. Each may contain a password.
#[derive(Clone)]
pub enum RedisUrl {
    /// One URL.
    One(SecretString),
    /// Several URLs with the names of their servers. In a variable they are written as `name=url name=url`. There a name may be
    /// missing (then it is empty here) or repeated; `check` refuses both.
    Several(Vec<(String, SecretString)>),
}

impl RedisUrl {
    /// If the first word does not begin with a server name and `=`, the whole text is one URL. An invalid URL is refused later, and is not
    /// shown then.
    fn parse(text: &str) -> Self {
        let named =
            |part: &str| part.split_once('=').filter(|(name, _)| !name.contains(':')).map(|(name, url)| (name.to_owned(), url.into()));
        match text.split_whitespace().next().and_then(named) {
            Some(_) => {
                Self::Several(text.split_whitespace().map(|part| named(part).unwrap_or_else(|| (String::new(), part.into()))).collect())
            }
            None => Self::One(text.into()),
        }
    }
}

impl Setting for RedisUrl {
    const EXPECTED: &'static str = "a URL, or a table of URLs by name; in a variable, write name=url and separate several with spaces";
    const SECRET: bool = true;

    fn read(kind: &ValueKind) -> Option<Self> {
        match kind {
            ValueKind::String(text) => Some(Self::parse(text)),
            ValueKind::Table(table) => {
                let each = table.iter().map(|(name, url)| Some((name.clone(), SecretString::read(&url.kind)?)));
                let mut all = each.collect::<Option<Vec<_>>>()?;
                all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                Some(Self::Several(all))
            }
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::One(url) => url.show(),
            Self::Several(all) => {
                let each: Vec<_> = all.iter().map(|(name, url)| format!("{name} = {}", url.show())).collect();
                format!("{{ {} }}", each.join(", "))
            }
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn read(text: &str) -> Vec<(String, String)> {
        match RedisUrl::read(&ValueKind::String(text.into())).expect("a text") {
            RedisUrl::One(url) => vec![("the only one".into(), url.expose_secret().into())],
            RedisUrl::Several(all) => all.into_iter().map(|(name, url)| (name, url.expose_secret().into())).collect(),
        }
    }

    #[test]
    fn a_text_is_one_url_or_several_with_names() {
        for (text, expected) in [
            ("redis://h", &[("the only one", "redis://h")][..]),
            ("redis://u:a=b@h", &[("the only one", "redis://u:a=b@h")]),
            ("redis+unix:///s?db=1&pass=x y=z", &[("the only one", "redis+unix:///s?db=1&pass=x y=z")]),
            ("", &[("the only one", "")]),
            ("a=redis://:p=q@h,i/x  b=rediss://h2 ", &[("a", "redis://:p=q@h,i/x"), ("b", "rediss://h2")]),
            ("a=redis://h1 redis://h2 a=redis://h3", &[("a", "redis://h1"), ("", "redis://h2"), ("a", "redis://h3")]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(name, url)| ((*name).to_owned(), (*url).to_owned())).collect();
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_shown_and_urls_are_not() {
        let url = RedisUrl::parse("a=redis://:hush@h b=redis://:hush@i");
        assert_eq!(
            (url.show(), format!("{url:?}")),
            ("{ a = (a secret), b = (a secret) }".into(), "{ a = (a secret), b = (a secret) }".into())
        );
        assert_eq!(format!("{:?}", RedisUrl::parse("redis://:hush@h")), "(a secret)");
    }
}
