//! The scheduler: a run queue per CPU, round robin with a time slice, idle CPUs take work from busy ones.
//!
//! User code is preempted at the clock tick; kernel code gives way only where it sleeps or calls [`cond_resched`].
mod cpu;
mod state;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicI8, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

pub use cpu::CpuSched;
use cpu::Leaving;
use state::{RunState, Wake};

use super::{Task, TaskFlag, current, signal, timer};
use crate::arch::percpu::{self, PerCpu, this_cpu};
use crate::arch::switch::{self, Parked};
use crate::arch::{clock, send_ipi, tlb, vector};
use crate::mm::space::AddressSpace;
use crate::sync::{Sleep, might_sleep};

/// How long a task of nice value 0 runs while others wait, and between clock ticks, nanoseconds.
pub const SLICE_NS: u64 = 5_000_000;

/// What the scheduler keeps of each task.
pub struct SchedState {
    state: RunState,
    /// Whether some CPU runs it or has not quite left it yet.
    on_cpu: AtomicBool,
    /// The CPU it runs or ran on.
    cpu: AtomicUsize,
    /// CPUs it may run on, one bit each.
    affinity: AtomicU64,
    /// How little of a CPU it wants while others wait: -20 to 19.
    nice: AtomicI8,
    /// Its address space as the CPU uses it: what `Task::space` holds, without the lock.
    space: AtomicPtr<AddressSpace>,
    /// What it left behind when it last gave up a CPU.
    pub parked: Parked,
}

const NOWHERE: usize = usize::MAX;

impl SchedState {
    /// A task that has not run.
    pub const fn new() -> Self {
        Self {
            state: RunState::new(),
            on_cpu: AtomicBool::new(false),
            cpu: AtomicUsize::new(NOWHERE),
            affinity: AtomicU64::new(u64::MAX),
            nice: AtomicI8::new(0),
            space: AtomicPtr::new(core::ptr::null_mut()),
            parked: Parked::new(),
        }
    }

    /// That of a child of the current task: it may run where its maker may, and is as nice.
    pub fn for_child() -> Self {
        let maker = &current().sched;
        let nice = AtomicI8::new(maker.nice.load(Ordering::Relaxed));
        Self { affinity: AtomicU64::new(maker.affinity()), nice, ..Self::new() }
    }

    /// CPUs it may run on, one bit each; bits of absent CPUs mean nothing.
    pub fn affinity(&self) -> u64 {
        self.affinity.load(Ordering::Relaxed)
    }

    /// Its nice value, -20 to 19 (getpriority).
    pub fn nice(&self) -> i32 {
        i32::from(self.nice.load(Ordering::Relaxed))
    }

    /// Sets its nice value; the caller has cut it to -20 to 19.
    pub fn set_nice(&self, nice: i32) {
        self.nice.store(nice as i8, Ordering::Relaxed);
    }

    /// Its turn on the CPU while others wait, nanoseconds: from 1 ms to 10 ms, so that its share follows.
    fn slice_ns(&self) -> u64 {
        u64::from((20 - self.nice()).unsigned_abs()).max(4) * SLICE_NS / 20
    }

    /// Whether it may run on `cpu`.
    pub fn may_run_on(&self, cpu: usize) -> bool {
        self.affinity() & 1 << cpu != 0
    }

    /// The CPU it runs on, or ran on last (0 before it ever ran).
    pub fn cpu(&self) -> usize {
        match self.cpu.load(Ordering::Relaxed) {
            NOWHERE => 0,
            cpu => cpu,
        }
    }

    /// Whether `cpu` was the last to run it.
    pub fn ran_last_on(&self, cpu: usize) -> bool {
        self.cpu.load(Ordering::Relaxed) == cpu
    }

    /// How it sleeps, if it does (for /proc).
    pub fn sleeping(&self) -> Option<Sleep> {
        self.state.sleeping()
    }

    /// The page tables it runs on; null for the kernel's own.
    pub fn active_space(&self) -> *const AddressSpace {
        self.space.load(Ordering::Acquire)
    }

    fn is_on_cpu(&self) -> bool {
        self.on_cpu.load(Ordering::Acquire)
    }
}

impl Default for SchedState {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a new task runnable for the first time: it starts in the user-mode loop. `bases` are its FS and GS base.
pub fn start(task: Arc<Task>, bases: (u64, u64)) {
    let space = task.space().map_or(core::ptr::null(), |space| Arc::as_ptr(&space));
    task.sched.space.store(space.cast_mut(), Ordering::Release);
    task.sched.parked.set_bases(bases.0, bases.1);
    // SAFETY: nobody has run the task yet.
    unsafe { switch::prepare(&task, first_steps) };
    percpu::irq_disable();
    enqueue(task);
    percpu::irq_enable();
}

/// Where every task begins, on its own stack, interrupts off.
extern "C" fn first_steps() -> ! {
    finish_switch();
    percpu::swap_irq_was_on(true);
    percpu::irq_enable();
    super::run::run()
}

/// Replaces the current task's address space (execve, exit) and gives back the old one.
pub fn replace_space(new: Option<Arc<AddressSpace>>) -> Option<Arc<AddressSpace>> {
    let task = current();
    percpu::irq_disable();
    let mut slot = task.space.lock();
    let pointer = new.as_ref().map_or(core::ptr::null(), Arc::as_ptr);
    let old = core::mem::replace(&mut *slot, new);
    let before = task.sched.space.swap(pointer.cast_mut(), Ordering::AcqRel);
    // SAFETY: `old` and the slot keep both spaces alive; interrupts are off.
    unsafe { switch::change_space(before, pointer) };
    drop(slot);
    percpu::irq_enable();
    old
}

/// Gives the CPU to the next runnable task; comes back when this one is chosen again.
pub fn yield_now() {
    might_sleep();
    schedule();
}

/// Lets others run if the scheduler wants it; called in long loops in the kernel, which is not preempted otherwise.
pub fn cond_resched() {
    if current().gates.bits() & TaskFlag::Reschedule as u32 != 0 {
        yield_now();
    }
}

/// As [`cond_resched`], in loops over as much as a program asks for: true when the task is being killed, and the loop
/// should end with what it has done.
pub fn give_way() -> bool {
    cond_resched();
    current().gates.bits() != 0 && sleep_interrupted(Sleep::Killable)
}

/// Ends the current task's time on any CPU, for good; its last reference is dropped by the next task to run here.
pub fn exit_current() -> ! {
    crate::arch::fpu::disown(current());
    current().sched.state.die();
    schedule();
    unreachable!("a dead task ran")
}

/// Marks the current task asleep: from now on a [`wake`] is not lost. Follow by a check of the condition, then
/// [`sleep_prepared`] or [`cancel_sleep`].
pub fn prepare_sleep(sleep: Sleep) {
    current().sched.state.announce(sleep);
}

/// Takes [`prepare_sleep`] back.
pub fn cancel_sleep() {
    current().sched.state.cancel();
}

/// Sleeps until woken, or until `deadline` (monotonic nanoseconds). May return early for no reason.
#[track_caller]
pub fn sleep_prepared(deadline: Option<u64>) {
    might_sleep();
    if let Some(at) = deadline {
        timer::arm_wake(&super::current_arc(), at);
    }
    schedule();
    if deadline.is_some() {
        timer::cancel_wake(current());
    }
}

/// Whether a signal ends a sleep of this kind right now.
pub fn sleep_interrupted(sleep: Sleep) -> bool {
    match sleep {
        Sleep::Interruptible => signal::is_pending(current(), false),
        Sleep::Killable => signal::is_pending(current(), true),
        Sleep::Uninterruptible => false,
    }
}

/// Makes a sleeping task runnable, whatever it sleeps for; true if it slept. It will check its condition again.
pub fn wake(task: &Arc<Task>) -> bool {
    wake_if(task, |_| true)
}

/// Wakes `task` if it sleeps interruptibly (or, with `fatal`, killably); and makes it look at its gates soon if it runs
/// in user mode, by an interrupt to its CPU. Called after a signal was queued or a gate flag was set.
pub fn kick(task: &Arc<Task>, fatal: bool) {
    let woken = wake_if(task, |sleep| match sleep {
        Sleep::Interruptible => true,
        Sleep::Killable => fatal,
        Sleep::Uninterruptible => false,
    });
    if !woken && task.sched.is_on_cpu() && !core::ptr::eq(&**task, percpu::current_task()) {
        percpu::irq_disable();
        let cpu = task.sched.cpu();
        if cpu != percpu::cpu_id() {
            send_ipi(cpu, vector::RESCHEDULE);
        }
        percpu::irq_enable();
    }
}

fn wake_if(task: &Arc<Task>, may_end: impl Fn(Sleep) -> bool) -> bool {
    if !task.sched.state.is_asleep() {
        return false;
    }
    percpu::irq_disable();
    let found = task.sched.state.wake(may_end);
    if found == Wake::Parked {
        // It has parked but its CPU may still be saving its registers.
        while task.sched.is_on_cpu() {
            tlb::poll();
            core::hint::spin_loop();
        }
        enqueue(task.clone());
    }
    percpu::irq_enable();
    found != Wake::NotAsleep
}

/// Chooses a CPU for a runnable task: the one it ran on if that idles, else this one if that idles or is where it ran,
/// else any that idles, else where it ran.
fn choose_cpu(task: &Task) -> &'static PerCpu {
    let me = this_cpu();
    let allowed = |cpu: &&'static PerCpu| task.sched.may_run_on(cpu.id());
    let free = |cpu: &&'static PerCpu| cpu.sched.is_idling() && cpu.sched.waiting() == 0;
    let all = || (0..percpu::cpu_count()).filter_map(percpu::of_cpu);
    let last = percpu::of_cpu(task.sched.cpu.load(Ordering::Relaxed)).filter(allowed);
    last.filter(free)
        .or_else(|| Some(me).filter(allowed).filter(free))
        .or_else(|| all().filter(allowed).find(free))
        .or(last)
        .or_else(|| all().filter(allowed).min_by_key(|cpu| cpu.sched.waiting()))
        .unwrap_or(me)
}

/// Queues a runnable task that is on no queue, and rouses the CPU it is for. Interrupts are off.
fn enqueue(task: Arc<Task>) {
    let cpu = choose_cpu(&task);
    cpu.sched.push(task);
    if cpu.sched.is_idling() && cpu.id() != percpu::cpu_id() {
        send_ipi(cpu.id(), vector::RESCHEDULE);
    }
}

/// Switches to the next task. The current one goes to the end of the queue if it is still runnable.
fn schedule() {
    percpu::irq_disable();
    debug_assert!(percpu::irq_depth() == 1, "scheduling with a spinning lock held");
    let cpu = this_cpu();
    let prev_ptr = percpu::current_task();
    // SAFETY: the current task is alive: this CPU holds a share in it.
    let prev = unsafe { &*prev_ptr };
    prev.gates.clear(TaskFlag::Reschedule);
    let now = clock::now_ns();
    account(cpu, prev, now, false);
    let is_idle = prev_ptr == cpu.sched.idle();
    let leaving = if is_idle {
        Leaving::Stay(prev_ptr)
    } else {
        // SAFETY: gives this CPU's share in the task a new owner; it is not used as `current` again without another.
        let share = unsafe { Arc::from_raw(prev_ptr) };
        if prev.sched.state.park() {
            Leaving::Drop(share)
        } else if prev.sched.may_run_on(cpu.id()) {
            cpu.sched.push(share);
            Leaving::Stay(prev_ptr)
        } else {
            Leaving::Migrate(share)
        }
    };
    let next_ptr = match cpu.sched.pop().or_else(|| cpu::steal(cpu.id())) {
        Some(next) => Arc::into_raw(next),
        None => cpu.sched.idle(),
    };
    // SAFETY: this CPU owns a share in the next task (or it is idle, which lives forever).
    let next = unsafe { &*next_ptr };
    cpu.sched.slice_end.set(now + next.sched.slice_ns());
    if next_ptr == prev_ptr {
        percpu::irq_enable();
        return;
    }
    if next_ptr != cpu.sched.idle() && !cpu.sched.ticking.replace(true) {
        clock::wake_at(now + SLICE_NS);
    }
    next.sched.on_cpu.store(true, Ordering::Release);
    cpu.sched.leaving.set(Some(leaving));
    let was_on = percpu::swap_irq_was_on(true);
    // SAFETY: `prev` runs here, `next` was parked or never ran and is on no queue any more; interrupts are off.
    unsafe { switch::switch(prev, next) };
    finish_switch();
    percpu::swap_irq_was_on(was_on);
    percpu::irq_enable();
}

/// The rest of a switch, on the new task's stack: lets go of the old one.
fn finish_switch() {
    let cpu = this_cpu();
    // SAFETY: the current task is alive.
    unsafe { &*percpu::current_task() }.sched.cpu.store(cpu.id(), Ordering::Relaxed);
    match cpu.sched.leaving.take() {
        Some(Leaving::Stay(task)) => {
            // SAFETY: a queued task cannot end before it has run again, which waits for this store.
            unsafe { &*task }.sched.on_cpu.store(false, Ordering::Release);
        }
        Some(Leaving::Drop(task)) => {
            task.sched.on_cpu.store(false, Ordering::Release);
            drop(task);
        }
        Some(Leaving::Migrate(task)) => {
            task.sched.on_cpu.store(false, Ordering::Release);
            enqueue(task);
        }
        None => {}
    }
}

/// CPU time that the current task has used since its time was last accounted, nanoseconds.
pub fn unaccounted_ns() -> u64 {
    percpu::irq_disable();
    let since = this_cpu().sched.accounted.get();
    let spent = clock::now_ns().saturating_sub(since);
    percpu::irq_enable();
    spent
}

/// Adds the time since the last accounting to `task`.
fn account(cpu: &PerCpu, task: &Task, now: u64, user: bool) {
    let since = cpu.sched.accounted.replace(now);
    let spent = now.saturating_sub(since);
    let counter = if user { &task.times.user_ns } else { &task.times.kernel_ns };
    counter.fetch_add(spent, Ordering::Relaxed);
}

/// The clock tick of this CPU: accounts time, ends time slices, shares work with CPUs that idle. Interrupts are off.
pub fn tick(now: u64, from_user: bool) {
    let cpu = this_cpu();
    let current = percpu::current_task();
    cpu.sched.ticking.set(false);
    if current.is_null() || current == cpu.sched.idle() {
        cpu.sched.accounted.set(now);
        return;
    }
    // SAFETY: the current task is alive.
    let task = unsafe { &*current };
    account(cpu, task, now, from_user);
    timer::cpu_tick(task);
    if cpu.sched.waiting() > 0 {
        if now >= cpu.sched.slice_end.get() {
            task.gates.set(TaskFlag::Reschedule);
        }
        let idle = (0..percpu::cpu_count()).filter_map(percpu::of_cpu).find(|c| c.sched.is_idling());
        if let Some(idle) = idle {
            send_ipi(idle.id(), vector::RESCHEDULE);
        }
    }
    cpu.sched.ticking.set(true);
    clock::wake_at(now + SLICE_NS);
}

/// Sets the CPUs a task may run on; `mask` names at least one that runs. A task on another CPU moves soon.
pub fn set_affinity(task: &Arc<Task>, mask: u64) {
    task.sched.affinity.store(mask, Ordering::Relaxed);
    if task.sched.is_on_cpu() && !task.sched.may_run_on(task.sched.cpu()) {
        task.gates.set(TaskFlag::Reschedule);
        kick(task, false);
    }
}

/// Makes the idle task of a CPU that is about to start.
pub fn make_idle(cpu: &'static PerCpu) -> Arc<Task> {
    let idle = super::create::idle_task(cpu.id()).expect("memory for an idle task at boot");
    cpu.sched.set_idle(idle.clone());
    idle
}

/// Turns the boot flow of the first CPU into its idle task; its own stack stays the boot stack.
pub fn init_first_cpu() {
    make_idle(this_cpu());
    become_idle();
}

fn become_idle() {
    let cpu = this_cpu();
    cpu.sched.accounted.set(clock::now_ns());
    percpu::set_current(cpu.sched.idle(), 0);
}

/// What a CPU does when there is nothing to do. Entered once by each CPU, with interrupts off.
pub fn idle_loop() -> ! {
    become_idle();
    percpu::sti();
    let sched = &this_cpu().sched;
    loop {
        // First, because there may be work to take from a busy CPU: that is what those rouse idle ones for.
        schedule();
        percpu::cli();
        sched.set_idling(true);
        if sched.waiting() == 0 {
            crate::arch::cpu::wait_for_interrupt();
        }
        sched.set_idling(false);
        percpu::sti();
    }
}
