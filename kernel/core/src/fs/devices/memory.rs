//! /dev/null, /dev/zero, /dev/full.
use alloc::string::String;
use alloc::sync::Arc;

use tollgate_abi::{Errno, Result};

use crate::fs::page_cache::PageCache;
use crate::fs::{File, FileOps, Sink, Source};
use crate::mm::frame::Frame;
use crate::mm::space::MemoryObject;
use crate::task::sched;

/// /dev/null: always at its end, swallows everything.
pub(super) struct Null;
/// /dev/zero: endless zeros, swallows everything.
pub(super) struct Zero;
/// /dev/full: endless zeros, has room for nothing.
pub(super) struct Full;

impl FileOps for Null {
    fn read(&self, _: &File, _: &mut u64, _: &mut Sink<'_>) -> Result<usize> {
        Ok(0)
    }

    fn write(&self, _: &File, _: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        Ok(from.remaining())
    }

    fn seek(&self, _: &File, _: u64, _: i64, _: i32) -> Result<u64> {
        Ok(0)
    }
}

impl FileOps for Zero {
    fn read(&self, _: &File, _: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        zeros(to)
    }

    fn write(&self, _: &File, _: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        Ok(from.remaining())
    }

    fn seek(&self, _: &File, _: u64, _: i64, _: i32) -> Result<u64> {
        Ok(0)
    }

    fn memory_object(&self, _: &Arc<File>) -> Result<Arc<dyn MemoryObject>> {
        Ok(Arc::new(Anonymous(PageCache::new(u64::MAX))))
    }
}

impl FileOps for Full {
    fn read(&self, _: &File, _: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        zeros(to)
    }

    fn write(&self, _: &File, _: &mut u64, _: &mut Source<'_>) -> Result<usize> {
        Err(Errno::ENOSPC)
    }

    fn seek(&self, _: &File, _: u64, _: i64, _: i32) -> Result<u64> {
        Ok(0)
    }
}

/// Fills `to` with zeros, giving way now and then: it may ask for gigabytes.
fn zeros(to: &mut Sink<'_>) -> Result<usize> {
    const CHUNK: usize = 1 << 20;
    while to.remaining() > 0 && !to.faulted() {
        to.put_zeros(CHUNK);
        if sched::give_way() {
            break;
        }
    }
    to.result()
}

/// What a mapping of /dev/zero maps: memory of its own.
struct Anonymous(PageCache);

impl MemoryObject for Anonymous {
    fn page(&self, index: u64) -> Result<Frame> {
        self.0.page(index)
    }

    fn describe(&self) -> Option<String> {
        Some(String::from("00:01 0 /dev/zero (deleted)"))
    }
}
