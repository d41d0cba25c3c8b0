//! Reads a guest's console while the tests run, and turns it into results.

use std::io::{self, Write};

use crate::board::Verdict;
use crate::plan::{Plan, Step, Tests};

/// Takes console output as it comes; complete results go to `post`, by name without the target's.
pub(crate) struct Transcript<'a, F: FnMut(&str, Verdict)> {
    plan: &'a Plan,
    post: F,
    /// The step that runs.
    step: Option<&'a Step>,
    /// What the step has printed, less the results.
    text: String,
    line: Vec<u8>,
    /// Tests of the plan that have no result yet, in order.
    missing: Vec<String>,
    /// Whether the script has begun.
    begun: bool,
}

/// What is left when the machine is gone.
pub(crate) struct End {
    /// The tests without a result, the one that was running first.
    pub(crate) missing: Vec<String>,
    /// What that one has printed.
    pub(crate) text: String,
    /// Whether any test was started at all.
    pub(crate) begun: bool,
}

impl<'a, F: FnMut(&str, Verdict)> Transcript<'a, F> {
    /// A transcript of the plan's script.
    pub(crate) fn new(plan: &'a Plan, post: F) -> Self {
        Self { plan, post, step: None, text: String::new(), line: Vec::new(), missing: plan.names(), begun: false }
    }

    /// What is left when the machine is gone.
    pub(crate) fn end(self) -> End {
        let text = format!("{}{}", self.text, String::from_utf8_lossy(&self.line));
        End { missing: self.missing, text, begun: self.begun }
    }

    fn verdict(&mut self, name: &str, verdict: Verdict) {
        if let Some(index) = self.missing.iter().position(|missing| missing == name) {
            self.missing.remove(index);
            (self.post)(name, verdict);
        }
    }

    fn line(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("@begin ") {
            self.step = self.plan.steps.iter().find(|step| step.name == name);
            self.begun = true;
            self.text.clear();
            return;
        }
        let Some(step) = self.step else { return };
        if let Some(status) = line.strip_prefix("@end ").and_then(|rest| rest.strip_prefix(step.name.as_str())) {
            self.step_ends(step, status.trim());
            self.step = None;
            return;
        }
        if let Tests::Suite(_) = step.tests
            && let Some((test, verdict)) = result(line)
        {
            // What was printed since the last result belongs to this test.
            let verdict = match verdict {
                Verdict::Failed(reason) => Verdict::Failed(format!("{reason}\n{}", self.text.trim_end())),
                other => other,
            };
            self.text.clear();
            return self.verdict(&format!("{}::{test}", step.name), verdict);
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn step_ends(&mut self, step: &Step, status: &str) {
        match &step.tests {
            Tests::Suite(_) => {
                let prefix = format!("{}::", step.name);
                let lost: Vec<String> = self.missing.iter().filter(|name| name.starts_with(&prefix)).cloned().collect();
                let text = self.text.trim_end().to_owned();
                for name in lost {
                    let reason = format!("{} ended with status {status} before a result\n{text}", step.name);
                    self.verdict(&name, Verdict::Failed(reason));
                }
            }
            Tests::Output(expected) => {
                // The mark begins with a newline of its own.
                let text = self.text.strip_suffix('\n').unwrap_or(&self.text).to_owned();
                let verdict = if text != *expected {
                    Verdict::Failed(format!("the output differs:\n{}", difference(expected, &text)))
                } else if status != "0" {
                    Verdict::Failed(format!("ended with status {status}"))
                } else {
                    Verdict::Passed
                };
                self.verdict(&step.name, verdict);
            }
        }
    }
}

impl<F: FnMut(&str, Verdict)> Write for Transcript<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                self.line(&line);
            } else {
                self.line.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line that tells a test's result.
fn result(line: &str) -> Option<(&str, Verdict)> {
    let split = |rest: &str| match rest.split_once(": ") {
        Some((name, reason)) => (name.len(), reason.to_owned()),
        None => (rest.len(), String::new()),
    };
    if let Some(rest) = line.strip_prefix("not ok ") {
        let (end, reason) = split(rest);
        Some((&rest[..end], Verdict::Failed(reason)))
    } else if let Some(rest) = line.strip_prefix("skip ") {
        let (end, reason) = split(rest);
        Some((&rest[..end], Verdict::Skipped(reason)))
    } else {
        line.strip_prefix("ok ").map(|name| (name.trim_end(), Verdict::Passed))
    }
}

/// The first line that differs, and the whole of what came.
fn difference(expected: &str, text: &str) -> String {
    let (mut wanted, mut got) = (expected.lines(), text.lines());
    for number in 1.. {
        let pair = (wanted.next(), got.next());
        if pair.0 != pair.1 {
            let [want, have] = [pair.0, pair.1].map(|line| line.unwrap_or("(the end)"));
            return format!("line {number}: expected {want:?}, got {have:?}; all of it:\n{text}");
        }
        if pair == (None, None) {
            break;
        }
    }
    "only in the last newline".into()
}
