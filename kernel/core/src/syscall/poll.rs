//! Waiting for any of several files: poll, ppoll, select, pselect6.
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use tollgate_abi::fs::{PollEvents, PollFd};
use tollgate_abi::process::Resource;
use tollgate_abi::time::{TimeSpec, TimeVal};
use tollgate_abi::{Errno, Result};

use crate::arch::clock::now_ns;
use crate::fs::{File, PollTable};
use crate::mm::addr::UserAddr;
use crate::mm::user::{UserPtr, read_bytes, write_bytes};
use crate::sync::Sleep;
use crate::task::signal::{self, SigSet};
use crate::task::{current, current_arc, sched};

/// Always reported.
const ALWAYS: PollEvents = PollEvents::ERR.union(PollEvents::HUP).union(PollEvents::NVAL);

/// One file to wait for.
struct Watch {
    /// `None`: no such descriptor.
    file: Option<Arc<File>>,
    /// What counts.
    wanted: PollEvents,
    found: PollEvents,
}

impl Watch {
    fn look(&mut self, table: &mut PollTable<'_>) -> bool {
        self.found = match &self.file {
            Some(file) => file.ops().poll(file, table) & self.wanted,
            None => PollEvents::NVAL,
        };
        !self.found.is_empty()
    }
}

/// Looks at all of them; gives on how many something is found.
fn look(watches: &mut [Watch], table: &mut PollTable<'_>) -> usize {
    watches.iter_mut().map(|watch| usize::from(watch.look(table))).sum()
}

/// Waits until something is found on a file or `deadline` (monotonic nanoseconds) has passed; gives on how many.
///
/// # Errors
/// `ERESTARTSYS`.
fn wait_for(watches: &mut [Watch], deadline: Option<u64>) -> Result<usize> {
    let found = look(watches, &mut PollTable::none());
    let expired = || deadline.is_some_and(|at| now_ns() >= at);
    if found > 0 || expired() {
        return Ok(found);
    }
    let task = current_arc();
    let mut table = PollTable::new(&task);
    loop {
        // From here on no wake is lost, so whatever comes after the look ends the sleep.
        sched::prepare_sleep(Sleep::Interruptible);
        let found = look(watches, &mut table);
        let outcome = if found > 0 || expired() {
            Some(Ok(found))
        } else if sched::sleep_interrupted(Sleep::Interruptible) {
            Some(Err(Errno::ERESTARTSYS))
        } else {
            None
        };
        if let Some(outcome) = outcome {
            sched::cancel_sleep();
            return outcome;
        }
        sched::sleep_prepared(deadline);
        table.clear();
    }
}

fn deadline_after(nanos: i64) -> u64 {
    now_ns().saturating_add(nanos as u64)
}

/// The descriptors' files, looked up once.
fn watches(fds: &[PollFd]) -> Vec<Option<Watch>> {
    let files = current().files();
    // A negative descriptor is passed over.
    let watch = |entry: &PollFd| {
        (entry.fd >= 0).then(|| Watch {
            file: files.get(entry.fd).ok(),
            wanted: PollEvents::from_bits_truncate(entry.events as u16) | ALWAYS,
            found: PollEvents::empty(),
        })
    };
    fds.iter().map(watch).collect()
}

fn poll_until(fds: UserPtr<PollFd>, count: usize, deadline: Option<u64>) -> Result<usize> {
    if count as u64 > current().process.limits.soft(Resource::OpenFiles) {
        return Err(Errno::EINVAL);
    }
    let entries = fds.read_vec(count)?;
    let watched = watches(&entries);
    let passed_over: Vec<bool> = watched.iter().map(Option::is_none).collect();
    let mut watched: Vec<Watch> = watched.into_iter().flatten().collect();
    let found = wait_for(&mut watched, deadline)?;
    let mut watched = watched.iter();
    for (at, passed_over) in passed_over.into_iter().enumerate() {
        let events = if passed_over { None } else { watched.next() };
        let entry = PollFd { revents: events.map_or(0, |watch| watch.found.bits() as i16), ..entries[at] };
        fds.add(at).write(&entry)?;
    }
    Ok(found)
}

/// poll(2).
pub(super) fn poll(fds: UserPtr<PollFd>, count: u32, milliseconds: i32) -> Result<usize> {
    let deadline = u32::try_from(milliseconds).ok().map(|ms| deadline_after(i64::from(ms) * 1_000_000));
    restartable(fds, count as usize, deadline)
}

/// A poll that goes on with the same deadline after a signal without a handler.
fn restartable(fds: UserPtr<PollFd>, count: usize, deadline: Option<u64>) -> Result<usize> {
    match poll_until(fds, count, deadline) {
        Err(Errno::ERESTARTSYS) => Err(signal::restart_with(move || restartable(fds, count, deadline))),
        result => result,
    }
}

/// Makes a call under a temporary signal mask, if one is given.
fn with_mask(mask: Option<u64>, call: impl FnOnce() -> Result<usize>) -> Result<usize> {
    if let Some(mask) = mask {
        signal::set_temporary_mask(SigSet(mask).without(SigSet::UNBLOCKABLE));
    }
    let result = match call() {
        Err(Errno::ERESTARTSYS) => Err(Errno::ERESTARTNOHAND),
        result => result,
    };
    if mask.is_some() && result != Err(Errno::ERESTARTNOHAND) {
        signal::restore_mask();
    }
    result
}

fn read_mask(mask: UserPtr<u64>, size: usize) -> Result<Option<u64>> {
    let Some(mask) = mask.non_null() else { return Ok(None) };
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    mask.read().map(Some)
}

/// What is left until `deadline`, not below zero.
fn left_until(deadline: u64) -> i64 {
    deadline.saturating_sub(now_ns()).min(i64::MAX as u64) as i64
}

/// ppoll(2). As on Linux, what is left of the time is written back.
pub(super) fn ppoll(
    fds: UserPtr<PollFd>,
    count: u32,
    timeout: UserPtr<TimeSpec>,
    mask: UserPtr<u64>,
    mask_size: usize,
) -> Result<usize> {
    let deadline = match timeout.non_null() {
        Some(timeout) => Some(deadline_after(timeout.read()?.to_nanos().ok_or(Errno::EINVAL)?)),
        None => None,
    };
    let mask = read_mask(mask, mask_size)?;
    let result = with_mask(mask, || poll_until(fds, count as usize, deadline));
    if let Some(deadline) = deadline {
        // The result stands even if the time cannot be told.
        let _ = timeout.write(&TimeSpec::from_nanos(left_until(deadline)));
    }
    result
}

/// What each of select's three sets waits for, and what is reported in it.
const SETS: [PollEvents; 3] = [
    PollEvents::IN.union(PollEvents::RDNORM).union(PollEvents::RDBAND).union(PollEvents::HUP).union(PollEvents::ERR),
    PollEvents::OUT.union(PollEvents::WRNORM).union(PollEvents::WRBAND).union(PollEvents::ERR),
    PollEvents::PRI,
];

fn select_until(count: i32, sets: [UserAddr; 3], deadline: Option<u64>) -> Result<usize> {
    let files = current().files();
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let bytes = count.min(files.capacity()).div_ceil(64) * 8;
    let count = count.min(bytes * 8);
    let mut bits: [Vec<u8>; 3] = Default::default();
    for (bits, &set) in bits.iter_mut().zip(&sets) {
        *bits = vec![0; bytes];
        if !set.is_null() {
            read_bytes(set, bits)?;
        }
    }
    let is_set = |bits: &[u8], fd: usize| bits[fd / 8] & 1 << (fd % 8) != 0;
    let (mut watched, mut numbers) = (Vec::new(), Vec::new());
    for fd in 0..count {
        let wanted = (0..3).filter(|&i| is_set(&bits[i], fd)).fold(PollEvents::empty(), |all, i| all | SETS[i]);
        if !wanted.is_empty() {
            watched.push(Watch { file: Some(files.get(fd as i32)?), wanted, found: PollEvents::empty() });
            numbers.push(fd);
        }
    }
    wait_for(&mut watched, deadline)?;
    let mut found = 0;
    let mut result: [Vec<u8>; 3] = core::array::from_fn(|_| vec![0; bytes]);
    for (watch, &fd) in watched.iter().zip(&numbers) {
        for i in 0..3 {
            if is_set(&bits[i], fd) && watch.found.intersects(SETS[i]) {
                result[i][fd / 8] |= 1 << (fd % 8);
                found += 1;
            }
        }
    }
    for (bits, &set) in result.iter().zip(&sets).filter(|(_, set)| !set.is_null()) {
        write_bytes(set, bits)?;
    }
    Ok(found)
}

/// select(2). As on Linux, what is left of the time is written back.
pub(super) fn select(
    count: i32,
    read: UserAddr,
    write: UserAddr,
    except: UserAddr,
    timeout: UserPtr<TimeVal>,
) -> Result<usize> {
    let deadline = match timeout.non_null() {
        Some(timeout) => {
            // Microseconds past a second count on, as on Linux.
            let TimeVal { sec, usec } = timeout.read()?;
            let carried =
                TimeVal { sec: sec.saturating_add(usec.div_euclid(1_000_000)), usec: usec.rem_euclid(1_000_000) };
            if sec < 0 || usec < 0 {
                return Err(Errno::EINVAL);
            }
            Some(deadline_after(carried.to_nanos().ok_or(Errno::EINVAL)?))
        }
        None => None,
    };
    let result = with_mask(None, || select_until(count, [read, write, except], deadline));
    if let Some(deadline) = deadline {
        let _ = timeout.write(&TimeVal::from_nanos(left_until(deadline)));
    }
    result
}

/// pselect6(2): the mask comes as address and size, behind one pointer.
pub(super) fn pselect6(
    count: i32,
    read: UserAddr,
    write: UserAddr,
    except: UserAddr,
    timeout: UserPtr<TimeSpec>,
    mask: UserPtr<[u64; 2]>,
) -> Result<usize> {
    let deadline = match timeout.non_null() {
        Some(timeout) => Some(deadline_after(timeout.read()?.to_nanos().ok_or(Errno::EINVAL)?)),
        None => None,
    };
    let mask = match mask.non_null() {
        Some(both) => {
            let [mask, size] = both.read()?;
            read_mask(UserPtr::new(UserAddr(mask)), size as usize)?
        }
        None => None,
    };
    let result = with_mask(mask, || select_until(count, [read, write, except], deadline));
    if let Some(deadline) = deadline {
        let _ = timeout.write(&TimeSpec::from_nanos(left_until(deadline)));
    }
    result
}
