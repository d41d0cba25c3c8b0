//! What a new program finds on its stack.
//!
//! ```text
//! stack top   a null word
//!             the path it was started by
//!             environment strings, argument strings
//!             machine name, random bytes
//!             auxiliary vector
//!             environment pointers, null
//!             argument pointers, null
//! rsp ->      argument count
//! ```
use alloc::sync::Arc;
use alloc::vec::Vec;

use tollgate_abi::fs::mode;
use tollgate_abi::{Errno, Result};
use zerocopy::IntoBytes;

use super::auxv::{self, Places};
use super::dice::Dice;
use super::image::Image;
use super::strings::Strings;
use crate::fs::File;
use crate::mm::addr::UserAddr;
use crate::task::program::Program;
use crate::task::{Creds, current};

const PLATFORM: &[u8] = b"x86_64\0";

/// What goes onto the stack.
pub(super) struct Contents<'a> {
    /// Arguments.
    pub(super) args: &'a Strings,
    /// Environment.
    pub(super) env: &'a Strings,
    /// The path the program was started by.
    pub(super) name: &'a [u8],
}

/// A program whose stack is written.
pub(super) struct Ready {
    /// What /proc tells of it.
    pub(super) program: Program,
    /// Its credentials: the old program's, or others if the file is set-user-ID or set-group-ID.
    pub(super) creds: Arc<Creds>,
    /// Whether the credentials changed.
    pub(super) secure: bool,
}

/// Writes the stack of the program in `image`.
///
/// # Errors
/// `ENOMEM`; `EFAULT` when the stack limit leaves no room.
pub(super) fn build(image: &Image, contents: &Contents<'_>, file: Arc<File>, dice: &mut Dice) -> Result<Ready> {
    let (creds, secure) = new_creds(&file);
    let top = image.stack_top.0;
    let name = top - 8 - (contents.name.len() as u64 + 1);
    let env = name - contents.env.bytes().len() as u64;
    // A program without arguments gets an empty name, so that none mistakes its environment for it.
    let no_args = contents.args.count() == 0;
    let args = env - contents.args.bytes().len() as u64 - u64::from(no_args);
    let platform = (args - dice.below(4096) - PLATFORM.len() as u64) & !15;
    let random = platform - 16;
    let vector = auxv::build(image, &Places { random, platform, name }, &creds, secure);
    let arg_count = contents.args.count().max(1);
    let words = 1 + arg_count + 1 + contents.env.count() + 1 + vector.len();
    let sp = (random - (words * 8) as u64) & !15;

    let mut block: Vec<u64> = Vec::new();
    block.try_reserve_exact(words).map_err(|_| Errno::ENOMEM)?;
    block.push(arg_count as u64);
    if no_args {
        block.push(args);
    }
    block.extend(contents.args.offsets().map(|offset| args + offset as u64));
    block.push(0);
    block.extend(contents.env.offsets().map(|offset| env + offset as u64));
    block.push(0);
    block.extend_from_slice(&vector);

    let space = &image.space;
    let seed = dice.seed();
    space.write_remote(UserAddr(name), contents.name)?;
    space.write_remote(UserAddr(env), contents.env.bytes())?;
    space.write_remote(UserAddr(args), contents.args.bytes())?;
    space.write_remote(UserAddr(platform), PLATFORM)?;
    space.write_remote(UserAddr(random), seed.as_bytes())?;
    space.write_remote(UserAddr(sp), block.as_bytes())?;
    let program = Program {
        file,
        arguments: UserAddr(args)..UserAddr(env),
        environment: UserAddr(env)..UserAddr(name),
        auxv: vector,
        stack_start: UserAddr(sp),
        code: image.code.clone(),
        gate: image.gate,
    };
    Ok(Ready { program, creds, secure })
}

/// The credentials the program in `file` runs with, and whether they are not its starter's.
fn new_creds(file: &File) -> (Arc<Creds>, bool) {
    let old = current().creds();
    let attributes = file.path().inode().attributes();
    let bits = attributes.mode();
    if bits & (mode::SETUID | mode::SETGID) == 0 || current().no_new_privs.load(core::sync::atomic::Ordering::Relaxed) {
        // Saved and file system identities follow the effective ones even so.
        if old.suid == old.euid && old.fsuid == old.euid && old.sgid == old.egid && old.fsgid == old.egid {
            let secure = old.uid != old.euid || old.gid != old.egid;
            return (old, secure);
        }
    }
    let mut new = (*old).clone();
    if !current().no_new_privs.load(core::sync::atomic::Ordering::Relaxed) {
        if bits & mode::SETUID != 0 {
            new.euid = attributes.uid();
        }
        // Without group execution the bit means mandatory locking instead.
        if bits & mode::SETGID != 0 && bits & 0o010 != 0 {
            new.egid = attributes.gid();
        }
    }
    (new.suid, new.fsuid, new.sgid, new.fsgid) = (new.euid, new.euid, new.egid, new.egid);
    let secure = new.uid != new.euid || new.gid != new.egid;
    (Arc::new(new), secure)
}
