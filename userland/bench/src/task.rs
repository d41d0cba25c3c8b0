//! Handing over between processes and between threads.

use crate::measure::{Cost, Row, measure};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::fork;
use tollgate_tests::sys;

pub(crate) const ROWS: &[Row] = &[
    Row { name: "pipe ping-pong between processes (round trip)", run: ping_pong },
    Row { name: "thread switch (futex hand-over)", run: hand_over },
    Row { name: "sched_yield alone", run: yield_alone },
    Row { name: "thread start and join", run: thread },
];

fn ping_pong() -> Cost {
    let (there, back) = (Pipe::new(), Pipe::new());
    let echo = fork(|| {
        there.close_writer();
        let mut byte = [0];
        while there.read(&mut byte) == Ok(1) {
            let _ = back.write(&byte);
        }
        0
    });
    there.close_reader();
    let mut byte = [0];
    let cost = measure(100, || {
        let _ = there.write(b"x");
        let _ = back.read(&mut byte);
    });
    there.close_writer();
    echo.succeed();
    cost
}

/// Two threads that wait for each other in turn: each round is two switches.
fn hand_over() -> Cost {
    const STOP: u32 = 2;
    let turn = AtomicU32::new(0);
    let wait = |own: u32| {
        loop {
            let now = turn.load(SeqCst);
            if now == own || now == STOP {
                return now;
            }
            let _ = sys!(libc::SYS_futex, &turn, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, now, 0);
        }
    };
    let pass = |next: u32| {
        turn.store(next, SeqCst);
        let _ = sys!(libc::SYS_futex, &turn, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while wait(1) != STOP {
                pass(0);
            }
        });
        let cost = measure(100, || {
            pass(1);
            wait(0);
        });
        pass(STOP);
        cost.divided_by(2)
    })
}

fn yield_alone() -> Cost {
    measure(500, || {
        let _ = sys!(libc::SYS_sched_yield);
    })
}

fn thread() -> Cost {
    measure(20, || std::thread::spawn(|| {}).join().expect("the thread"))
}
