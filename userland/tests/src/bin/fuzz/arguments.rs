//! Which call, and with what.

use crate::child::NAMES;
use std::ffi::CString;
use tollgate_tests::memory::{ANONYMOUS, KERNEL, NON_CANONICAL, PAGE, RW, mmap, munmap};
use tollgate_tests::random::Random;
use tollgate_tests::{on_tollgate, process};

/// One system call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Its number.
    pub(crate) number: u64,
    /// What is passed.
    pub(crate) arguments: [u64; 6],
}

impl Call {
    /// Number and arguments, in order.
    pub(crate) fn words(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.number).chain(self.arguments)
    }
}

/// The numbers Linux uses, up to those after the gap that all architectures share.
const NUMBERS: [std::ops::Range<u64>; 2] = [0..335, 424..463];

/// Numbers of Tollgate's own: the first of the IA-64 ones and getunwind.
const OWN: [u64; 3] = [1024, 1215, 1300];

/// Never called: they end or change the machine for everyone, or would make what is lost impossible to tell.
const EXCLUDED: &[i64] = &[
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_acct,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_mount_setattr,
    libc::SYS_ptrace,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_io_uring_setup,
    // System V objects outlive their makers.
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
];

/// Calls whose first argument names a process, which has to be the caller.
const TO_A_PROCESS: &[i64] = &[
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_tgkill,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_prlimit64,
    libc::SYS_process_vm_writev,
    libc::SYS_process_vm_readv,
    libc::SYS_pidfd_open,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setattr,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_kcmp,
];

/// Real-time priorities would starve a Linux guest.
const REAL_TIME: &[i64] = &[libc::SYS_sched_setscheduler, libc::SYS_sched_setparam, libc::SYS_sched_setattr];

/// Calls that end the child or nearly so: as they are drawn, mostly something else is drawn instead.
const RARE: &[i64] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigreturn,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_pause,
    libc::SYS_rt_sigsuspend,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_seccomp,
    libc::SYS_arch_prctl,
    libc::SYS_setitimer,
    libc::SYS_rt_sigaction,
];

/// Chooses calls and arguments.
pub(crate) struct Chooser {
    /// Two pages to read and write, and nothing behind them.
    buffer: u64,
    read_only: u64,
    inaccessible: u64,
    names: Vec<CString>,
    tollgate: bool,
}

impl Chooser {
    /// Maps the memory that arguments point to.
    pub(crate) fn new() -> Chooser {
        let pages = mmap(0, 5 * PAGE, RW, ANONYMOUS, -1, 0).expect("mmap");
        let protect = |page: usize, protection: i32| {
            let address = pages + page * PAGE;
            tollgate_tests::sys!(libc::SYS_mprotect, address, PAGE, protection).expect("mprotect");
            address as u64
        };
        let (read_only, inaccessible) = (protect(3, libc::PROT_READ), protect(4, libc::PROT_NONE));
        munmap(pages + 2 * PAGE, PAGE).expect("munmap");
        let names = NAMES.iter().map(|name| CString::new(*name).expect("no NUL")).collect();
        Chooser { buffer: pages as u64, read_only, inaccessible, names, tollgate: on_tollgate() }
    }

    /// The next call.
    pub(crate) fn choose(&mut self, random: &mut Random) -> Call {
        let number = self.number(random);
        if random.one_in(3) {
            self.fill(random);
        }
        let mut arguments = [0; 6].map(|_: u64| self.argument(random));
        if TO_A_PROCESS.contains(&(number as i64)) {
            arguments[0] = if random.one_in(2) { process::pid() as u64 } else { 0x7fff_ff00 };
            if number as i64 == libc::SYS_tgkill || number as i64 == libc::SYS_rt_tgsigqueueinfo {
                arguments[1] = process::tid() as u64;
            }
        }
        Call { number, arguments }
    }

    fn number(&self, random: &mut Random) -> u64 {
        loop {
            let number = match random.below(100) {
                0 => random.choose(&OWN),
                // Nobody's. The low half is not a call's number either: Linux looks at no more than that.
                1 => random.next() | 0x1000,
                2..10 => NUMBERS[1].start + random.below(NUMBERS[1].end - NUMBERS[1].start),
                _ => random.below(NUMBERS[0].end),
            };
            let signed = number as i64;
            let never = EXCLUDED.contains(&signed) || (!self.tollgate && REAL_TIME.contains(&signed));
            if !never && (!RARE.contains(&signed) || random.one_in(20)) {
                return number;
            }
        }
    }

    /// Fills part of the buffer with words that are arguments in their turn: structures with pointers in them.
    fn fill(&self, random: &mut Random) {
        let start = random.below(64);
        for word in start..start + 1 + random.below(24) {
            let value = self.argument(random);
            let place = self.buffer + word * 8;
            // The page may have been unmapped or protected by now; then the child ends here.
            for byte in 0..8 {
                tollgate_tests::memory::poke((place + byte) as usize, (value >> (8 * byte)) as u8);
            }
        }
    }

    fn argument(&self, random: &mut Random) -> u64 {
        match random.below(16) {
            0 => 0,
            // Descriptors and small counts.
            1..4 => random.below(24),
            4 => random.below(6).wrapping_neg(),
            5 => libc::AT_FDCWD as i64 as u64,
            6 => (1 << random.below(64)) + random.below(3) - 1,
            7 => random.next(),
            // Flags: a few bits.
            8 => (0..3).fold(0, |bits, _| bits | 1 << random.below(32)),
            9 => random.below(20) * PAGE as u64,
            10..12 => self.names[random.below(self.names.len() as u64) as usize].as_ptr() as u64,
            _ => self.pointer(random),
        }
    }

    fn pointer(&self, random: &mut Random) -> u64 {
        match random.below(12) {
            0 => self.read_only + random.below(64) * 8,
            1 => self.inaccessible,
            2 => KERNEL as u64 + random.below(1 << 30),
            3 => NON_CANONICAL as u64 + random.below(1 << 30),
            4 => random.below(PAGE as u64),
            // The last bytes before nothing.
            5 => self.buffer + 2 * PAGE as u64 - random.below(200),
            6 => u64::MAX - random.below(64),
            7 => (1 << 47) - random.below(8200),
            8 => self.buffer + random.below(4096),
            _ => self.buffer + random.below(64) * 8,
        }
    }
}
