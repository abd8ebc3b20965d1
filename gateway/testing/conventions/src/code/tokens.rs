//! Guesses which tokens of a macro are paths.

use super::{attributes::asks_for_test, module::Spaces};
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// Tokens that look like a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guess {
    /// The segments, with `crate` in place of `$crate`.
    pub(super) segments: Vec<String>,
    /// The line of the first segment, from 1.
    pub(super) line: usize,
    /// The name spaces in which the path must be looked up.
    pub(super) spaces: Spaces,
    /// Whether an item with `#[cfg(test)]` contains the path.
    pub(super) test: bool,
}

/// Keywords. No item has such a name.
const KEYWORDS: [&str; 32] = [
    "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern", "false", "fn", "for", "if", "impl", "in", "let",
    "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "static", "struct", "trait", "true", "type", "where", "while",
];

/// All tokens that look like paths: words joined by `::`, and single words that begin with a capital letter or are called.
pub(super) fn paths(tokens: TokenStream) -> Vec<Guess> {
    let mut found = Vec::new();
    scan(tokens, false, &mut found);
    found
}

/// All words in the tokens, including words in nested groups.
pub(super) fn words(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) => found.push(name(&word)),
            TokenTree::Group(group) => found.extend(words(group.stream())),
            _ => {}
        }
    }
    found
}

/// All string literals in the tokens, including those in nested groups.
pub(super) fn texts(tokens: TokenStream) -> Vec<(String, Span)> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if let Some(text) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                    found.push((text.to_owned(), literal.span()));
                }
            }
            TokenTree::Group(group) => found.extend(texts(group.stream())),
            _ => {}
        }
    }
    found
}

/// The name that a word stands for: `type` for `r#type`.
pub(super) fn name(word: &proc_macro2::Ident) -> String {
    let text = word.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

fn scan(tokens: TokenStream, around: bool, found: &mut Vec<Guess>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (mut at, mut test) = (0, around);
    while at < tokens.len() {
        let line = tokens[at].span().start().line;
        match &tokens[at] {
            TokenTree::Group(group) => {
                test |= group.delimiter() == Delimiter::Bracket && marks_test(group);
                scan(group.stream(), test, found);
                if group.delimiter() == Delimiter::Brace {
                    test = around;
                }
                at += 1;
            }
            TokenTree::Literal(literal) => {
                let literal = literal.to_string();
                found.extend(named_in_format(&literal).map(|word| Guess { segments: vec![word], line, spaces: Spaces::VALUE, test }));
                at += 1;
            }
            TokenTree::Ident(_) if begins_path(&tokens, at) => {
                let (segments, next) = path_at(&tokens, at);
                if let Some(spaces) = plausible(&segments, &tokens[next..]) {
                    found.push(Guess { segments, line, spaces, test });
                }
                at = next;
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => {
                test = around;
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Whether this group is the bracket of `#[cfg(test)]`.
fn marks_test(group: &Group) -> bool {
    let mut tokens = group.stream().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(word)), Some(TokenTree::Group(group))) => word == "cfg" && asks_for_test(group.stream()),
        _ => false,
    }
}

/// Whether the word at this index can begin a path. A field, a lifetime, a macro variable or a later segment cannot.
fn begins_path(tokens: &[TokenTree], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|index| tokens.get(index));
    let is = |token: Option<&TokenTree>, sign: char| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    if is(before(1), '$') {
        return matches!(&tokens[at], TokenTree::Ident(word) if word == "crate");
    }
    let field = is(before(1), '.') && !is(before(2), '.');
    let tail = is(before(1), ':') && is(before(2), ':') && at > 2 && !matches!(before(3), Some(TokenTree::Punct(_)));
    !field && !tail && !is(before(1), '\'')
}

/// The path that begins at this index, and the index after the path.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (Vec<String>, usize) {
    let mut segments = Vec::new();
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        segments.push(name(word));
        at += 1;
        let colon = |index: usize| matches!(tokens.get(index), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        if colon(at) && colon(at + 1) && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
            at += 2;
        } else {
            break;
        }
    }
    (segments, at)
}

fn plausible(segments: &[String], rest: &[TokenTree]) -> Option<Spaces> {
    let [word] = segments else {
        return Some(Spaces::TYPE.and(Spaces::VALUE).and(if calls_macro(rest) { Spaces::MACRO } else { Spaces(0) }));
    };
    if KEYWORDS.contains(&word.as_str()) || word == "Self" || word == "self" || word == "_" {
        return None;
    }
    if calls_macro(rest) {
        return Some(Spaces::MACRO);
    }
    if word.starts_with(char::is_uppercase) {
        return Some(Spaces::TYPE.and(Spaces::VALUE));
    }
    let called = matches!(rest.first(), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
    called.then_some(Spaces::VALUE)
}

fn calls_macro(rest: &[TokenTree]) -> bool {
    matches!(rest.first(), Some(TokenTree::Punct(punct)) if punct.as_char() == '!') && matches!(rest.get(1), Some(TokenTree::Group(_)))
}

/// The names of constants in a format string, such as `{LIMIT}` or `{LIMIT:?}`.
fn named_in_format(literal: &str) -> impl Iterator<Item = String> + '_ {
    literal.split('{').skip(1).filter_map(|rest| {
        let word = rest.split(['}', ':']).next()?;
        let constant =
            word.starts_with(char::is_uppercase) && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        constant.then(|| word.to_owned())
    })
}
