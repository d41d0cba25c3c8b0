//! Threads as programs use them, through Rust's standard library.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};
use tollgate_tests::{linux, suite};

fn results_come_back() {
    let threads: Vec<_> = (0..20u64).map(|number| thread::spawn(move || number * number)).collect();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 2470);
}

fn one_after_the_other() {
    let count = AtomicU32::new(0);
    for _ in 0..500 {
        thread::scope(|scope| {
            scope.spawn(|| count.fetch_add(1, SeqCst));
        });
    }
    assert_eq!(count.into_inner(), 500);
}

fn many_at_once() {
    let barrier = Arc::new(Barrier::new(64));
    let start = |number: u64| {
        let barrier = barrier.clone();
        // Small stacks: sixty-four fit in a small machine many times over.
        let body = move || {
            barrier.wait();
            number
        };
        Builder::new().stack_size(64 << 10).spawn(body).unwrap()
    };
    let threads: Vec<_> = (0..64).map(start).collect();
    assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>(), 2016);
}

fn mutexes_exclude() {
    let counter = Mutex::new(0u64);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5000).for_each(|_| *counter.lock().unwrap() += 1));
        }
    });
    assert_eq!(counter.into_inner().unwrap(), 40_000);
}

fn conditions_are_waited_for() {
    let (turn, changed) = (Mutex::new(0u32), Condvar::new());
    thread::scope(|scope| {
        for own in 0..4 {
            let (turn, changed) = (&turn, &changed);
            scope.spawn(move || {
                for round in 0..200 {
                    let ours = |turn: &mut u32| *turn != 4 * round + own;
                    let mut turn = changed.wait_while(turn.lock().unwrap(), ours).unwrap();
                    *turn += 1;
                    changed.notify_all();
                }
            });
        }
    });
    assert_eq!(turn.into_inner().unwrap(), 800);
}

fn waits_have_limits() {
    let (mutex, condition) = (Mutex::new(()), Condvar::new());
    let start = Instant::now();
    let (_guard, result) = condition.wait_timeout(mutex.lock().unwrap(), Duration::from_millis(30)).unwrap();
    assert!(result.timed_out() && start.elapsed() >= Duration::from_millis(30));
    let (_sender, receiver) = channel::<()>();
    let start = Instant::now();
    assert_eq!(receiver.recv_timeout(Duration::from_millis(30)), Err(RecvTimeoutError::Timeout));
    assert!(start.elapsed() >= Duration::from_millis(30));
}

fn readers_share() {
    let table = RwLock::new(vec![0u32; 8]);
    thread::scope(|scope| {
        for writer in 0..2 {
            let table = &table;
            scope
                .spawn(move || (0..300).for_each(|_| table.write().unwrap().iter_mut().for_each(|n| *n += writer + 1)));
        }
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..300 {
                    let table = table.read().unwrap();
                    assert!(table.iter().all(|&number| number == table[0]), "a reader saw half a write");
                }
            });
        }
    });
    assert_eq!(table.into_inner().unwrap(), [900; 8]);
}

fn channels_carry_all() {
    let (sender, receiver) = sync_channel(3);
    let senders: Vec<_> = (0..5u64)
        .map(|number| {
            let sender = sender.clone();
            thread::spawn(move || (0..400).for_each(|item| sender.send(number * 400 + item).unwrap()))
        })
        .collect();
    drop(sender);
    let seen: HashSet<u64> = receiver.iter().collect();
    assert_eq!(seen.len(), 2000);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}

fn locals_are_each_threads_own() {
    static DROPPED: AtomicU32 = AtomicU32::new(0);
    struct Local(Cell<u32>);
    impl Drop for Local {
        fn drop(&mut self) {
            DROPPED.fetch_add(self.0.get(), SeqCst);
        }
    }
    thread_local!(static LOCAL: Local = const { Local(Cell::new(1)) });
    LOCAL.with(|local| local.0.set(1000));
    thread::scope(|scope| {
        for number in 2..6 {
            scope.spawn(move || {
                assert_eq!(LOCAL.with(|local| local.0.replace(number)), 1);
                thread::yield_now();
                assert_eq!(LOCAL.with(|local| local.0.get()), number);
            });
        }
    });
    tollgate_tests::time::wait_until("their locals are dropped", || DROPPED.load(SeqCst) == 2 + 3 + 4 + 5);
    assert_eq!(LOCAL.with(|local| local.0.get()), 1000);
}

fn parked_ones_wake() {
    let flag = Arc::new(AtomicU32::new(0));
    let parked = {
        let flag = flag.clone();
        thread::spawn(move || {
            while flag.load(SeqCst) == 0 {
                thread::park();
            }
        })
    };
    thread::sleep(Duration::from_millis(10));
    flag.store(1, SeqCst);
    parked.thread().unpark();
    parked.join().unwrap();
    // A wake-up that comes first is not lost.
    thread::current().unpark();
    thread::park();
}

fn some_things_happen_once() {
    static ONCE: Once = Once::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                ONCE.call_once(|| {
                    thread::sleep(Duration::from_millis(5));
                    COUNT.fetch_add(1, SeqCst);
                });
                assert_eq!(COUNT.load(SeqCst), 1, "it went on before it was done");
            });
        }
    });
}

fn stacks_are_as_large_as_asked() {
    fn recurse(depth: u32) -> u32 {
        let frame = std::hint::black_box([depth as u8; 4096]);
        if depth == 0 { 0 } else { recurse(depth - 1) + u32::from(frame[7] == depth as u8) }
    }
    let thread = Builder::new().stack_size(16 << 20).spawn(|| recurse(3000)).unwrap();
    assert_eq!(thread.join().unwrap(), 3000);
}

/// Its guard page is hit, which ends the process and not its neighbour's stack.
fn overflowing_stacks_end_the_process() {
    #[expect(unconditional_recursion, reason = "that is the test")]
    fn recurse(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        recurse(depth + 1) + frame[0]
    }
    let status = tollgate_tests::process::in_child(|| {
        let result = thread::spawn(|| recurse(0)).join();
        assert!(result.is_err());
    });
    assert!(status.signal().is_some(), "{status:?}");
}

fn names_are_set() {
    let body = || std::fs::read_to_string("/proc/thread-self/comm").or_else(|_| own_name()).unwrap();
    let thread = Builder::new().name("worker".to_owned()).spawn(body).unwrap();
    assert_eq!(thread.join().unwrap().trim(), "worker");
}

/// The name by the task's number, should /proc/thread-self not be there.
fn own_name() -> std::io::Result<String> {
    std::fs::read_to_string(format!("/proc/self/task/{}/comm", tollgate_tests::process::tid()))
}

fn main() -> std::process::ExitCode {
    suite::main(&[
        linux!(results_come_back),
        linux!(one_after_the_other),
        linux!(many_at_once),
        linux!(mutexes_exclude),
        linux!(conditions_are_waited_for),
        linux!(waits_have_limits),
        linux!(readers_share),
        linux!(channels_carry_all),
        linux!(locals_are_each_threads_own),
        linux!(parked_ones_wake),
        linux!(some_things_happen_once),
        linux!(stacks_are_as_large_as_asked),
        linux!(overflowing_stacks_end_the_process),
        linux!(names_are_set),
    ])
}
