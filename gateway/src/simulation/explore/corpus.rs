//! Replays the corpus: plans that once failed.

use super::case::Case;
use crate::broker::simulated::Flaw;

/// Runs all cases of the corpus and returns their number. Each case must pass without a flaw; a case with a flaw must fail with it. Each
/// flaw must have a case. The error lists what is wrong.
pub fn replay_corpus() -> Result<usize, String> {
    let cases = Case::corpus()?;
    let mut wrong: Vec<_> = cases.iter().filter_map(|(name, case)| Some(format!("{name}: {}", check(case)?))).collect();
    let lacks = |flaw: &Flaw| !cases.iter().any(|(_, case)| case.flaw == Some(*flaw));
    wrong.extend(Flaw::all().iter().copied().filter(lacks).map(|flaw| format!("{flaw:?} has no case: {}", advice(flaw))));
    if wrong.is_empty() { Ok(cases.len()) } else { Err(wrong.join("\n")) }
}

fn check(case: &Case) -> Option<String> {
    if let Err(message) = case.attempt(None) {
        return Some(message);
    }
    let flaw = case.flaw?;
    case.attempt(Some(flaw)).is_ok().then(|| format!("this case no longer finds {flaw:?}: {}", advice(flaw)))
}

fn advice(flaw: Flaw) -> String {
    format!("`just simulate --flaw {}` shrinks a new one", flaw.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_no_longer_finds_its_flaw_is_reported() {
        let cases = Case::corpus().expect("readable");
        let (_, mut case) = cases.into_iter().find(|(_, case)| case.flaw == Some(Flaw::OneEpoch)).expect("one for each flaw");
        assert_eq!(check(&case), None);
        case.flaw = Some(Flaw::ForgetsAnswers);
        let expected = "this case no longer finds ForgetsAnswers: `just simulate --flaw forgets-answers` shrinks a new one";
        assert_eq!(check(&case).as_deref(), Some(expected));
    }

    #[test]
    fn a_written_case_is_read_as_it_was() {
        for (name, case) in Case::corpus().expect("readable") {
            let text = case.text().expect("plain values");
            let read: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error} in {text}"));
            assert_eq!(read.text().expect("plain values"), text, "{name}");
            assert_eq!(read.attempt(case.flaw), case.attempt(case.flaw), "{name}");
        }
    }
}
