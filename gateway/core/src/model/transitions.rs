//! State machines as tables. A table is the only definition of its machine: the code asks it for the next state, and the page
//! `docs/state-machines.md` contains what [`Transitions::markdown`] prints.

use std::fmt::{Debug, Write as _};

/// One row of a table: in each state of `from`, `event` leads to the state `to`.
#[derive(Clone, Copy, Debug)]
pub struct Transition<S: 'static, E> {
    /// What happens.
    pub event: E,
    /// The states in which it may happen.
    pub from: &'static [S],
    /// The state afterwards.
    pub to: S,
}

/// The table of a state machine. Its first row starts in the initial state.
#[derive(Clone, Copy, Debug)]
pub struct Transitions<S: 'static, E: 'static>(pub &'static [Transition<S, E>]);

/// The table lists no transition for this event in this state. It is a bug of the code that reports the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event {event:?} is not allowed in the state {from:?}")]
pub struct UnlistedTransition<S: Debug, E: Debug> {
    /// The current state.
    pub from: S,
    /// The event.
    pub event: E,
}

impl<S: Copy + Debug + PartialEq, E: Copy + Debug + PartialEq> Transitions<S, E> {
    /// The state to which `event` leads.
    pub fn next(&self, from: S, event: E) -> Result<S, UnlistedTransition<S, E>> {
        let row = self.0.iter().find(|row| row.event == event && row.from.contains(&from));
        row.map(|row| row.to).ok_or(UnlistedTransition { from, event })
    }

    /// The state to which `event` leads. An unlisted transition panics in debug builds, and changes nothing in release builds.
    #[must_use]
    pub fn follow(&self, from: S, event: E) -> S {
        self.next(from, event).unwrap_or_else(|unlisted| {
            debug_assert!(false, "{unlisted}");
            from
        })
    }

    /// The table and its graph, as a part of a Markdown page.
    pub fn markdown(&self) -> String {
        let mut out = String::from("| event | from | to |\n|---|---|---|\n");
        for Transition { event, from, to } in self.0 {
            let from: Vec<_> = from.iter().map(|state| format!("{state:?}")).collect();
            let _ = writeln!(out, "| {event:?} | {} | {to:?} |", from.join(", "));
        }
        out.push_str("\n```mermaid\nstateDiagram-v2\n");
        if let Some(initial) = self.0.first().and_then(|row| row.from.first()) {
            let _ = writeln!(out, "    [*] --> {initial:?}");
        }
        for Transition { event, from, to } in self.0 {
            for state in *from {
                let _ = writeln!(out, "    {state:?} --> {to:?}: {event:?}");
            }
        }
        out.push_str("```\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Door {
        Open,
        Shut,
        Locked,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Event {
        Shut,
        Open,
        Lock,
    }

    const DOOR: Transitions<Door, Event> = Transitions(&[
        Transition { event: Event::Shut, from: &[Door::Open], to: Door::Shut },
        Transition { event: Event::Open, from: &[Door::Shut, Door::Locked], to: Door::Open },
        Transition { event: Event::Lock, from: &[Door::Shut], to: Door::Locked },
    ]);

    #[test]
    fn only_listed_transitions_are_allowed() {
        assert_eq!(DOOR.next(Door::Locked, Event::Open), Ok(Door::Open));
        let unlisted = DOOR.next(Door::Open, Event::Lock).expect_err("an open door cannot be locked");
        assert_eq!(unlisted.to_string(), "the event Lock is not allowed in the state Open");
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic = "the event Lock is not allowed in the state Open"]
    fn an_unlisted_transition_panics_in_debug_builds() {
        let _ = DOOR.follow(Door::Open, Event::Lock);
    }

    #[test]
    fn the_table_and_its_graph_are_printed() {
        let expected = "\
| event | from | to |
|---|---|---|
| Shut | Open | Shut |
| Open | Shut, Locked | Open |
| Lock | Shut | Locked |

```mermaid
stateDiagram-v2
    [*] --> Open
    Open --> Shut: Shut
    Shut --> Open: Open
    Locked --> Open: Open
    Shut --> Locked: Lock
```
";
        assert_eq!(DOOR.markdown(), expected);
    }
}
