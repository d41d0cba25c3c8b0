//! What a thread sets for itself: FS and GS base, name, persona, what happens at its end.
use core::sync::atomic::Ordering;

use tollgate_abi::process::arch_prctl::*;
use tollgate_abi::process::prctl::*;
use tollgate_abi::{Errno, Result};

use crate::arch::user;
use crate::mm::USER_END;
use crate::mm::addr::UserAddr;
use crate::mm::user::{UserPtr, read_some, write_bytes};
use crate::task::signal::Signal;
use crate::task::{current, tree};

/// Highest capability (CAP_CHECKPOINT_RESTORE).
const LAST_CAPABILITY: u64 = 40;
/// personality's query.
const PERSONALITY_QUERY: u32 = u32::MAX;

/// set_tid_address(2).
///
/// # Errors
/// None.
pub fn set_tid_address(addr: UserAddr) -> Result<usize> {
    current().clear_child_tid.store(addr.0, Ordering::Relaxed);
    Ok(current().tid() as usize)
}

/// arch_prctl(2).
///
/// # Errors
/// `EPERM` for addresses outside user space, `EINVAL` for unknown operations, `EFAULT`.
pub fn arch_prctl(operation: i32, addr: UserAddr) -> Result<usize> {
    let out = UserPtr::<u64>::new(addr);
    match operation {
        ARCH_SET_FS | ARCH_SET_GS if addr.0 >= USER_END => return Err(Errno::EPERM),
        ARCH_SET_FS => user::set_fs_base(addr.0),
        ARCH_SET_GS => user::set_gs_base(addr.0),
        ARCH_GET_FS => out.write(&user::fs_base())?,
        ARCH_GET_GS => out.write(&user::gs_base())?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// prctl(2).
///
/// # Errors
/// `EINVAL` for unknown operations and bad arguments, `EFAULT`.
pub fn prctl(operation: i32, a: u64, b: u64, c: u64, d: u64) -> Result<usize> {
    let me = current();
    let process = &me.process;
    let address = UserAddr(a);
    match operation {
        PR_SET_PDEATHSIG => {
            if a != 0 && i32::try_from(a).ok().and_then(Signal::new).is_none() {
                return Err(Errno::EINVAL);
            }
            me.parent_death_signal.store(a as u8, Ordering::Relaxed);
        }
        PR_GET_PDEATHSIG => {
            UserPtr::<i32>::new(address).write(&i32::from(me.parent_death_signal.load(Ordering::Relaxed)))?;
        }
        PR_GET_DUMPABLE => return Ok(process.dumpable.load(Ordering::Relaxed) as usize),
        PR_SET_DUMPABLE => match a {
            0 | 1 => process.dumpable.store(a as u32, Ordering::Relaxed),
            _ => return Err(Errno::EINVAL),
        },
        PR_SET_NAME => {
            let mut name = [0; 16];
            let got = read_some(address, &mut name[..15]);
            match name.iter().position(|&b| b == 0) {
                Some(end) if end < got || got == 15 => name[end..].fill(0),
                _ => return Err(Errno::EFAULT),
            }
            *me.name.lock() = name;
        }
        PR_GET_NAME => {
            let name = *me.name.lock();
            write_bytes(address, &name)?;
        }
        // Times are sampled and measured at once; there is nothing to choose.
        PR_GET_TIMING => return Ok(0),
        PR_SET_TIMING if a == 0 => {}
        PR_CAPBSET_READ if a <= LAST_CAPABILITY => return Ok(1),
        PR_SET_CHILD_SUBREAPER => process.set_subreaper(a != 0),
        PR_GET_CHILD_SUBREAPER => {
            let adopts = process.is_subreaper(&tree::lock());
            UserPtr::<i32>::new(address).write(&i32::from(adopts))?;
        }
        PR_SET_NO_NEW_PRIVS if (a, b, c, d) == (1, 0, 0, 0) => me.no_new_privs.store(true, Ordering::Relaxed),
        PR_GET_NO_NEW_PRIVS if (a, b, c, d) == (0, 0, 0, 0) => {
            return Ok(usize::from(me.no_new_privs.load(Ordering::Relaxed)));
        }
        PR_GET_TID_ADDRESS => UserPtr::<u64>::new(address).write(&me.clear_child_tid.load(Ordering::Relaxed))?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// personality(2). Only ADDR_NO_RANDOMIZE has an effect.
///
/// # Errors
/// None.
pub fn personality(persona: u32) -> Result<usize> {
    let slot = &current().process.personality;
    let old =
        if persona == PERSONALITY_QUERY { slot.load(Ordering::Relaxed) } else { slot.swap(persona, Ordering::Relaxed) };
    Ok(old as usize)
}
