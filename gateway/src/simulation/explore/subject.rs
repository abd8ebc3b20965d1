//! What a run is made of.

use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeSet, fmt};

/// A kind of runs: how plans are made from seeds, and what happens in them.
pub(in crate::simulation) trait Subject: Sized {
    /// Sizes and limits of a run. An object in JSON.
    type Shape: Copy + fmt::Debug + Serialize + DeserializeOwned + Send;
    /// What happens. An object in JSON with a field `kind`.
    type Step: Copy + Serialize + DeserializeOwned + Send;
    /// Planted faults.
    type Flaw: Copy + fmt::Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What a run can reach.
    type Situation: Ord + fmt::Display + Send;

    /// The plainest shape.
    const PLAIN: Self::Shape;
    /// The folder of the corpus, from the root of the repository.
    const CORPUS: &'static str;
    /// What the command that shrinks a case needs besides the flaw.
    const OPTION: &'static str;

    /// The plan of a seed.
    fn plan(seed: u64) -> Plan<Self>;

    /// The same step in a run of another shape.
    fn fitted(step: Self::Step, shape: &Self::Shape) -> Self::Step;

    /// Runs a plan. The error is the violated guarantee.
    fn attempt(plan: &Plan<Self>, flaw: Option<Self::Flaw>, record: &mut Record<Self::Situation>) -> Result<(), String>;

    /// All flaws.
    fn flaws() -> &'static [Self::Flaw];

    /// The name of a flaw in cases and on the command line.
    fn name(flaw: Self::Flaw) -> String;

    /// All situations.
    fn situations() -> Vec<Self::Situation>;
}

/// The plan of a run: made from a seed, independent of what the steps do.
pub(in crate::simulation) struct Plan<S: Subject> {
    pub(in crate::simulation) shape: S::Shape,
    pub(in crate::simulation) steps: Vec<S::Step>,
}

impl<S: Subject> Clone for Plan<S> {
    fn clone(&self) -> Self {
        Self { shape: self.shape, steps: self.steps.clone() }
    }
}

/// What is known of a run besides its end.
pub(in crate::simulation) struct Record<Situation> {
    /// The steps that did something, for people. None: they are not recorded.
    pub(in crate::simulation) steps: Option<Vec<String>>,
    /// The situations that it reached.
    pub(in crate::simulation) reached: BTreeSet<Situation>,
}

impl<Situation> Default for Record<Situation> {
    fn default() -> Self {
        Self { steps: None, reached: BTreeSet::new() }
    }
}

impl<Situation> Record<Situation> {
    pub(in crate::simulation) fn with_steps() -> Self {
        Self { steps: Some(Vec::new()), ..Self::default() }
    }
}
