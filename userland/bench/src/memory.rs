//! Memory.

use crate::measure::{Cost, Row, measure, measure_after};
use tollgate_tests::memory::{ANONYMOUS, Mapping, PAGE, RW, mmap, munmap, poke};
use tollgate_tests::process::{Child, fork};
use tollgate_tests::sys;

pub(crate) const ROWS: &[Row] = &[
    Row { name: "anonymous page fault", run: fault },
    Row { name: "copy-on-write page fault", run: copy },
    Row { name: "mmap + touch + munmap of one page", run: map },
    Row { name: "brk up and down by one page", run: brk },
];

/// Pages of the mappings.
const PAGES: usize = 256;

fn fault() -> Cost {
    measure_after(|| Mapping::anonymous(PAGES), PAGES as u64, |mapping, page| poke(mapping.page(page as usize), 1))
}

/// Pages that a child shares until it is killed.
struct Shared {
    mapping: Mapping,
    child: Child,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.child.kill(libc::SIGKILL);
        self.child.wait();
    }
}

fn copy() -> Cost {
    let prepare = || {
        let mapping = Mapping::anonymous(PAGES);
        mapping.fill(1);
        let child = fork(|| {
            let _ = sys!(libc::SYS_pause);
            0
        });
        Shared { mapping, child }
    };
    measure_after(prepare, PAGES as u64, |shared, page| poke(shared.mapping.page(page as usize), 2))
}

fn map() -> Cost {
    measure(200, || {
        let page = mmap(0, PAGE, RW, ANONYMOUS, -1, 0).expect("mmap");
        poke(page, 1);
        munmap(page, PAGE).expect("munmap");
    })
}

fn brk() -> Cost {
    let end = sys!(libc::SYS_brk, 0).expect("brk");
    measure(500, || {
        let _ = sys!(libc::SYS_brk, end + PAGE);
        let _ = sys!(libc::SYS_brk, end);
    })
}
