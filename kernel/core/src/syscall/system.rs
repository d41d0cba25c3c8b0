//! The system as a whole: names, load, power.
use tollgate_abi::process::{SysInfo, UtsName, reboot as command};
use tollgate_abi::{Errno, Result};

use crate::arch::{clock, power};
use crate::mm::addr::UserAddr;
use crate::mm::user::{self, UserPtr};
use crate::mm::{PAGE_SIZE, frame};
use crate::sync::{Rank, SpinLock};
use crate::task::{current, tree};

/// Longest host or domain name.
const MAX_NAME: usize = 64;
/// The kernel's version as programs that compare numbers see it: that of the Linux it resembles.
pub const RELEASE: &str = concat!("6.12.0-tollgate-", env!("CARGO_PKG_VERSION"));
/// What uname(2) says of the build.
pub const VERSION: &str = "#1 SMP Tollgate";

/// Host and domain name.
static NAMES: SpinLock<[[u8; 65]; 2]> = SpinLock::new(Rank::SystemNames, [field("tollgate"), field("(none)")]);
const HOST: usize = 0;
const DOMAIN: usize = 1;

const fn field(text: &str) -> [u8; 65] {
    let mut field = [0; 65];
    let (head, _) = field.split_at_mut(text.len());
    head.copy_from_slice(text.as_bytes());
    field
}

/// The host name, without padding.
pub fn host_name() -> alloc::vec::Vec<u8> {
    let name = NAMES.lock()[HOST];
    name.split(|&b| b == 0).next().unwrap_or_default().to_vec()
}

/// uname(2).
///
/// # Errors
/// `EFAULT`.
pub fn uname(out: UserPtr<UtsName>) -> Result<usize> {
    let [nodename, domainname] = *NAMES.lock();
    out.write(&UtsName {
        sysname: field("Linux"),
        nodename,
        release: field(RELEASE),
        version: field(VERSION),
        machine: field("x86_64"),
        domainname,
    })?;
    Ok(0)
}

/// sethostname(2).
///
/// # Errors
/// `EPERM`, `EINVAL`, `EFAULT`.
pub fn sethostname(name: UserAddr, len: i32) -> Result<usize> {
    set_name(HOST, name, len)
}

/// setdomainname(2).
///
/// # Errors
/// `EPERM`, `EINVAL`, `EFAULT`.
pub fn setdomainname(name: UserAddr, len: i32) -> Result<usize> {
    set_name(DOMAIN, name, len)
}

fn set_name(which: usize, name: UserAddr, len: i32) -> Result<usize> {
    privileged()?;
    let len = usize::try_from(len).ok().filter(|&len| len <= MAX_NAME).ok_or(Errno::EINVAL)?;
    let mut new = [0; 65];
    user::read_bytes(name, &mut new[..len])?;
    NAMES.lock()[which] = new;
    Ok(0)
}

fn privileged() -> Result<()> {
    if current().creds().is_privileged() { Ok(()) } else { Err(Errno::EPERM) }
}

/// sysinfo(2).
///
/// # Errors
/// `EFAULT`.
pub fn sysinfo(out: UserPtr<SysInfo>) -> Result<usize> {
    let frames = frame::stats();
    let tasks = tree::lock().task_count();
    out.write(&SysInfo {
        uptime: (clock::now_ns() / 1_000_000_000) as i64,
        total_ram: (frames.total * PAGE_SIZE) as u64,
        free_ram: ((frames.total - frames.used) * PAGE_SIZE) as u64,
        processes: u16::try_from(tasks).unwrap_or(u16::MAX),
        unit: 1,
        ..SysInfo::default()
    })?;
    Ok(0)
}

/// reboot(2).
///
/// # Errors
/// `EPERM`; `EINVAL` for wrong magic numbers and unknown commands.
pub fn reboot(magic1: u32, magic2: u32, what: u32) -> Result<usize> {
    privileged()?;
    if magic1 != command::MAGIC1 || !command::MAGIC2.contains(&magic2) {
        return Err(Errno::EINVAL);
    }
    match what {
        // There is no Ctrl-Alt-Del to turn on or off.
        command::CAD_ON | command::CAD_OFF => Ok(0),
        command::POWER_OFF => power::off(),
        command::RESTART => power::restart(),
        command::HALT => {
            log::info!("system halted");
            power::halt()
        }
        _ => Err(Errno::EINVAL),
    }
}
