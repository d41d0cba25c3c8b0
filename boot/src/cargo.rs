//! Builds the kernel, the userland and the sample programs.

use std::env;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The workspace this runner belongs to.
#[derive(Debug)]
pub struct Workspace {
    /// The repository's root.
    pub root: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// Packages below `userland/`: name and folder, relative to the root.
    userland: Vec<(String, PathBuf)>,
}

/// A program for the guest: the folder of its package relative to the root, its name, the file.
#[derive(Debug, Clone)]
pub struct Program {
    /// Such as `userland/tests`.
    pub package: PathBuf,
    /// The binary's name.
    pub name: String,
    /// The executable on the host.
    pub path: PathBuf,
}

/// How the kernel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Optimised, no debug assertions.
    Release,
    /// Optimised, with debug assertions.
    Checked,
}

impl Workspace {
    /// Asks cargo about the workspace.
    pub fn open() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("boot/ has no parent")?.to_owned();
        let output = cargo(&root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo metadata failed");
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let target = metadata["target_directory"].as_str().context("cargo names no target folder")?.into();
        let mut userland = Vec::new();
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let (Some(name), Some(manifest)) = (package["name"].as_str(), package["manifest_path"].as_str()) else {
                continue;
            };
            if let Ok(inside) = Path::new(manifest).strip_prefix(&root)
                && inside.starts_with("userland")
                && let Some(folder) = inside.parent()
            {
                userland.push((name.to_owned(), folder.to_owned()));
            }
        }
        Ok(Self { root, target, userland })
    }

    /// Builds the kernel and returns its ELF file.
    pub fn kernel(&self, profile: Profile) -> Result<PathBuf> {
        let profile = match profile {
            Profile::Release => "release",
            Profile::Checked => "checked",
        };
        let arguments =
            ["-p", "tollgate-kernel", "--target", "x86_64-unknown-none", "--profile", profile].map(String::from);
        self.build(&arguments)?
            .into_iter()
            .find(|program| program.name == "tollgate-kernel")
            .map(|program| program.path)
            .context("cargo built no kernel")
    }

    /// Builds all packages below `userland/` and returns their programs.
    pub fn userland(&self) -> Result<Vec<Program>> {
        if self.userland.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments =
            ["--target", "x86_64-unknown-linux-musl", "--profile", "userland"].map(String::from).to_vec();
        for (name, _) in &self.userland {
            arguments.extend(["-p".to_owned(), name.clone()]);
        }
        self.build(&arguments)
    }

    /// Compiles the C programs in `userland/programs/` with the host's compiler and static libc:
    /// programs that know nothing of Tollgate.
    pub fn c_programs(&self) -> Result<Vec<Program>> {
        let package = PathBuf::from("userland/programs");
        let folder = self.root.join(&package);
        let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
        let out = self.target.join("c-programs");
        fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
        let mut programs = Vec::new();
        for entry in entries {
            let source = entry?.path();
            let (Some("c"), Some(name)) =
                (source.extension().and_then(|e| e.to_str()), source.file_stem().and_then(|n| n.to_str()))
            else {
                continue;
            };
            let path = out.join(name);
            let modified = |file: &Path| fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
            if modified(&path).is_none_or(|built| Some(built) < modified(&source)) {
                let status = Command::new("gcc")
                    .args(["-O2", "-g", "-Wall", "-static", "-pthread", "-o"])
                    .args([&path, &source])
                    .status()
                    .context("cannot run gcc: install it with `apt-get install gcc libc6-dev`, or run ./run-qemu.sh")?;
                if !status.success() {
                    bail!("gcc cannot compile {}", source.display());
                }
            }
            programs.push(Program { package: package.clone(), name: name.to_owned(), path });
        }
        Ok(programs)
    }

    /// Runs `cargo build` and collects the executables it reports.
    fn build(&self, arguments: &[String]) -> Result<Vec<Program>> {
        let mut command = cargo(&self.root);
        command.args(["build", "--message-format", "json-render-diagnostics"]).args(arguments);
        if !std::io::stderr().is_terminal() {
            command.arg("--quiet");
        }
        let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo build {} failed", arguments.join(" "));
        }
        let mut programs = Vec::new();
        for line in String::from_utf8(output.stdout)?.lines() {
            let message: Value = serde_json::from_str(line).context("cargo's messages are not JSON")?;
            let (Some(path), Some(name), Some(manifest)) =
                (message["executable"].as_str(), message["target"]["name"].as_str(), message["manifest_path"].as_str())
            else {
                continue;
            };
            let folder = Path::new(manifest).parent().unwrap_or(Path::new(""));
            let package = folder.strip_prefix(&self.root).unwrap_or(folder).to_owned();
            programs.push(Program { package, name: name.to_owned(), path: path.into() });
        }
        Ok(programs)
    }
}

/// The cargo that started us, or the one in `PATH`, set up for a nested build.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).stdin(Stdio::null());
    // These would override the flags of .cargo/config.toml, without which the kernel does not link.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    command
}
