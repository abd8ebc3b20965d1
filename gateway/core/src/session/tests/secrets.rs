//! What is printed of commands, sessions and operations has no token.

use super::*;

const MARK: &str = "s3cr3t";

#[test]
fn commands_operations_and_sessions_are_printed_without_tokens() {
    let (mut it, mut shown) = (TestSession::new(), String::new());
    let mut ask = |it: &mut TestSession, message: &str| {
        for command in decode(&message.replace("MARK", MARK)) {
            let command = command.expect("a good frame");
            shown.extend([format!("{command:?}\n{command:#?}\n")]);
            let mut actions = Vec::new();
            it.session.handle(it.now, Input::Command(command), &mut actions);
            shown.extend([format!("{actions:?}\n{:?}\n", it.session)]);
        }
    };
    ask(&mut it, r#"{"id":1,"connect":{"token":"MARK-1","headers":{"authorization":"Bearer MARK-2"}}}"#);
    it.complete(1, identity(""));
    ask(&mut it, r#"{"id":2,"subscribe":{"channel":"vip:a","token":"MARK-3"}}"#);
    it.complete(2, authorized(Some(60)));
    it.complete(3, attached(0));
    ask(&mut it, r#"{"id":3,"sub_refresh":{"channel":"vip:a","token":"MARK-4"}}"#);
    ask(&mut it, r#"{"id":4,"refresh":{"token":"MARK-5"}}"#);
    for part in ["Authenticate(", "authorization", "Authorize {", "SubRefresh {", "Refresh {", "(a secret)"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(MARK), "{shown}");
}
