//! The buddy allocator's books: free blocks of 2^order frames, each aligned to its size, in one list per order.
//!
//! Frames are numbers; the lists run through an array with one [`Link`] per frame, so taking and giving back cost a
//! few loads and stores per order and no search.

/// Orders of blocks: 0 (one frame) to `ORDERS - 1` (1024 frames, 4 MiB).
pub const ORDERS: usize = 11;

const NIL: u32 = u32::MAX;
/// In [`Link::order`]: this frame does not start a free block.
const NOT_FREE: u8 = u8::MAX;

/// What the allocator keeps for each frame.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    next: u32,
    prev: u32,
    order: u8,
}

impl Link {
    /// Of a frame that is not in the allocator's hands.
    pub const TAKEN: Self = Self { next: NIL, prev: NIL, order: NOT_FREE };
}

/// The free blocks among frames `0..links.len()`.
#[derive(Debug)]
pub struct Buddy<'a> {
    links: &'a mut [Link],
    heads: [u32; ORDERS],
    free: usize,
}

impl<'a> Buddy<'a> {
    /// Starts with no frame free.
    ///
    /// # Panics
    /// When there are more frames than 32-bit numbers for them.
    pub fn new(links: &'a mut [Link]) -> Self {
        assert!(links.len() < NIL as usize);
        links.fill(Link::TAKEN);
        Self { links, heads: [NIL; ORDERS], free: 0 }
    }

    /// Frames that are free.
    pub fn free_frames(&self) -> usize {
        self.free
    }

    /// Takes a block of 2^`order` frames; its first.
    pub fn take(&mut self, order: usize) -> Option<u32> {
        let found = (order..ORDERS).find(|&o| self.heads[o] != NIL)?;
        let frame = self.heads[found];
        self.unlink(frame, found);
        for half in (order..found).rev() {
            self.link(frame + (1 << half), half);
        }
        self.free -= 1 << order;
        Some(frame)
    }

    /// Gives back a block of 2^`order` frames, uniting it with its buddy as long as that is free too.
    ///
    /// # Panics
    /// When the block is free already, is not aligned or lies outside.
    pub fn give(&mut self, frame: u32, order: usize) {
        assert!(frame.is_multiple_of(1 << order), "block {frame:#x} of order {order} is not aligned");
        assert!(self.links[frame as usize].order == NOT_FREE, "frame {frame:#x} freed twice");
        self.free += 1 << order;
        let (mut start, mut order) = (frame, order);
        while order + 1 < ORDERS {
            let buddy = start ^ (1 << order);
            if self.links.get(buddy as usize).is_none_or(|link| link.order as usize != order) {
                break;
            }
            self.unlink(buddy, order);
            start &= buddy;
            order += 1;
        }
        self.link(start, order);
    }

    /// Takes `count` consecutive frames; the first. A block of the next power of two is split and its tail given back.
    pub fn take_run(&mut self, count: usize) -> Option<u32> {
        let order = count.max(1).next_power_of_two().trailing_zeros() as usize;
        if order >= ORDERS {
            return None;
        }
        let start = self.take(order)?;
        self.give_run(start + count as u32, (1 << order) - count);
        Some(start)
    }

    /// Gives back `count` consecutive frames, taken in whatever way.
    pub fn give_run(&mut self, start: u32, count: usize) {
        let (mut at, end) = (start, start + count as u32);
        while at < end {
            let aligned = at.trailing_zeros() as usize;
            let fits = (end - at).ilog2() as usize;
            let order = aligned.min(fits).min(ORDERS - 1);
            self.give(at, order);
            at += 1 << order;
        }
    }

    fn link(&mut self, frame: u32, order: usize) {
        let next = self.heads[order];
        if next != NIL {
            self.links[next as usize].prev = frame;
        }
        self.links[frame as usize] = Link { next, prev: NIL, order: order as u8 };
        self.heads[order] = frame;
    }

    fn unlink(&mut self, frame: u32, order: usize) {
        let Link { next, prev, .. } = self.links[frame as usize];
        match prev {
            NIL => self.heads[order] = next,
            _ => self.links[prev as usize].next = next,
        }
        if next != NIL {
            self.links[next as usize].prev = prev;
        }
        self.links[frame as usize] = Link::TAKEN;
    }
}
