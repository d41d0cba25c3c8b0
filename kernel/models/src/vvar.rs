//! The data page of the gate image: a reader sees the page as it is between two changes, never within one.
use loom::sync::Arc;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

#[path = "../../gate/src/vvar.rs"]
#[expect(dead_code, unreachable_pub, reason = "the gate crate and its build script use the rest")]
mod page;

use page::Vvar;

const CLOCK: u32 = 1;

/// Sets the clock to as many seconds as nanoseconds.
fn set(vvar: &Vvar, value: u64) {
    vvar.update(|vvar| {
        vvar.clocks[CLOCK as usize].seconds.store(value, Relaxed);
        vvar.clocks[CLOCK as usize].nanoseconds.store(value, Relaxed);
    });
}

#[test]
fn changes_are_seen_whole() {
    let mut model = loom::model::Builder::new();
    // Two preemptions reach every pair of racing steps; more repeat the loop of the reader.
    model.preemption_bound = Some(2);
    model.check(|| {
        let vvar = Arc::new(Vvar::default());
        vvar.known.store(1 << CLOCK, Relaxed);
        let writer = {
            let vvar = vvar.clone();
            thread::spawn(move || {
                set(&vvar, 1);
                set(&vvar, 2);
            })
        };
        let (seconds, nanoseconds) = vvar.time(CLOCK, || 0).expect("the clock is known");
        assert_eq!(seconds, nanoseconds);
        writer.join().expect("the writer ends");
        assert_eq!(vvar.time(CLOCK, || 0), Some((2, 2)));
    });
}
