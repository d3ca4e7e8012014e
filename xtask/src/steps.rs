//! Steps with headings and times. The first one that fails is the last one run; the table is printed all the same.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub(crate) struct Steps {
    done: Vec<(&'static str, Duration)>,
    failed: Option<(&'static str, Duration)>,
    not_run: Vec<&'static str>,
    left_out: Vec<&'static str>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { done: Vec::new(), failed: None, not_run: Vec::new(), left_out: Vec::new() }
    }

    /// Runs the step unless an earlier one has failed.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        if self.failed.is_some() {
            self.not_run.push(name);
            return;
        }
        println!("\n== {name}");
        let start = Instant::now();
        match work() {
            Ok(()) => self.done.push((name, start.elapsed())),
            Err(error) => {
                eprintln!("error: {error:#}");
                self.failed = Some((name, start.elapsed()));
            }
        }
    }

    /// A row that says in whole words what was not done here, and why.
    pub(crate) fn left_out(&mut self, what: &'static str) {
        self.left_out.push(what);
    }

    pub(crate) fn finish(self) -> Result<()> {
        println!("\nminutes  step");
        for (name, time) in &self.done {
            println!("{:7.2}  {name}", minutes(*time));
        }
        if let Some((name, time)) = self.failed {
            println!("{:7.2}  {name}: FAILED", minutes(time));
        }
        for name in &self.not_run {
            println!("      -  {name}: not run");
        }
        for what in &self.left_out {
            println!("      -  {what}");
        }
        let total = self.done.iter().chain(&self.failed).map(|(_, time)| *time).sum();
        println!("{:7.2}  in all", minutes(total));
        println!("steps: {} passed, {} failed", self.done.len(), usize::from(self.failed.is_some()));
        match self.failed {
            Some((name, _)) => bail!("the step \"{name}\" failed"),
            None => Ok(()),
        }
    }
}

pub(crate) fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}
