//! execve: another program in place of the current one.
//!
//! The new program is laid out completely in an address space of its own while the old one is still there, so that
//! whatever is wrong with it comes back as an errno. Only then the other threads end, and the old program goes.
mod auxv;
mod dice;
mod image;
mod script;
mod stack;
mod strings;
mod takeover;

use alloc::sync::Arc;
use alloc::vec::Vec;

use tollgate_abi::fs::{AT_FDCWD, AtFlags};
use tollgate_abi::{Errno, Result};

use dice::Dice;
pub use strings::Strings;

use super::{create, current, sched};
use crate::fs::{self, File};

/// Bytes of a program's file that its format is told from.
const HEAD: usize = 256;
/// Most scripts that are run by scripts, as on Linux.
const MAX_SCRIPTS: usize = 5;

/// What to run.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Directory of relative paths, AT_FDCWD for the working directory; with an empty path the file itself.
    pub dirfd: i32,
    /// The path.
    pub path: &'a [u8],
    /// EMPTY_PATH, SYMLINK_NOFOLLOW.
    pub flags: AtFlags,
}

impl Source<'_> {
    fn open(&self) -> Result<Arc<File>> {
        fs::open_exec_at(self.dirfd, self.path, self.flags)
    }

    /// What AT_EXECFN and scripts are told: a path that leads to the file.
    fn name(&self) -> Vec<u8> {
        if self.dirfd == AT_FDCWD || self.path.first() == Some(&b'/') {
            return self.path.to_vec();
        }
        let mut name = alloc::format!("/dev/fd/{}", self.dirfd).into_bytes();
        if !self.path.is_empty() {
            name.push(b'/');
            name.extend_from_slice(self.path);
        }
        name
    }

    /// Whether [`Self::name`] leads nowhere once the new program runs.
    fn name_closes(&self) -> bool {
        self.dirfd != AT_FDCWD
            && self.path.first() != Some(&b'/')
            && current().files().cloexec(self.dirfd).unwrap_or(false)
    }
}

/// Replaces the current process's program. On success the current task is set to start the new one.
///
/// # Errors
/// `ENOEXEC` when the file is no program, `E2BIG` when arguments and environment are too long, `ELOOP` when scripts run
/// scripts too deep; `EINVAL`, `EIO`, `ENOMEM`; those of opening the file; `EAGAIN` when the process is ending.
pub fn execve(source: Source<'_>, mut args: Strings, env: Strings) -> Result<()> {
    let name = source.name();
    let mut file = source.open()?;
    let mut head = [0; HEAD];
    read_head(&file, &mut head)?;
    let mut scripts = 0;
    let mut interpreted = None;
    while let Some(line) = script::parse(&head) {
        let line = line?;
        if scripts == MAX_SCRIPTS {
            return Err(Errno::ELOOP);
        }
        if scripts == 0 && source.name_closes() {
            return Err(Errno::ENOENT);
        }
        scripts += 1;
        // The interpreter gets its own path, its argument, and the script's path in place of the first argument.
        args.replace_first(interpreted.as_deref().unwrap_or(&name))?;
        if let Some(argument) = line.argument {
            args.push_front(argument)?;
        }
        args.push_front(line.interpreter)?;
        file = fs::open_exec(line.interpreter)?;
        interpreted = Some(line.interpreter.to_vec());
        read_head(&file, &mut head)?;
    }
    args.check_room(&env)?;
    let mut dice = Dice::throw();
    let image = image::build(&file, &head, &mut dice)?;
    let contents = stack::Contents { args: &args, env: &env, name: &name };
    let ready = stack::build(&image, &contents, file, &mut dice)?;
    takeover::run(image, ready, last_component(&name))
}

/// Reads the beginning of a file; what is past its end reads as zeros.
fn read_head(file: &File, head: &mut [u8; HEAD]) -> Result<()> {
    head.fill(0);
    file.read_at(0, head)?;
    Ok(())
}

fn last_component(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or(path)
}

/// Makes process 1, which runs `/init`. Called once, when the root file system is there.
pub fn start_init() {
    let task = create::first_task().expect("memory for the first process");
    sched::start(task, (0, 0));
}

/// The first process's first steps: descriptors 0 to 2 are the console, and the program is `/init`.
pub(super) fn first_program() {
    let files = current().files();
    match fs::open_console() {
        Ok(console) => {
            for _ in 0..3 {
                files.insert(console.clone(), false, 0, 3).expect("room for three descriptors");
            }
        }
        Err(error) => log::warn!("no console for init: {error:?}"),
    }
    let source = Source { dirfd: AT_FDCWD, path: b"/init", flags: AtFlags::empty() };
    let run = || execve(source, Strings::of(&[b"/init"])?, Strings::of(&[b"HOME=/", b"TERM=linux"])?);
    if let Err(error) = run() {
        panic!("cannot run /init: {error:?}");
    }
}
