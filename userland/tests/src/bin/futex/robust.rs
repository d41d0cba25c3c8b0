//! Robust lists: what a task that dies with mutexes in hand leaves to the others.

use crate::futex::wait;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use tollgate_tests::memory::{KERNEL, Mapping, Shared};
use tollgate_tests::process::{Status, execve, fork, tid, wait_until_asleep};
use tollgate_tests::{Errno, sys};

const WAITERS: u32 = 0x8000_0000;
const OWNER_DIED: u32 = 0x4000_0000;

/// The kernel's list head, and mutexes that it can link.
#[repr(C)]
struct World {
    head: Head,
    mutexes: [Mutex; 3],
}

#[repr(C)]
struct Head {
    next: AtomicUsize,
    offset: AtomicUsize,
    pending: AtomicUsize,
}

#[repr(C)]
struct Mutex {
    next: AtomicUsize,
    word: AtomicU32,
}

/// From a list entry to its word.
const OFFSET: usize = std::mem::offset_of!(Mutex, word);

fn world() -> Shared<World> {
    let mutex = || Mutex { next: AtomicUsize::new(0), word: AtomicU32::new(0) };
    let head = Head { next: AtomicUsize::new(0), offset: AtomicUsize::new(OFFSET), pending: AtomicUsize::new(0) };
    let world = Shared::new(World { head, mutexes: [mutex(), mutex(), mutex()] });
    world.head.next.store(&raw const world.head as usize, SeqCst);
    world
}

impl World {
    /// Registers the list for the calling thread.
    fn register(&self) {
        assert_eq!(sys!(libc::SYS_set_robust_list, &self.head, size_of::<Head>()), Ok(0));
    }

    /// Takes a mutex for the calling thread and links it.
    fn take(&self, number: usize) {
        let mutex = &self.mutexes[number];
        mutex.word.store(tid() as u32, SeqCst);
        mutex.next.store(self.head.next.load(SeqCst), SeqCst);
        self.head.next.store(&raw const *mutex as usize, SeqCst);
    }

    fn words(&self) -> [u32; 3] {
        self.mutexes.each_ref().map(|mutex| mutex.word.load(SeqCst))
    }
}

pub(crate) fn owner_that_dies_is_marked() {
    let world = world();
    fork(|| {
        world.register();
        world.take(0);
        world.take(2);
        // In the list, but not ours.
        world.take(1);
        world.mutexes[1].word.store(12345, SeqCst);
        0
    })
    .succeed();
    assert_eq!(world.words(), [OWNER_DIED, 12345, OWNER_DIED]);
    // A thread's death counts, and so does one by a signal.
    let world = self::world();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            world.register();
            world.take(0);
        });
    });
    tollgate_tests::time::wait_until("the thread is gone", || world.words()[0] == OWNER_DIED);
    let child = fork(|| {
        world.register();
        world.take(1);
        tollgate_tests::memory::touch(0);
        0
    });
    assert_eq!(child.wait().signal(), Some(libc::SIGSEGV));
    assert_eq!(world.words()[1], OWNER_DIED);
}

/// The entry a thread was about to link or unlink when it died.
pub(crate) fn pending_operation_counts() {
    let world = world();
    fork(|| {
        world.register();
        world.mutexes[1].word.store(tid() as u32, SeqCst);
        world.head.pending.store(&raw const world.mutexes[1] as usize, SeqCst);
        0
    })
    .succeed();
    assert_eq!(world.words(), [0, OWNER_DIED, 0]);
}

pub(crate) fn waiters_are_woken() {
    let world = world();
    let owner = fork(|| {
        world.register();
        world.take(0);
        let own = tid() as u32;
        world.mutexes[0].word.store(own | WAITERS, SeqCst);
        tollgate_tests::time::sleep_ms(50);
        0
    });
    tollgate_tests::time::wait_until("it is taken", || world.words()[0] & WAITERS != 0);
    let value = owner.pid as u32 | WAITERS;
    let result = wait(&world.mutexes[0].word, value);
    assert!(matches!(result, Ok(0) | Err(Errno::EAGAIN)), "{result:?}");
    assert_eq!(world.words()[0], OWNER_DIED | WAITERS, "the mark for other waiters stays");
    owner.succeed();
}

/// The new program knows nothing of the old one's mutexes.
pub(crate) fn exec_counts_as_death() {
    let world = world();
    let child = fork(|| {
        world.register();
        world.take(0);
        execve("/bin/sh", &["sh", "-c", "sleep 0.2"], &["PATH=/bin:/usr/bin"]) as i32
    });
    tollgate_tests::time::wait_until("exec has let go", || world.words()[0] == OWNER_DIED);
    assert_eq!(child.wait(), Status::Exited(0));
}

/// Circles and pointers to nowhere: the task ends all the same, and soon.
pub(crate) fn hostile_lists_do_no_harm() {
    let nothing = Mapping::anonymous(1).address;
    for next in [1, 8, 0x1001, nothing, KERNEL, usize::MAX, usize::MAX - 15] {
        let world = world();
        fork(|| {
            world.register();
            world.take(0);
            world.mutexes[0].next.store(next, SeqCst);
            0
        })
        .succeed();
        assert_eq!(world.words()[0], OWNER_DIED, "what comes before the bad pointer is still done");
        fork(|| {
            world.head.next.store(next, SeqCst);
            world.head.pending.store(next, SeqCst);
            world.register();
            0
        })
        .succeed();
        fork(|| {
            assert_eq!(sys!(libc::SYS_set_robust_list, next, size_of::<Head>()), Ok(0), "looked at only in the end");
            0
        })
        .succeed();
    }
    let world = world();
    fork(|| {
        world.register();
        world.take(0);
        world.take(1);
        world.mutexes[0].next.store(&raw const world.mutexes[1] as usize, SeqCst);
        0
    })
    .succeed();
    fork(|| {
        world.register();
        world.take(0);
        // Where the words are said to be is nowhere.
        world.head.offset.store(1 << 60, SeqCst);
        0
    })
    .succeed();
}

pub(crate) fn lists_are_told() {
    let world = world();
    let (mut head, mut size) = (0usize, 0usize);
    world.register();
    assert_eq!(sys!(libc::SYS_get_robust_list, 0, &mut head, &mut size), Ok(0));
    assert_eq!((head, size), (&raw const world.head as usize, size_of::<Head>()));
    assert_eq!(sys!(libc::SYS_set_robust_list, &world.head, 23), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_get_robust_list, i32::MAX, &mut head, &mut size), Err(Errno::ESRCH));
    // Another task's can be looked at, and a new task has none.
    let child = fork(|| {
        let _ = sys!(libc::SYS_pause);
        0
    });
    wait_until_asleep(child.pid);
    assert_eq!(sys!(libc::SYS_get_robust_list, child.pid, &mut head, &mut size), Ok(0));
    assert_eq!(head, 0);
    child.kill(libc::SIGKILL);
    child.wait();
    assert_eq!(sys!(libc::SYS_set_robust_list, 0, size_of::<Head>()), Ok(0));
}
