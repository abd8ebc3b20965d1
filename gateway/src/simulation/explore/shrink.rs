//! Shrinks failing plans: fewer steps, a plainer shape, fewer details of the steps.

use super::subject::{Plan, Record, Subject};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Makes the smallest plan that still fails: without any part of it, the run passes.
pub(super) fn shrink<S: Subject>(mut plan: Plan<S>, flaw: Option<S::Flaw>) -> Plan<S> {
    loop {
        let before = plan.steps.len();
        plan = plainer_steps(plainer_shape(fewer_steps(plan, flaw), flaw), flaw);
        if plan.steps.len() == before {
            return plan;
        }
    }
}

fn fails<S: Subject>(plan: &Plan<S>, flaw: Option<S::Flaw>) -> bool {
    S::attempt(plan, flaw, &mut Record::default()).is_err()
}

fn fewer_steps<S: Subject>(mut plan: Plan<S>, flaw: Option<S::Flaw>) -> Plan<S> {
    let mut chunk = plan.steps.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < plan.steps.len() {
            let mut shorter = plan.clone();
            shorter.steps.drain(at..(at + chunk).min(plan.steps.len()));
            if fails(&shorter, flaw) {
                plan = shorter;
            } else {
                at += chunk;
            }
        }
        chunk /= 2;
    }
    plan
}

/// Replaces the fields of the shape by those of [`Subject::PLAIN`].
fn plainer_shape<S: Subject>(mut plan: Plan<S>, flaw: Option<S::Flaw>) -> Plan<S> {
    for (field, plain) in fields(&S::PLAIN) {
        let mut shape = fields(&plan.shape);
        shape.insert(field, plain);
        let shape = from_fields(shape);
        let steps = plan.steps.iter().map(|step| S::fitted(*step, &shape)).collect();
        let plainer = Plan { shape, steps };
        if fails(&plainer, flaw) {
            plan = plainer;
        }
    }
    plan
}

/// Leaves out fields of the steps.
fn plainer_steps<S: Subject>(mut plan: Plan<S>, flaw: Option<S::Flaw>) -> Plan<S> {
    for at in 0..plan.steps.len() {
        for (field, _) in fields(&plan.steps[at]).into_iter().filter(|(field, _)| field != "kind") {
            let (mut step, mut plainer) = (fields(&plan.steps[at]), plan.clone());
            step.remove(&field);
            plainer.steps[at] = from_fields(step);
            if fails(&plainer, flaw) {
                plan = plainer;
            }
        }
    }
    plan
}

fn fields(of: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(of) {
        Ok(Value::Object(fields)) => fields,
        other => unreachable!("shapes and steps are objects: {other:?}"),
    }
}

fn from_fields<T: DeserializeOwned>(fields: Map<String, Value>) -> T {
    serde_json::from_value(Value::Object(fields)).expect("the fields of such a value")
}
