//! The point of no return: the other threads end, the old program goes, the new one is in place.
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use tollgate_abi::{Errno, Result};

use super::image::Image;
use super::stack::Ready;
use crate::arch::fpu::{self, FpuState};
use crate::arch::user::{self, UserContext};
use crate::sync::Sleep;
use crate::task::signal::{self, Signal};
use crate::task::{Task, current, current_arc, exit, sched, tree};

/// Makes the current task run the program in `image`, alone in its process.
///
/// # Errors
/// `EAGAIN` when the process is ending, or another thread was faster; `ENOMEM`. The old program goes on then.
pub(super) fn run(image: Image, ready: Ready, name: &[u8]) -> Result<()> {
    let me = current();
    // A table shared with other processes becomes our own: the descriptors we close must not be closed for them.
    let files = me.files();
    let own_files = if Arc::strong_count(&files) > 2 { Some(files.fork()?) } else { None };
    drop(files);
    end_siblings()?;
    exit::settle_user_memory(me);
    drop(sched::replace_space(Some(image.space)));
    exit::release_vfork_parent(me);
    if let Some(own) = own_files {
        let shared = me.files.lock().replace(own);
        drop(shared);
    }
    signal::exec();
    me.files().close_on_exec();
    rename(me, name);
    if ready.secure {
        me.parent_death_signal.store(0, Ordering::Relaxed);
    }
    let old_creds = {
        let mut creds = me.creds.lock();
        core::mem::replace(&mut *creds, ready.creds)
    };
    drop(old_creds);
    me.process.dumpable.store(u32::from(!ready.secure), Ordering::Relaxed);
    let start = UserContext::starting_at(image.start, ready.program.stack_start.0);
    me.process.set_program(Some(Arc::new(ready.program)));
    {
        let mut tree = tree::lock();
        let family = me.process.family.get_mut(&mut tree);
        family.did_exec = true;
        family.exit_signal = Signal::SIGCHLD.number();
    }
    // SAFETY: the current task's own registers; the references end with the statements.
    unsafe {
        *me.context_mut() = start;
        *me.fpu_mut() = FpuState::new();
    }
    fpu::load_current();
    user::set_fs_base(0);
    user::set_gs_base(0);
    Ok(())
}

/// Sets comm, cut to 15 bytes.
fn rename(task: &Task, name: &[u8]) {
    let mut comm = [0; 16];
    let len = name.len().min(15);
    comm[..len].copy_from_slice(&name[..len]);
    *task.name.lock() = comm;
}

/// Ends all other threads of the process and takes over the leader's number.
fn end_siblings() -> Result<()> {
    let me = current_arc();
    let process = &me.process;
    {
        let mut threads = process.threads();
        if threads.group_exit.is_some() || threads.exec.is_some() {
            return Err(Errno::EAGAIN);
        }
        if threads.list.len() > 1 {
            threads.exec = Some(me.clone());
            for other in threads.list.iter().filter(|other| !Arc::ptr_eq(other, &me)) {
                signal::kill_thread(other);
            }
        }
    }
    loop {
        sched::prepare_sleep(Sleep::Killable);
        let alone = process.threads().list.len() == 1;
        let dying = !alone && sched::sleep_interrupted(Sleep::Killable);
        if alone || dying {
            sched::cancel_sleep();
            let waiting = process.threads().exec.take();
            drop(waiting);
            if dying {
                return Err(Errno::EAGAIN);
            }
            break;
        }
        sched::sleep_prepared(None);
    }
    if me.tid() != process.pid {
        let old_leader = {
            let mut tree = tree::lock();
            let myself = tree.set_task(me.tid(), None);
            let old_leader = tree.set_task(process.pid, myself);
            me.tid.store(process.pid, Ordering::Relaxed);
            old_leader
        };
        drop(old_leader);
    }
    Ok(())
}
