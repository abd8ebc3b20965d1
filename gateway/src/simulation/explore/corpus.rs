//! Replays the corpus: plans that once failed.

use super::{case::Case, subject::Subject};

/// Runs all cases of the corpus and returns their number. Each case must pass without a flaw; a case with a flaw must fail with it. Each
/// flaw must have a case. The error lists what is wrong.
pub(in crate::simulation) fn replay_corpus<S: Subject>() -> Result<usize, String> {
    let cases = Case::<S>::corpus()?;
    let mut wrong: Vec<_> = cases.iter().filter_map(|(name, case)| Some(format!("{name}: {}", check(case)?))).collect();
    let lacks = |flaw: &S::Flaw| !cases.iter().any(|(_, case)| case.flaw == Some(*flaw));
    let lacking = S::flaws().iter().copied().filter(lacks);
    wrong.extend(lacking.map(|flaw| format!("{flaw:?} has no case: {}", advice::<S>(flaw))));
    if wrong.is_empty() { Ok(cases.len()) } else { Err(wrong.join("\n")) }
}

/// What is wrong with a case. None: nothing.
pub(in crate::simulation) fn check<S: Subject>(case: &Case<S>) -> Option<String> {
    if let Err(message) = case.attempt(None) {
        return Some(message);
    }
    let flaw = case.flaw?;
    case.attempt(Some(flaw)).is_ok().then(|| format!("this case no longer finds {flaw:?}: {}", advice::<S>(flaw)))
}

fn advice<S: Subject>(flaw: S::Flaw) -> String {
    format!("`just simulate {}--flaw {}` shrinks a new one", S::OPTION, S::name(flaw))
}
