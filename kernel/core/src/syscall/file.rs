//! Reading and writing: read, write and their vector, positioned and kernel-internal forms, lseek, sync, getrandom.
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use tollgate_abi::fs::{IOV_MAX, IoVec, MAX_RW_COUNT, RandomFlags};
use tollgate_abi::{Errno, Result};

use super::args::Fd;
use crate::fs::{File, Sink, Source, devices};
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;
use crate::task::{sched, with_files};

crate::flags_argument!(RandomFlags: u32);

/// The open file of descriptor `fd`.
///
/// # Errors
/// `EBADF`.
pub(super) fn file(fd: Fd) -> Result<Arc<File>> {
    with_files(|files| files.get(fd.0))
}

fn readable(fd: Fd) -> Result<Arc<File>> {
    file(fd).and_then(|file| if file.readable() { Ok(file) } else { Err(Errno::EBADF) })
}

fn writable(fd: Fd) -> Result<Arc<File>> {
    file(fd).and_then(|file| if file.writable() { Ok(file) } else { Err(Errno::EBADF) })
}

fn offset(offset: i64) -> Result<u64> {
    u64::try_from(offset).map_err(|_| Errno::EINVAL)
}

/// read(2).
pub(super) fn read(fd: Fd, buffer: UserAddr, count: usize) -> Result<usize> {
    readable(fd)?.read(&mut Sink::user(buffer, count)?)
}

/// write(2).
pub(super) fn write(fd: Fd, buffer: UserAddr, count: usize) -> Result<usize> {
    writable(fd)?.write(&mut Source::user(buffer, count)?)
}

/// pread64(2).
pub(super) fn pread64(fd: Fd, buffer: UserAddr, count: usize, at: i64) -> Result<usize> {
    let at = offset(at)?;
    readable(fd)?.read_from(at, &mut Sink::user(buffer, count)?)
}

/// pwrite64(2).
pub(super) fn pwrite64(fd: Fd, buffer: UserAddr, count: usize, at: i64) -> Result<usize> {
    let at = offset(at)?;
    writable(fd)?.write_to(at, &mut Source::user(buffer, count)?)
}

fn read_vector(vector: UserPtr<IoVec>, count: usize) -> Result<Vec<IoVec>> {
    if count > IOV_MAX { Err(Errno::EINVAL) } else { vector.read_vec(count) }
}

/// readv(2).
pub(super) fn readv(fd: Fd, vector: UserPtr<IoVec>, count: usize) -> Result<usize> {
    let file = readable(fd)?;
    file.read(&mut Sink::vector(&read_vector(vector, count)?)?)
}

/// writev(2).
pub(super) fn writev(fd: Fd, vector: UserPtr<IoVec>, count: usize) -> Result<usize> {
    let file = writable(fd)?;
    file.write(&mut Source::vector(&read_vector(vector, count)?)?)
}

/// preadv(2). On 64-bit the low half of the offset is all of it.
pub(super) fn preadv(fd: Fd, vector: UserPtr<IoVec>, count: usize, at: i64) -> Result<usize> {
    let (at, file) = (offset(at)?, readable(fd)?);
    file.read_from(at, &mut Sink::vector(&read_vector(vector, count)?)?)
}

/// pwritev(2).
pub(super) fn pwritev(fd: Fd, vector: UserPtr<IoVec>, count: usize, at: i64) -> Result<usize> {
    let (at, file) = (offset(at)?, writable(fd)?);
    file.write_to(at, &mut Source::vector(&read_vector(vector, count)?)?)
}

/// preadv2(2): no flags are known; offset -1 is the position.
pub(super) fn preadv2(fd: Fd, vector: UserPtr<IoVec>, count: usize, at: i64, _high: u64, flags: u32) -> Result<usize> {
    match (flags, at) {
        (0, -1) => readv(fd, vector, count),
        (0, _) => preadv(fd, vector, count, at),
        _ => Err(Errno::ENOTSUP),
    }
}

/// pwritev2(2): as [`preadv2`].
pub(super) fn pwritev2(fd: Fd, vector: UserPtr<IoVec>, count: usize, at: i64, _high: u64, flags: u32) -> Result<usize> {
    match (flags, at) {
        (0, -1) => writev(fd, vector, count),
        (0, _) => pwritev(fd, vector, count, at),
        _ => Err(Errno::ENOTSUP),
    }
}

/// lseek(2).
pub(super) fn lseek(fd: Fd, by: i64, origin: i32) -> Result<usize> {
    file(fd)?.seek(by, origin).map(|position| position as usize)
}

/// Bytes copied from file to file at a time.
const COPY_CHUNK: usize = 64 * 1024;

/// Copies up to `count` bytes from `input` (at `from`, or its position) to `output` (likewise), moving the offsets.
fn copy(
    input: &File,
    mut from: Option<&mut u64>,
    output: &File,
    mut to: Option<&mut u64>,
    count: usize,
) -> Result<usize> {
    let mut buffer = vec![0; count.min(COPY_CHUNK)];
    let mut done = 0;
    while done < count {
        let mut sink = Sink::kernel(&mut buffer[..(count - done).min(COPY_CHUNK)]);
        let read = match &from {
            Some(at) => input.read_from(**at, &mut sink),
            None => input.read(&mut sink),
        };
        let got = match read {
            Ok(0) => break,
            Ok(got) => got,
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        };
        let mut source = Source::kernel(&buffer[..got]);
        let wrote = match &to {
            Some(at) => output.write_to(**at, &mut source),
            None => output.write(&mut source),
        };
        let put = *wrote.as_ref().unwrap_or(&0);
        if let Some(at) = &mut from {
            **at += put as u64;
        } else if put < got && !input.ops().is_stream() {
            // What was read and not written is still to be read.
            input.seek(put as i64 - got as i64, tollgate_abi::fs::whence::SEEK_CUR)?;
        }
        if let Some(at) = &mut to {
            **at += put as u64;
        }
        done += put;
        match wrote {
            Err(errno) if done == 0 => return Err(errno),
            _ if put < got => break,
            _ if sched::give_way() => break,
            _ => {}
        }
    }
    Ok(done)
}

/// sendfile(2).
pub(super) fn sendfile(out: Fd, input: Fd, at: UserPtr<i64>, count: usize) -> Result<usize> {
    let (input, output) = (readable(input)?, writable(out)?);
    let count = count.min(MAX_RW_COUNT);
    if input.ops().is_stream() {
        return Err(if at.is_null() { Errno::EINVAL } else { Errno::ESPIPE });
    }
    let Some(at) = at.non_null() else { return copy(&input, None, &output, None, count) };
    let mut from = offset(at.read()?)?;
    let copied = copy(&input, Some(&mut from), &output, None, count);
    at.write(&(from as i64))?;
    copied
}

/// copy_file_range(2).
pub(super) fn copy_file_range(
    input: Fd,
    from: UserPtr<i64>,
    output: Fd,
    to: UserPtr<i64>,
    count: usize,
    flags: u32,
) -> Result<usize> {
    let (input, output) = (readable(input)?, writable(output)?);
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    for file in [&input, &output] {
        let attributes = file.path().inode().attributes();
        if attributes.is_directory() {
            return Err(Errno::EISDIR);
        }
        if !attributes.is_regular() {
            return Err(Errno::EINVAL);
        }
    }
    if output.flags().contains(tollgate_abi::fs::OpenFlags::APPEND) {
        return Err(Errno::EBADF);
    }
    let read_offset = |at: UserPtr<i64>| at.non_null().map(|at| offset(at.read()?)).transpose();
    let (mut source, mut target) = (read_offset(from)?, read_offset(to)?);
    let start = source.unwrap_or_else(|| input.position());
    let end = target.unwrap_or_else(|| output.position());
    let count = count.min(MAX_RW_COUNT);
    let overlap = start < end.saturating_add(count as u64) && end < start.saturating_add(count as u64);
    if Arc::ptr_eq(input.path().inode(), output.path().inode()) && overlap {
        return Err(Errno::EINVAL);
    }
    let copied = copy(&input, source.as_mut(), &output, target.as_mut(), count);
    for (at, value) in [(from, source), (to, target)] {
        if let Some(value) = value {
            at.write(&(value as i64))?;
        }
    }
    copied
}

/// fsync(2), fdatasync(2), syncfs(2): all files are in memory, which is as safe as they get.
pub(super) fn fsync(fd: Fd) -> Result<usize> {
    let kind = file(fd)?.path().inode().attributes().kind();
    use tollgate_abi::fs::mode;
    if matches!(kind, mode::FIFO | mode::SOCKET | mode::CHARACTER) { Err(Errno::EINVAL) } else { Ok(0) }
}

/// syncfs(2).
pub(super) fn syncfs(fd: Fd) -> Result<usize> {
    file(fd).map(|_| 0)
}

/// sync(2).
pub(super) fn sync() -> Result<usize> {
    Ok(0)
}

/// getrandom(2): never waits, so all its flags mean the same.
pub(super) fn getrandom(buffer: UserAddr, count: usize, flags: RandomFlags) -> Result<usize> {
    if flags.contains(RandomFlags::RANDOM | RandomFlags::INSECURE) {
        return Err(Errno::EINVAL);
    }
    devices::random::read(&mut Sink::user(buffer, count)?)
}
