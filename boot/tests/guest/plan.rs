//! Which tests there are, and the script that runs some of them in a guest.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tollgate_boot::cargo::{Program, Workspace};

/// A kernel and machine to run the tests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Tollgate on one CPU.
    Smp1,
    /// Tollgate on four CPUs.
    Smp4,
    /// A stock Linux.
    Linux,
}

impl Target {
    /// All of them.
    pub(crate) const ALL: [Target; 3] = [Target::Smp1, Target::Smp4, Target::Linux];

    /// The first part of its tests' names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Target::Smp1 => "smp1",
            Target::Smp4 => "smp4",
            Target::Linux => "linux",
        }
    }

    /// The number of CPUs.
    pub(crate) fn cpus(self) -> u32 {
        match self {
            Target::Smp1 => 1,
            Target::Smp4 => 4,
            Target::Linux => 2,
        }
    }
}

/// The user space of the guest, and the tests that are in it.
pub(crate) struct Guest {
    /// The workspace.
    pub(crate) workspace: Workspace,
    /// All programs for the guest.
    pub(crate) programs: Vec<Program>,
    /// A stock Linux kernel, if there is one.
    pub(crate) linux: Option<PathBuf>,
    /// What can be run: test binaries and a script.
    steps: Vec<Step>,
}

/// One thing to run in the guest.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The second part of its tests' names, and the mark of its output.
    pub(crate) name: String,
    /// How the guest's shell starts it.
    command: String,
    /// What is tested.
    pub(crate) tests: Tests,
}

/// The tests of a step.
#[derive(Debug, Clone)]
pub(crate) enum Tests {
    /// A test binary: its tests, each with whether it is to pass on Linux too.
    Suite(Vec<(String, bool)>),
    /// A script that is a test itself: it must print this and end with status 0.
    Output(String),
}

impl Guest {
    /// Builds user space and asks the test binaries for their tests.
    pub(crate) fn prepare() -> Result<Self> {
        let workspace = Workspace::open()?;
        let mut programs = workspace.userland()?;
        programs.extend(workspace.c_programs()?);
        let mut steps = Vec::new();
        for program in &programs {
            if program.package == Path::new("userland/tests") {
                steps.push(suite(program)?);
            }
        }
        steps.push(script(&workspace)?);
        steps.sort_by(|a, b| a.name.cmp(&b.name));
        let linux = Command::new(workspace.root.join("boot/get-linux.sh")).arg("--cached").output()?;
        let linux = linux.status.success().then(|| String::from_utf8_lossy(&linux.stdout).trim().into());
        Ok(Self { workspace, programs, linux, steps })
    }

    /// The tests that a target runs.
    pub(crate) fn plan(&self, target: Target) -> Plan {
        let mut steps = self.steps.clone();
        if target == Target::Linux {
            for step in &mut steps {
                if let Tests::Suite(tests) = &mut step.tests {
                    tests.retain(|(_, linux)| *linux);
                }
            }
        }
        Plan { target, steps }
    }
}

/// A test binary: a plain static program, so it can say here what tests it has.
fn suite(program: &Program) -> Result<Step> {
    let list = Command::new(&program.path).arg("--list").output()?;
    if !list.status.success() {
        bail!("{} --list failed: {}", program.name, String::from_utf8_lossy(&list.stderr));
    }
    let mut tests = Vec::new();
    for line in String::from_utf8(list.stdout)?.lines() {
        tests.push(match line.strip_suffix(" linux") {
            Some(name) => (name.to_owned(), true),
            None => (line.to_owned(), false),
        });
    }
    Ok(Step { name: program.name.clone(), command: format!("/tests/{}", program.name), tests: Tests::Suite(tests) })
}

/// The script for busybox's shell, and its output on Linux.
fn script(workspace: &Workspace) -> Result<Step> {
    let expected = workspace.root.join("boot/tests/shell/expected");
    let expected = fs::read_to_string(&expected).with_context(|| format!("cannot read {}", expected.display()))?;
    Ok(Step {
        name: "shell::script".into(),
        command: "cd /tmp && sh /etc/tollgate/shell.sh".into(),
        tests: Tests::Output(expected),
    })
}

/// Tests to run on a target.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Where they run.
    pub(crate) target: Target,
    /// The steps, in order.
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    /// The names of all tests, without the target's.
    pub(crate) fn names(&self) -> Vec<String> {
        self.steps.iter().flat_map(Step::names).collect()
    }

    /// Keeps only the tests whose names (without the target's) are wanted.
    pub(crate) fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        for step in &mut self.steps {
            if let Tests::Suite(tests) = &mut step.tests {
                let name = &step.name;
                tests.retain(|(test, _)| wanted(&format!("{name}::{test}")));
            }
        }
        self.steps.retain(|step| match &step.tests {
            Tests::Suite(tests) => !tests.is_empty(),
            Tests::Output(_) => wanted(&step.name),
        });
    }

    /// The shell script that runs the steps, with marks around the output of each.
    pub(crate) fn script(&self) -> String {
        let mut script = String::new();
        for step in &self.steps {
            let name = &step.name;
            let _ = write!(script, "echo '@begin {name}'\n({}", step.command);
            if let Tests::Suite(tests) = &step.tests {
                script.push_str(" --exact");
                for (test, _) in tests {
                    let _ = write!(script, " {test}");
                }
            }
            let _ = write!(script, ") </dev/null 2>&1\nprintf '\\n@end {name} %d\\n' $?\n");
        }
        script
    }
}

impl Step {
    /// The names of its tests, without the target's.
    pub(crate) fn names(&self) -> Vec<String> {
        match &self.tests {
            Tests::Suite(tests) => tests.iter().map(|(test, _)| format!("{}::{test}", self.name)).collect(),
            Tests::Output(_) => vec![self.name.clone()],
        }
    }
}
