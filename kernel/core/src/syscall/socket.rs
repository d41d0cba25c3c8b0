//! Sockets: UNIX pairs, the only ones there are so far.
use alloc::sync::Arc;

use tollgate_abi::fs::IOV_MAX;
use tollgate_abi::socket::{
    AF_UNIX, MessageFlags, MessageHeader, SHUT_RD, SHUT_RDWR, SHUT_WR, SocketFlags, SocketType,
};
use tollgate_abi::{Errno, Result};

use super::args::Fd;
use super::fd::install_pair;
use super::file::file;
use crate::fs::{File, Sink, Source, socket};
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;

crate::flags_argument!(MessageFlags: u32);

/// A socket type as socket(2) takes it: the type and flags in one number.
fn split_type(kind: u32) -> Result<(SocketType, SocketFlags)> {
    let flags = SocketFlags::from_bits_truncate(kind);
    let kind = SocketType::try_from(kind & !SocketFlags::all().bits());
    kind.map(|kind| (kind, flags)).map_err(|_| Errno::ESOCKTNOSUPPORT)
}

/// socket(2): sockets with addresses are not there yet, of any family.
pub(super) fn socket(_family: i32, _kind: u32, _protocol: i32) -> Result<usize> {
    Err(Errno::EAFNOSUPPORT)
}

/// socketpair(2).
pub(super) fn socketpair(family: i32, kind: u32, protocol: i32, fds: UserPtr<[i32; 2]>) -> Result<usize> {
    if family != AF_UNIX {
        return Err(Errno::EAFNOSUPPORT);
    }
    let (kind, flags) = split_type(kind)?;
    if protocol != 0 && protocol != AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let pair = socket::pair(kind, flags.contains(SocketFlags::NONBLOCK))?;
    install_pair(pair, flags.contains(SocketFlags::CLOEXEC), fds)
}

/// The open file of `fd`, which is a socket.
fn socket_file(fd: Fd) -> Result<Arc<File>> {
    let file = file(fd)?;
    if file.ops().socket().is_some() { Ok(file) } else { Err(Errno::ENOTSOCK) }
}

/// Sends to the peer.
fn send(fd: Fd, from: &mut Source<'_>, flags: MessageFlags) -> Result<usize> {
    let file = socket_file(fd)?;
    let wait = !file.nonblocking() && !flags.contains(MessageFlags::DONTWAIT);
    file.ops().socket().ok_or(Errno::ENOTSOCK)?.send(from, wait, flags)
}

/// Receives from the peer; gives the bytes put and the message's own length.
fn receive(fd: Fd, to: &mut Sink<'_>, flags: MessageFlags) -> Result<(usize, usize)> {
    let file = socket_file(fd)?;
    let wait = !file.nonblocking() && !flags.contains(MessageFlags::DONTWAIT);
    file.ops().socket().ok_or(Errno::ENOTSOCK)?.receive(to, wait, flags)
}

/// What a receive returns: with MSG_TRUNC a message's own length.
fn received((put, length): (usize, usize), flags: MessageFlags) -> usize {
    if flags.contains(MessageFlags::TRUNC) { length } else { put }
}

/// sendto(2). The peer's address is known: to name one is an error.
pub(super) fn sendto(
    fd: Fd,
    buffer: UserAddr,
    len: usize,
    flags: MessageFlags,
    address: UserAddr,
    _address_len: u32,
) -> Result<usize> {
    if !address.is_null() {
        drop(socket_file(fd)?);
        return Err(Errno::EISCONN);
    }
    send(fd, &mut Source::user(buffer, len)?, flags)
}

/// recvfrom(2). The peer has no address: its length is 0.
pub(super) fn recvfrom(
    fd: Fd,
    buffer: UserAddr,
    len: usize,
    flags: MessageFlags,
    address: UserAddr,
    address_len: UserPtr<u32>,
) -> Result<usize> {
    let got = receive(fd, &mut Sink::user(buffer, len)?, flags)?;
    if !address.is_null() {
        address_len.write(&0)?;
    }
    Ok(received(got, flags))
}

fn vector(header: &MessageHeader) -> Result<alloc::vec::Vec<tollgate_abi::fs::IoVec>> {
    if header.vector_len as usize > IOV_MAX {
        return Err(Errno::EMSGSIZE);
    }
    UserPtr::new(UserAddr(header.vector)).read_vec(header.vector_len as usize)
}

/// sendmsg(2). Control messages are not known.
pub(super) fn sendmsg(fd: Fd, header: UserPtr<MessageHeader>, flags: MessageFlags) -> Result<usize> {
    let header = header.read()?;
    if header.name != 0 && header.name_len != 0 {
        drop(socket_file(fd)?);
        return Err(Errno::EISCONN);
    }
    if header.control_len != 0 {
        return Err(Errno::EINVAL);
    }
    send(fd, &mut Source::vector(&vector(&header)?)?, flags)
}

/// recvmsg(2). No control messages ever come.
pub(super) fn recvmsg(fd: Fd, at: UserPtr<MessageHeader>, flags: MessageFlags) -> Result<usize> {
    let mut header = at.read()?;
    let got = receive(fd, &mut Sink::vector(&vector(&header)?)?, flags)?;
    let truncated = got.0 < got.1;
    header.name_len = 0;
    header.control_len = 0;
    header.flags = if truncated { MessageFlags::TRUNC.bits() } else { 0 };
    at.write(&header)?;
    Ok(received(got, flags))
}

/// shutdown(2).
pub(super) fn shutdown(fd: Fd, how: i32) -> Result<usize> {
    let file = socket_file(fd)?;
    let (reading, writing) = match how {
        SHUT_RD => (true, false),
        SHUT_WR => (false, true),
        SHUT_RDWR => (true, true),
        _ => return Err(Errno::EINVAL),
    };
    file.ops().socket().ok_or(Errno::ENOTSOCK)?.shut_down(reading, writing);
    Ok(0)
}
