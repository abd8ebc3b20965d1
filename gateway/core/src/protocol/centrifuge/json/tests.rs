//! Reading commands of any frame.

use super::decode;
use proptest::prelude::*;

/// One command of each kind. `{more}` is where a newer SDK may add members.
const COMMANDS: [&str; 13] = [
    r#"{"id":1,{more}"connect":{{more}"token":"t","subs":{"news":{{more}"recover":true,"epoch":"e","offset":42}},"headers":{"traceparent":"a"}}}"#,
    r#"{"id":2,"subscribe":{"channel":"c","delta":"fossil",{more}"tf":{{more}"op":"not","nodes":[{"key":"k","cmp":"ex"}]},"flag":3},{more}"x":1}"#,
    r#"{"id":3,"unsubscribe":{{more}"channel":"c"}}"#,
    r#"{"id":4,{more}"publish":{{more}"channel":"c","data":{"a":[1,"ü\n",null]}}}"#,
    r#"{"id":5,"presence":{{more}"channel":"c"}}"#,
    r#"{"id":6,"presence_stats":{{more}"channel":"c"}}"#,
    r#"{"id":7,"history":{"channel":"c","limit":-1,{more}"since":{{more}"offset":3,"epoch":"e"},"reverse":true}}"#,
    r#"{"id":8,"rpc":{"method":"bot.say","data":[1],{more}"x":1}}"#,
    r#"{{more}"send":{"data":{"service":"s"}}}"#,
    r#"{"id":9,"refresh":{{more}"token":"t"}}"#,
    r#"{"id":10,"sub_refresh":{{more}"channel":"c","token":"t"}}"#,
    r#"{"id":11,{more}"ping":{{more}"x":1}}"#,
    "{}",
];

/// The commands of a frame before its first error, and whether there was one.
fn read(frame: &str) -> (Vec<String>, bool) {
    let commands: Vec<_> = decode(frame).map(|command| command.map(|it| format!("{it:?}"))).collect();
    let good: Vec<_> = commands.iter().map_while(|command| command.as_ref().ok().cloned()).collect();
    let is_bad = good.len() < commands.len();
    (good, is_bad)
}

fn frame(which: &[usize], more: &str) -> Vec<String> {
    which.iter().map(|at| COMMANDS[*at].replace("{more}", more)).collect()
}

fn several() -> impl Strategy<Value = Vec<usize>> {
    proptest::sample::subsequence((0..COMMANDS.len()).collect::<Vec<_>>(), 1..5).prop_shuffle()
}

proptest! {
    #[test]
    fn unknown_members_are_ignored_and_a_frame_that_is_cut_anywhere_gives_only_whole_commands(
        which in several(),
        more in proptest::collection::vec(r#""new[a-z]{1,3}":(1|-2\.5e3|null|"\\"\{"|\[\{\}\]|\{"id":"x"\}),"#, 0..3),
    ) {
        let frame_with = |more: &str| frame(&which, more).join("\n");
        let (whole, is_bad) = read(&frame_with(""));
        prop_assert!(!is_bad && whole.len() == which.len(), "{whole:?}");
        // A repeated name is no unknown member.
        let names: std::collections::BTreeSet<_> = more.iter().map(|member| member.split(':').next()).collect();
        let text = frame_with(if names.len() == more.len() { more.concat() } else { String::new() }.as_str());
        prop_assert_eq!(read(&text), (whole.clone(), false));
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let (part, is_bad) = read(&text[..end]);
            let lines = text[..end].lines().count();
            prop_assert!(whole.starts_with(&part), "{part:?} of {}", &text[..end]);
            prop_assert_eq!(part.len() + usize::from(is_bad), lines);
        }
    }

    #[test]
    fn a_wrong_character_changes_no_command_before_it(which in several(), line in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), wrong in "[\u{0}-\u{7f}]|ü") {
        let mut lines = frame(&which, "");
        let (line, whole) = (line.index(lines.len()), read(&lines.join("\n")).0);
        let place = at.index(lines[line].chars().count());
        let mut chars: Vec<char> = lines[line].chars().collect();
        chars[place] = wrong.chars().next().expect("one");
        lines[line] = chars.into_iter().collect();
        let (good, _) = read(&lines.join("\n"));
        prop_assert!(good.len() >= line && good[..line] == whole[..line], "{good:?}");
    }
}
