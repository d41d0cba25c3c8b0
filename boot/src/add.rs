//! `--add HOST[:GUEST]` and `--add-bin PROGRAM[:GUEST]`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::libraries;
use crate::tree::Tree;

/// Puts a file or folder of the host into the tree.
pub fn file(tree: &mut Tree, argument: &str) -> Result<()> {
    let (host, guest) = split(argument, |host| host.exists()).with_context(|| format!("--add {argument}"))?;
    tree.host(&guest, &host).with_context(|| format!("--add {argument}"))
}

/// Puts a program of the host into the tree, with its interpreter and libraries. A name without a
/// slash is looked up in `PATH`.
pub fn program(tree: &mut Tree, argument: &str) -> Result<()> {
    let mut add = || -> Result<()> {
        let (named, guest) = split(argument, |host| search(host).is_some())?;
        let host = search(&named).context("no such program")?;
        tree.host(&guest, &host)?;
        for (library, path) in libraries::resolve(&host)? {
            tree.host(&library, &path)?;
        }
        Ok(())
    };
    add().with_context(|| format!("--add-bin {argument}"))
}

/// The host's file and the guest's path of an argument. A host path may itself have a colon.
fn split(argument: &str, exists: impl Fn(&Path) -> bool) -> Result<(PathBuf, String)> {
    let whole = Path::new(argument);
    if exists(whole) {
        let name = whole.canonicalize().unwrap_or_else(|_| whole.to_owned());
        let given = whole.file_name().or(name.file_name()).context("has no name: give HOST:GUEST")?;
        return Ok((whole.to_owned(), format!("/{}", given.to_str().context("is not UTF-8")?)));
    }
    match argument.rsplit_once(':') {
        Some((host, guest)) if exists(Path::new(host)) => {
            if !guest.starts_with('/') {
                bail!("the guest path {guest:?} must start with a slash");
            }
            Ok((PathBuf::from(host), guest.to_owned()))
        }
        Some((host, _)) => bail!("there is no {host} on this machine"),
        None => bail!("there is no {argument} on this machine"),
    }
}

/// A program by path, or by name in `PATH`.
fn search(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 || program.is_file() {
        return program.is_file().then(|| program.to_owned());
    }
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guest_path_is_optional() {
        let exists = |path: &Path| ["a/b", "x:y"].contains(&path.to_str().unwrap());
        assert_eq!(split("a/b", exists).unwrap(), (PathBuf::from("a/b"), "/b".to_owned()));
        assert_eq!(split("a/b:/c/d", exists).unwrap(), (PathBuf::from("a/b"), "/c/d".to_owned()));
        assert_eq!(split("x:y", exists).unwrap(), (PathBuf::from("x:y"), "/x:y".to_owned()));
        assert_eq!(split("x:y:/z", exists).unwrap(), (PathBuf::from("x:y"), "/z".to_owned()));
        assert!(split("none", exists).is_err());
        assert!(split("a/b:relative", exists).is_err());
    }
}
