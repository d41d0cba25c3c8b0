//! An ordinary Rust program: a crew of threads that pass work along channels. It prints the same everywhere.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// The workers.
const CREW: u64 = 6;

/// Numbers to work on.
const WORK: u64 = 3000;

/// How many steps a number takes to come down to 1 by halving or tripling.
fn steps(mut number: u64) -> u64 {
    let mut steps = 0;
    while number != 1 {
        number = if number.is_multiple_of(2) { number / 2 } else { 3 * number + 1 };
        steps += 1;
    }
    steps
}

/// Workers that take numbers from one channel and put results into another.
fn share_work() {
    let (give, take) = sync_channel::<u64>(16);
    let (answer, answers) = channel();
    let take = Arc::new(Mutex::new(take));
    let workers: Vec<_> = (0..CREW)
        .map(|_| {
            let (take, answer): (Arc<Mutex<Receiver<u64>>>, Sender<_>) = (take.clone(), answer.clone());
            thread::spawn(move || {
                let mut done = 0;
                loop {
                    let number = match take.lock().expect("no worker panics").recv() {
                        Ok(number) => number,
                        Err(_) => return done,
                    };
                    answer.send((number, steps(number))).expect("someone listens");
                    done += 1;
                }
            })
        })
        .collect();
    drop(answer);
    let collector = thread::spawn(move || answers.iter().collect::<BTreeMap<u64, u64>>());
    for number in 1..=WORK {
        give.send(number).expect("a worker is left");
    }
    drop(give);
    let done: u64 = workers.into_iter().map(|worker| worker.join().expect("a worker")).sum();
    let results = collector.join().expect("the collector");
    let (longest, most) = results.iter().max_by_key(|(_, steps)| **steps).expect("there was work");
    let total: u64 = results.values().sum();
    println!("work: {done} done, {} results, {total} steps, {longest} takes {most}", results.len());
}

/// A token that goes round a ring of threads.
fn pass_round() {
    let (first, mut previous) = channel::<u64>();
    let ring: Vec<_> = (0..CREW)
        .map(|_| {
            let (next, following) = channel();
            let own = std::mem::replace(&mut previous, following);
            thread::spawn(move || own.iter().try_for_each(|token| next.send(token + 1)))
        })
        .collect();
    let mut token = 0;
    for _ in 0..500 {
        first.send(token).expect("the ring is closed");
        token = previous.recv().expect("the ring is closed");
    }
    drop(first);
    ring.into_iter().for_each(|member| member.join().expect("a member").expect("the next one listens"));
    println!("ring: {token} passes");
}

/// Barriers, a lock for readers, a condition, and memory borrowed by threads.
fn meet() {
    let barrier = Barrier::new(CREW as usize);
    let table = RwLock::new(vec![0u64; CREW as usize]);
    let (count, all_there) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        for member in 0..CREW as usize {
            let (barrier, table, count, all_there) = (&barrier, &table, &count, &all_there);
            scope.spawn(move || {
                for round in 1..=50 {
                    table.write().expect("no poison")[member] += round;
                    barrier.wait();
                    let table = table.read().expect("no poison");
                    assert!(table.iter().all(|&value| value == table[0]), "someone ran ahead");
                    drop(table);
                    barrier.wait();
                }
                *count.lock().expect("no poison") += 1;
                all_there.notify_one();
            });
        }
        let mut arrived = count.lock().expect("no poison");
        while *arrived < CREW {
            arrived = all_there.wait(arrived).expect("no poison");
        }
    });
    println!("meetings: {:?}", table.into_inner().expect("no poison"));
}

/// A wait with a limit, and a sleep no shorter than asked.
fn wait_in_vain() {
    let (_keep, silent) = channel::<()>();
    let start = Instant::now();
    let timed_out = silent.recv_timeout(Duration::from_millis(20)).is_err();
    thread::sleep(Duration::from_millis(20));
    println!("waits: timed out {timed_out}, long enough {}", start.elapsed() >= Duration::from_millis(40));
}

fn main() {
    share_work();
    pass_round();
    meet();
    wait_in_vain();
}
