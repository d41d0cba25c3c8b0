//! Sockets: constants and structures of socketpair(2), send(2), recv(2).
use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The UNIX family.
pub const AF_UNIX: i32 = 1;

bitflags! {
    /// What may be added to a socket's type.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SocketFlags: u32 {
        /// Close on exec.
        const CLOEXEC = 0o2000000;
        /// Fail with EAGAIN rather than wait.
        const NONBLOCK = 0o4000;
    }

    /// send(2) and recv(2) flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MessageFlags: u32 {
        /// Leave the message in the queue.
        const PEEK = 0x2;
        /// recv: tell the message's true length.
        const TRUNC = 0x20;
        /// This call does not wait.
        const DONTWAIT = 0x40;
        /// End of a record.
        const EOR = 0x80;
        /// recv: wait until the buffer is full.
        const WAITALL = 0x100;
        /// No SIGPIPE.
        const NOSIGNAL = 0x4000;
        /// recvmsg: received descriptors are close-on-exec.
        const CMSG_CLOEXEC = 0x4000_0000;
    }
}

/// How a socket's data are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, num_enum::TryFromPrimitive)]
#[repr(u32)]
pub enum SocketType {
    /// A stream of bytes.
    Stream = 1,
    /// Datagrams.
    Datagram = 2,
    /// Records over a connection.
    SeqPacket = 5,
}

/// shutdown(2): no more reading.
pub const SHUT_RD: i32 = 0;
/// shutdown(2): no more writing.
pub const SHUT_WR: i32 = 1;
/// shutdown(2): neither.
pub const SHUT_RDWR: i32 = 2;

/// `struct msghdr`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "recvmsg(2) names the fields")]
pub struct MessageHeader {
    pub name: u64,
    pub name_len: u32,
    pub pad1: u32,
    pub vector: u64,
    pub vector_len: u64,
    pub control: u64,
    pub control_len: u64,
    pub flags: u32,
    pub pad2: u32,
}
