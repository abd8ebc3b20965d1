use crate::session::{phases::PHASES, state::subscriptions::SUBSCRIPTION};

const PAGE: &str = include_str!("../../../../../docs/state-machines.md");

#[test]
fn the_page_shows_the_phases_of_a_session() {
    let expected = PHASES.markdown();
    assert!(PAGE.contains(&expected), "docs/state-machines.md does not contain this text:\n{expected}");
}

#[test]
fn the_page_shows_the_states_of_a_subscription() {
    let expected = SUBSCRIPTION.markdown();
    assert!(PAGE.contains(&expected), "docs/state-machines.md does not contain this text:\n{expected}");
}
