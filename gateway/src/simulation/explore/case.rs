//! A case: a plan that once failed, as a file.

use super::{
    shrink::shrink,
    subject::{Plan, Record, Subject},
};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The folder for new cases.
const NEW: &str = "target/simulation";

/// A plan that once failed. It contains the steps instead of the seed, because the same seed makes another plan after a change of the
/// generator.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
pub(in crate::simulation) struct Case<S: Subject> {
    /// What it once found, in a sentence.
    found: String,
    /// The planted flaw with which it fails. `None` if it found a fault of the gateway, or a change made by hand.
    #[serde(default)]
    pub(in crate::simulation) flaw: Option<S::Flaw>,
    shape: S::Shape,
    steps: Vec<S::Step>,
}

impl<S: Subject> Case<S> {
    /// The case of a failing plan, shrunk.
    pub(super) fn shrunk(plan: Plan<S>, flaw: Option<S::Flaw>) -> Self {
        let plan = shrink(plan, flaw);
        let found = S::attempt(&plan, flaw, &mut Record::default()).err().unwrap_or_default();
        Self { found, flaw, shape: plan.shape, steps: plan.steps }
    }

    /// All cases of the corpus with their file names.
    pub(in crate::simulation) fn corpus() -> Result<Vec<(String, Self)>, String> {
        let of_folder = |error: io::Error| format!("{}: {error}", S::CORPUS);
        let mut cases = Vec::new();
        for file in fs::read_dir(Path::new(ROOT).join(S::CORPUS)).map_err(of_folder)? {
            let path = file.map_err(of_folder)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
            let case = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
            cases.push((name, case));
        }
        cases.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(cases)
    }

    /// Runs it. The error is the violated guarantee.
    pub(in crate::simulation) fn attempt(&self, flaw: Option<S::Flaw>) -> Result<(), String> {
        self.attempt_with(flaw, &mut Record::default())
    }

    fn attempt_with(&self, flaw: Option<S::Flaw>, record: &mut Record<S::Situation>) -> Result<(), String> {
        S::attempt(&Plan { shape: self.shape, steps: self.steps.clone() }, flaw, record)
    }

    /// Number of its steps.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Writes it as a file, and reports what it does and how to commit it.
    pub(super) fn report(&self, name: &str) -> String {
        let mut record = Record::with_steps();
        let end = self.attempt_with(self.flaw, &mut record).err().unwrap_or_default();
        let steps = match record.steps.unwrap_or_default() {
            steps if steps.is_empty() => "(no steps)".into(),
            steps => steps.join("\n  "),
        };
        let file = format!("{NEW}/{name}.json");
        let advice = match self.write(&Path::new(ROOT).join(&file)) {
            Ok(()) => format!(
                "This case is in {file}. To keep it, write into its field \"found\" what it shows, and commit it with the correction:\n  cp {file} {}/",
                S::CORPUS
            ),
            Err(error) => format!("{file} could not be written: {error}"),
        };
        format!("shrunk, {:?}:\n  {steps}\n  => {end}\n{advice}", self.shape)
    }

    fn write(&self, to: &Path) -> io::Result<()> {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(to, self.text()?)
    }

    /// JSON with one step a line. Fields of steps that are zero are left out.
    pub(in crate::simulation) fn text(&self) -> serde_json::Result<String> {
        use serde_json::to_string;
        let flaw = self.flaw.map(|flaw| to_string(&flaw)).transpose()?;
        let flaw = flaw.map(|flaw| format!("  \"flaw\": {flaw},\n")).unwrap_or_default();
        let steps = self.steps.iter().map(to_string).collect::<serde_json::Result<Vec<_>>>()?;
        let steps = steps.iter().map(|step| format!("\n    {step}")).collect::<Vec<_>>().join(",");
        let (found, shape) = (to_string(&self.found)?, to_string(&self.shape)?);
        Ok(format!("{{\n  \"found\": {found},\n{flaw}  \"shape\": {shape},\n  \"steps\": [{steps}\n  ]\n}}\n"))
    }
}
