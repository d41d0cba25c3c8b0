//! A task that sleeps until a condition holds, and wakers that make it hold: no wake is lost, none queues the task twice.
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::thread;

use crate::sync::Sleep;

#[path = "../../core/src/task/sched/state.rs"]
mod state;

use state::{RunState, Wake};

struct World {
    state: RunState,
    condition: AtomicBool,
    /// How often the task is on a run queue.
    queued: AtomicUsize,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self { state: RunState::new(), condition: AtomicBool::new(false), queued: AtomicUsize::new(0) })
    }

    /// As `WaitQueue::wait_until` and `schedule` do it.
    fn sleep(&self, sleep: Sleep) {
        loop {
            self.state.announce(sleep);
            fence(Ordering::SeqCst);
            if self.condition.load(Ordering::Relaxed) {
                self.state.cancel();
                return;
            }
            if self.state.park() {
                // Off the CPU: runs again only when someone has queued it.
                while self.queued.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                    thread::yield_now();
                }
            }
        }
    }

    /// As `WaitQueue::wake` and `sched::wake_if` do it.
    fn wake(&self, may_end: impl Fn(Sleep) -> bool) {
        fence(Ordering::SeqCst);
        if self.state.wake(may_end) == Wake::Parked {
            assert_eq!(self.queued.fetch_add(1, Ordering::AcqRel), 0, "queued twice");
        }
    }
}

#[test]
fn no_wake_is_lost() {
    loom::model(|| {
        let world = World::new();
        let waker = {
            let world = world.clone();
            thread::spawn(move || {
                world.condition.store(true, Ordering::Relaxed);
                world.wake(|_| true);
            })
        };
        world.sleep(Sleep::Uninterruptible);
        waker.join().unwrap();
    });
}

#[test]
fn two_wakers_queue_once() {
    // Three threads: bounded, or it would run for hours. Two preemptions reach every pair of racing steps.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let world = World::new();
        let wakers: Vec<_> = (0..2)
            .map(|_| {
                let world = world.clone();
                thread::spawn(move || {
                    world.condition.store(true, Ordering::Relaxed);
                    world.wake(|_| true);
                })
            })
            .collect();
        world.sleep(Sleep::Interruptible);
        for waker in wakers {
            waker.join().unwrap();
        }
        assert!(world.queued.load(Ordering::Relaxed) == 0, "left on a queue while it runs");
    });
}

#[test]
fn a_signal_does_not_end_an_uninterruptible_sleep() {
    loom::model(|| {
        let world = World::new();
        let waker = {
            let world = world.clone();
            thread::spawn(move || {
                world.wake(|sleep| sleep != Sleep::Uninterruptible);
                assert_eq!(world.queued.load(Ordering::Relaxed), 0);
                world.condition.store(true, Ordering::Relaxed);
                world.wake(|_| true);
            })
        };
        world.sleep(Sleep::Uninterruptible);
        waker.join().unwrap();
    });
}

#[test]
fn kinds_are_told_apart() {
    loom::model(|| {
        let state = RunState::new();
        assert_eq!(state.sleeping(), None);
        assert!(!state.is_asleep());
        state.announce(Sleep::Killable);
        assert_eq!(state.sleeping(), Some(Sleep::Killable));
        assert!(state.is_asleep());
        assert_eq!(state.wake(|sleep| sleep == Sleep::Interruptible), Wake::NotAsleep);
        assert!(state.park());
        assert_eq!(state.wake(|sleep| sleep == Sleep::Killable), Wake::Parked);
        state.die();
        assert!(state.park(), "a dead task leaves its CPU");
        assert_eq!(state.wake(|_| true), Wake::NotAsleep);
    });
}
