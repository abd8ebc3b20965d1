//! Runs one plan.

use super::{
    final_phase,
    flaw::QueueFlaw,
    plan::{Shape, Step},
    situations::Situation,
    world::World,
};
use crate::simulation::{
    engine::{self, Engine},
    error_lines,
    explore::Record,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn run(shape: Shape, steps: &[Step], flaw: Option<QueueFlaw>, record: &mut Record<Situation>) -> Result<(), String> {
    let runtime = engine::runtime();
    let mut engine = Engine::new(&runtime);
    let _inside = engine.enter();
    let mut world = World::new(&mut engine, shape, flaw);
    let end = run_steps(&mut world, steps, &mut record.steps).and_then(|()| final_phase::finish(&mut world));
    record.reached = world.reached();
    end
}

fn run_steps(world: &mut World<'_>, steps: &[Step], log: &mut Option<Vec<String>>) -> Result<(), String> {
    world.settle()?;
    for step in steps {
        let done = world.step(*step);
        if let Some(log) = log
            && done != Ok(false)
        {
            log.push(World::describe(*step));
        }
        done?;
    }
    Ok(())
}

/// Runs a plan. A panic and an ERROR line count as failures.
pub(super) fn attempt(shape: Shape, steps: &[Step], flaw: Option<QueueFlaw>, record: &mut Record<Situation>) -> Result<(), String> {
    let (end, lines) = error_lines::capture(|| catch_unwind(AssertUnwindSafe(|| run(shape, steps, flaw, record))));
    end.unwrap_or_else(|_| Err("it panicked".into()))?;
    lines.into_iter().next().map_or(Ok(()), |line| Err(format!("it logged: {}", line.trim())))
}
