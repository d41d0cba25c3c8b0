//! Shared memory that is no file.
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use tollgate_abi::{Errno, Result};

use super::frame::Frame;
use super::space::MemoryObject;
use crate::sync::{Mutex, Rank};

/// Shared memory without a file (MAP_SHARED | MAP_ANONYMOUS): zeros at first, made page by page.
pub struct SharedMemory {
    /// Pages in all; there are none beyond.
    len: u64,
    pages: Mutex<BTreeMap<u64, Frame>>,
}

impl SharedMemory {
    /// Shared memory of `len` pages.
    pub fn new(len: u64) -> Arc<Self> {
        Arc::new(Self { len, pages: Mutex::new(Rank::PageCache, BTreeMap::new()) })
    }
}

impl MemoryObject for SharedMemory {
    fn page(&self, index: u64) -> Result<Frame> {
        if index >= self.len {
            return Err(Errno::ENXIO);
        }
        let mut pages = self.pages.lock();
        if let Some(frame) = pages.get(&index) {
            return Ok(frame.clone());
        }
        let frame = Frame::alloc_zeroed()?;
        pages.insert(index, frame.clone());
        Ok(frame)
    }

    fn page_at_hand(&self, index: u64) -> Option<Frame> {
        self.pages.lock().get(&index).cloned()
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn describe(&self) -> Option<String> {
        None
    }
}
