//! Where sessions put results and tests wait for theirs.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex};

use libtest_mimic::{Completion, Failed};

/// The result of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passed.
    Passed,
    /// It could not run here, for this reason.
    Skipped(String),
    /// It failed, for this reason.
    Failed(String),
}

/// The results so far, by a test's full name.
#[derive(Default)]
pub(crate) struct Board {
    results: Mutex<HashMap<String, Verdict>>,
    news: Condvar,
}

impl Board {
    /// Puts a result up.
    pub(crate) fn post(&self, name: String, verdict: Verdict) {
        self.results.lock().expect("no holder panics").insert(name, verdict);
        self.news.notify_all();
    }

    /// Waits for the result of a test. A session posts one for each test of its plan, whatever happens.
    pub(crate) fn wait(&self, name: &str) -> Result<Completion, Failed> {
        let mut results = self.results.lock().expect("no holder panics");
        loop {
            match results.remove(name) {
                Some(Verdict::Passed) => return Ok(Completion::Completed),
                Some(Verdict::Skipped(reason)) => return Ok(Completion::ignored_with(reason)),
                Some(Verdict::Failed(reason)) => return Err(reason.into()),
                None => results = self.news.wait(results).expect("no holder panics"),
            }
        }
    }
}
