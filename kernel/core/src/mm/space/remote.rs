//! Reaching into an address space from outside: execve, tracers, /proc/PID/mem; and what futexes ask.
use tollgate_abi::{Errno, Result};

use super::fault::Asker;
use super::{Access, AddressSpace, Fault, FutexKey, UserAddr};
use crate::mm::PAGE_SIZE;
use crate::mm::frame::Frame;

impl AddressSpace {
    /// Writes into this address space, which need not be the current one, faulting pages in; read-only private pages
    /// are copied first and written all the same. For execve and tracers.
    ///
    /// # Errors
    /// `EFAULT` where nothing is mapped, `ENOMEM`.
    pub fn write_remote(&self, addr: UserAddr, bytes: &[u8]) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = addr.wrapping_add(done as u64);
            let len = (bytes.len() - done).min(PAGE_SIZE - at.page_offset());
            let write = |frame: &Frame| frame.write(at.page_offset(), &bytes[done..done + len]);
            self.with_page(at, Access::Write, write).map_err(|fault| match fault {
                Fault::NoMemory => Errno::ENOMEM,
                _ => Errno::EFAULT,
            })?;
            done += len;
        }
        Ok(())
    }

    /// Reads from this address space, which need not be the current one, faulting pages in; returns how many bytes.
    pub fn read_remote(&self, addr: UserAddr, out: &mut [u8]) -> usize {
        let mut done = 0;
        while done < out.len() {
            let at = addr.wrapping_add(done as u64);
            let len = (out.len() - done).min(PAGE_SIZE - at.page_offset());
            let part = &mut out[done..done + len];
            if self.with_page(at, Access::Read, |frame| frame.read(at.page_offset(), part)).is_err() {
                break;
            }
            done += len;
        }
        done
    }

    /// Lets `f` at the frame that the page of `addr` is in, made ready for `access` whatever its protection says. The
    /// space's lock is held meanwhile, so that the page stays this space's.
    fn with_page(&self, addr: UserAddr, access: Access, f: impl FnOnce(&Frame)) -> core::result::Result<(), Fault> {
        let mut state = self.state.lock();
        let entry = state.make_accessible(self, addr.0, access, Asker::Force)?;
        // SAFETY: the entry has a share, or is the page of zeros, which is never freed; `ManuallyDrop` leaves it there.
        let frame = core::mem::ManuallyDrop::new(unsafe { Frame::from_raw(entry.phys()) });
        f(&frame);
        Ok(())
    }

    /// The identity of the futex word at `addr`, which is mapped and 4-aligned: whether it lies in a shared mapping, and
    /// of what. Faults nothing in.
    ///
    /// # Errors
    /// `EFAULT` when nothing is mapped there.
    pub fn futex_key(&self, addr: UserAddr) -> Result<FutexKey> {
        let state = self.state.lock();
        let (range, mapping) = state.mappings.get(addr.0).ok_or(Errno::EFAULT)?;
        Ok(match &mapping.backing {
            Some(backing) if !mapping.is_private() => {
                let offset = backing.first * PAGE_SIZE as u64 + (addr.0 - range.start);
                FutexKey::Shared(backing.object.identity(), offset)
            }
            _ => FutexKey::Private(core::ptr::from_ref(self).addr(), addr.0),
        })
    }
}
