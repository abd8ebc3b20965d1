//! Runs one plan.

use super::{
    engine::{self, Engine},
    error_lines,
    explore::Record,
    final_phase,
    plan::{Kind, Shape, Step},
    situations::Situation,
    world::World,
};
use crate::broker::simulated::Flaw;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Part of the only ERROR line that a run may log, and only after a step [`Kind::DropAnnouncement`]: in production the cause is a missing right.
const EXPECTED: &str = "Redis stored a publication but refused PUBLISH";

/// Runs a plan. The error is the violated guarantee.
fn run(shape: Shape, steps: &[Step], flaw: Option<Flaw>, record: &mut Record<Situation>) -> Result<(), String> {
    let runtime = engine::runtime();
    let mut engine = Engine::new(&runtime);
    let _inside = engine.enter();
    let mut world = World::new(&mut engine, shape, flaw);
    let end = run_steps(&mut world, steps, &mut record.steps).and_then(|()| final_phase::finish(&mut world));
    record.reached = world.reached();
    end
}

fn run_steps(world: &mut World<'_>, steps: &[Step], log: &mut Option<Vec<String>>) -> Result<(), String> {
    for step in steps {
        if world.step(*step) {
            if let Some(log) = log {
                log.push(World::describe(*step));
            }
            if step.kind.wakes() {
                world.settle()?;
            }
        }
    }
    Ok(())
}

/// Runs a plan. A panic and an ERROR line count as failures.
pub(super) fn attempt(shape: Shape, steps: &[Step], flaw: Option<Flaw>, record: &mut Record<Situation>) -> Result<(), String> {
    let (end, lines) = error_lines::capture(|| catch_unwind(AssertUnwindSafe(|| run(shape, steps, flaw, record))));
    end.unwrap_or_else(|_| Err("it panicked".into()))?;
    let may_drop = record.reached.contains(&Situation::Step(Kind::DropAnnouncement));
    match lines.into_iter().find(|line| !(may_drop && line.contains(EXPECTED))) {
        Some(line) => Err(format!("it logged: {}", line.trim())),
        None => Ok(()),
    }
}
