//! Who one is: process and thread numbers, groups and sessions, users.
use alloc::vec::Vec;

use tollgate_abi::{Errno, Result};

use crate::mm::user::UserPtr;
use crate::task::creds::{self, Creds, MAX_GROUPS};
use crate::task::{current, ids};

/// "Leave this identity as it is."
const KEEP: u32 = u32::MAX;

/// getpid(2).
///
/// # Errors
/// None.
pub fn getpid() -> Result<usize> {
    Ok(current().process.pid as usize)
}

/// gettid(2).
///
/// # Errors
/// None.
pub fn gettid() -> Result<usize> {
    Ok(current().tid() as usize)
}

/// getppid(2).
///
/// # Errors
/// None.
pub fn getppid() -> Result<usize> {
    Ok(current().process.parent_pid() as usize)
}

/// getpgrp(2).
///
/// # Errors
/// None.
pub fn getpgrp() -> Result<usize> {
    Ok(current().process.group().id as usize)
}

/// getpgid(2).
///
/// # Errors
/// `ESRCH`.
pub fn getpgid(pid: i32) -> Result<usize> {
    Ok(ids::process_named(pid)?.group().id as usize)
}

/// setpgid(2).
///
/// # Errors
/// As [`ids::set_group`].
pub fn setpgid(pid: i32, pgid: i32) -> Result<usize> {
    ids::set_group(pid, pgid)?;
    Ok(0)
}

/// getsid(2).
///
/// # Errors
/// `ESRCH`.
pub fn getsid(pid: i32) -> Result<usize> {
    Ok(ids::process_named(pid)?.session().id as usize)
}

/// setsid(2).
///
/// # Errors
/// As [`ids::new_session`].
pub fn setsid() -> Result<usize> {
    Ok(ids::new_session()? as usize)
}

/// getuid(2).
///
/// # Errors
/// None.
pub fn getuid() -> Result<usize> {
    Ok(current().creds().uid as usize)
}

/// geteuid(2).
///
/// # Errors
/// None.
pub fn geteuid() -> Result<usize> {
    Ok(current().creds().euid as usize)
}

/// getgid(2).
///
/// # Errors
/// None.
pub fn getgid() -> Result<usize> {
    Ok(current().creds().gid as usize)
}

/// getegid(2).
///
/// # Errors
/// None.
pub fn getegid() -> Result<usize> {
    Ok(current().creds().egid as usize)
}

/// setuid(2).
///
/// # Errors
/// `EINVAL`, `EPERM`.
pub fn setuid(uid: u32) -> Result<usize> {
    change(|creds| {
        if uid == KEEP {
            return Err(Errno::EINVAL);
        }
        if creds.is_privileged() {
            (creds.uid, creds.suid) = (uid, uid);
        } else if uid != creds.uid && uid != creds.suid {
            return Err(Errno::EPERM);
        }
        (creds.euid, creds.fsuid) = (uid, uid);
        Ok(())
    })
}

/// setgid(2).
///
/// # Errors
/// `EINVAL`, `EPERM`.
pub fn setgid(gid: u32) -> Result<usize> {
    change(|creds| {
        if gid == KEEP {
            return Err(Errno::EINVAL);
        }
        if creds.is_privileged() {
            (creds.gid, creds.sgid) = (gid, gid);
        } else if gid != creds.gid && gid != creds.sgid {
            return Err(Errno::EPERM);
        }
        (creds.egid, creds.fsgid) = (gid, gid);
        Ok(())
    })
}

/// setreuid(2).
///
/// # Errors
/// `EPERM`.
pub fn setreuid(real: u32, effective: u32) -> Result<usize> {
    change(|creds| {
        let old = creds.clone();
        let privileged = old.is_privileged();
        if real != KEEP {
            allow(privileged || [old.uid, old.euid].contains(&real))?;
            creds.uid = real;
        }
        if effective != KEEP {
            allow(privileged || [old.uid, old.euid, old.suid].contains(&effective))?;
            creds.euid = effective;
        }
        if real != KEEP || effective != KEEP && effective != old.uid {
            creds.suid = creds.euid;
        }
        creds.fsuid = creds.euid;
        Ok(())
    })
}

/// setregid(2).
///
/// # Errors
/// `EPERM`.
pub fn setregid(real: u32, effective: u32) -> Result<usize> {
    change(|creds| {
        let old = creds.clone();
        let privileged = old.is_privileged();
        if real != KEEP {
            allow(privileged || [old.gid, old.egid].contains(&real))?;
            creds.gid = real;
        }
        if effective != KEEP {
            allow(privileged || [old.gid, old.egid, old.sgid].contains(&effective))?;
            creds.egid = effective;
        }
        if real != KEEP || effective != KEEP && effective != old.gid {
            creds.sgid = creds.egid;
        }
        creds.fsgid = creds.egid;
        Ok(())
    })
}

/// setresuid(2).
///
/// # Errors
/// `EPERM`.
pub fn setresuid(real: u32, effective: u32, saved: u32) -> Result<usize> {
    change(|creds| {
        let mine = [creds.uid, creds.euid, creds.suid, KEEP];
        let privileged = creds.is_privileged();
        allow(privileged || [real, effective, saved].iter().all(|id| mine.contains(id)))?;
        replace(&mut creds.uid, real);
        replace(&mut creds.euid, effective);
        replace(&mut creds.suid, saved);
        creds.fsuid = creds.euid;
        Ok(())
    })
}

/// setresgid(2).
///
/// # Errors
/// `EPERM`.
pub fn setresgid(real: u32, effective: u32, saved: u32) -> Result<usize> {
    change(|creds| {
        let mine = [creds.gid, creds.egid, creds.sgid, KEEP];
        let privileged = creds.is_privileged();
        allow(privileged || [real, effective, saved].iter().all(|id| mine.contains(id)))?;
        replace(&mut creds.gid, real);
        replace(&mut creds.egid, effective);
        replace(&mut creds.sgid, saved);
        creds.fsgid = creds.egid;
        Ok(())
    })
}

/// getresuid(2).
///
/// # Errors
/// `EFAULT`.
pub fn getresuid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> Result<usize> {
    let creds = current().creds();
    real.write(&creds.uid)?;
    effective.write(&creds.euid)?;
    saved.write(&creds.suid)?;
    Ok(0)
}

/// getresgid(2).
///
/// # Errors
/// `EFAULT`.
pub fn getresgid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> Result<usize> {
    let creds = current().creds();
    real.write(&creds.gid)?;
    effective.write(&creds.egid)?;
    saved.write(&creds.sgid)?;
    Ok(0)
}

/// setfsuid(2): returns the old identity whether it could be changed or not.
///
/// # Errors
/// None.
pub fn setfsuid(uid: u32) -> Result<usize> {
    let old = current().creds().fsuid;
    let _ = creds::change(|creds| {
        allow(
            uid != KEEP && (creds.is_privileged() || [creds.uid, creds.euid, creds.suid, creds.fsuid].contains(&uid)),
        )?;
        creds.fsuid = uid;
        Ok(())
    });
    Ok(old as usize)
}

/// setfsgid(2): as [`setfsuid`].
///
/// # Errors
/// None.
pub fn setfsgid(gid: u32) -> Result<usize> {
    let old = current().creds().fsgid;
    let _ = creds::change(|creds| {
        allow(
            gid != KEEP && (creds.is_privileged() || [creds.gid, creds.egid, creds.sgid, creds.fsgid].contains(&gid)),
        )?;
        creds.fsgid = gid;
        Ok(())
    });
    Ok(old as usize)
}

/// getgroups(2).
///
/// # Errors
/// `EINVAL` when `size` is negative or too small, `EFAULT`.
pub fn getgroups(size: i32, list: UserPtr<u32>) -> Result<usize> {
    let groups = current().creds().groups.clone();
    let room = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
    if room > 0 {
        if groups.len() > room {
            return Err(Errno::EINVAL);
        }
        for (i, group) in groups.iter().enumerate() {
            list.add(i).write(group)?;
        }
    }
    Ok(groups.len())
}

/// setgroups(2).
///
/// # Errors
/// `EPERM`, `EINVAL` for too many, `EFAULT`, `ENOMEM`.
pub fn setgroups(size: usize, list: UserPtr<u32>) -> Result<usize> {
    if !current().creds().is_privileged() {
        return Err(Errno::EPERM);
    }
    if size > MAX_GROUPS {
        return Err(Errno::EINVAL);
    }
    let groups: Vec<u32> = list.read_vec(size)?;
    if groups.contains(&KEEP) {
        return Err(Errno::EINVAL);
    }
    change(|creds| {
        creds.groups = creds::group_list(groups);
        Ok(())
    })
}

fn change(what: impl FnOnce(&mut Creds) -> Result<()>) -> Result<usize> {
    creds::change(what)?;
    Ok(0)
}

fn allow(allowed: bool) -> Result<()> {
    if allowed { Ok(()) } else { Err(Errno::EPERM) }
}

fn replace(id: &mut u32, new: u32) {
    if new != KEEP {
        *id = new;
    }
}
