//! A numbered list of steps that stops at the first one that fails.

use std::error::Error;
use std::process::Command;
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn Error>>;

/// One thing to hold the project to.
pub(crate) struct Step<'a> {
    /// A word for the legend.
    pub(crate) name: &'static str,
    /// What it proves, for the legend.
    pub(crate) proves: &'static str,
    /// What a person types to run this step alone.
    pub(crate) again: &'static str,
    /// Does it.
    pub(crate) run: Box<dyn FnOnce() -> Outcome + 'a>,
}

/// Prints the legend, runs the steps in order, prints how long each took.
pub(crate) fn run(steps: Vec<Step<'_>>) -> Outcome {
    let count = steps.len();
    println!("{}", legend(&steps));
    let mut times = Vec::with_capacity(count);
    let start = Instant::now();
    for (number, step) in (1..).zip(steps) {
        println!("\n[{number}/{count}] {}", step.name);
        let began = Instant::now();
        let outcome = (step.run)();
        let took = began.elapsed();
        times.push((step.name, took));
        if let Err(error) = outcome {
            eprintln!("{error}");
            println!("\n{}", summary(&times, start.elapsed()));
            let (name, again) = (step.name, step.again);
            return Err(format!(
                "step {number} of {count}, {name}, failed; run it alone with\n\n    {again}\n"
            )
            .into());
        }
        println!("[{number}/{count}] {} took {}", step.name, seconds(took));
    }
    println!("\n{}\nall {count} steps passed", summary(&times, start.elapsed()));
    Ok(())
}

fn legend(steps: &[Step<'_>]) -> String {
    let lines = (1..).zip(steps).map(|(number, step)| {
        let (name, proves) = (step.name, step.proves);
        format!("{number:>3}  {name:<8}  {proves}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn summary(times: &[(&str, Duration)], total: Duration) -> String {
    let mut lines: Vec<String> = (1..)
        .zip(times)
        .map(|(number, (name, took)): (usize, _)| {
            format!("{number:>3}  {name:<8} {}", seconds(*took))
        })
        .collect();
    lines.push(format!("     {:<8} {}", "total", seconds(total)));
    lines.join("\n")
}

fn seconds(time: Duration) -> String {
    format!("{:>7.1} s", time.as_secs_f64())
}

/// Runs a program with its output going where ours goes.
pub(crate) fn call(command: &mut Command) -> Outcome {
    let shown = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}").into()) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn step<'a>(name: &'static str, run: impl FnOnce() -> Outcome + 'a) -> Step<'a> {
        Step { name, proves: "something", again: "do it again", run: Box::new(run) }
    }

    #[test]
    fn steps_run_in_order_and_stop_at_the_first_failure() {
        let ran = RefCell::new(Vec::new());
        let note = |number| {
            ran.borrow_mut().push(number);
            Ok(())
        };
        let error = run(vec![
            step("one", || note(1)),
            step("two", || Err("broken".into())),
            step("three", || note(3)),
        ])
        .unwrap_err()
        .to_string();
        assert_eq!(*ran.borrow(), [1]);
        assert!(error.contains("step 2 of 3, two,") && error.contains("do it again"), "{error}");
    }

    #[test]
    fn all_steps_passing_is_success() {
        assert!(run(vec![step("one", || Ok(())), step("two", || Ok(()))]).is_ok());
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_its_name() {
        assert!(call(&mut Command::new("true")).is_ok());
        assert!(call(&mut Command::new("false")).unwrap_err().to_string().contains("false"));
    }
}
