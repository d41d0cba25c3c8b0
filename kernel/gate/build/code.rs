//! The code of the gate: every function and, between its instructions, the one description of its frames.
//!
//! The functions for time keep to the registers a call may destroy and leave the stack alone, so their frame is the same
//! at every instruction. What they cannot answer from the data page they pass on to the system call of the same
//! name: its arguments are still in their registers.

use std::mem::offset_of;

use iced_x86::IcedError;
use iced_x86::code_asm::{
    CodeLabel, byte_ptr, cl, dword_ptr, eax, ecx, edi, edx, ptr, qword_ptr, r8, r9b, r9d, r10, r10d, r11, rax, rcx,
    rdi, rdx, rsi, rsp,
};
use iced_x86::{Code, Instruction, MemoryOperand, Register};

use crate::frame::Frame;
use crate::text::{Entry, Function, Text};
use crate::vvar::{CLOCKS, NANOS_PER_SEC, Start, VVAR_PAGES, Vvar};

type Result = std::result::Result<(), IcedError>;

/// System call numbers of Linux x86-64.
const SYS_RT_SIGRETURN: i32 = 15;
const SYS_GETTIMEOFDAY: i32 = 96;
const SYS_TIME: i32 = 201;
const SYS_CLOCK_GETTIME: i32 = 228;
const SYS_CLOCK_GETRES: i32 = 229;
const SYS_GETCPU: i32 = 309;
const SYS_URETPROBE: i32 = 335;

const CLOCK_REALTIME: i32 = 0;

/// The data page's address when the code is assembled with [`BIAS`] added to offsets in the image.
const VVAR: i64 = 0;
/// Keeps the data page, which is below the image, from having a negative address.
const BIAS: u64 = VVAR_PAGES as u64 * 4096;

const SEQUENCE: usize = offset_of!(Vvar, sequence);
const KNOWN: usize = offset_of!(Vvar, known);
const STARTS: usize = offset_of!(Vvar, clocks);

/// Names of the trampolines; the kernel looks them up.
pub const SIGRETURN: &str = "__kernel_rt_sigreturn";
pub const URETPROBE: &str = "__kernel_uretprobe";

/// Writes all functions.
pub fn write(text: &mut Text) -> Result {
    text.function(SIGRETURN, Entry::ReturnedTo, BIAS, sigreturn)?;
    text.function(URETPROBE, Entry::ReturnedTo, BIAS, uretprobe)?;
    text.function("__vdso_clock_gettime", Entry::Called, BIAS, clock_gettime)?;
    text.function("__vdso_gettimeofday", Entry::Called, BIAS, gettimeofday)?;
    text.function("__vdso_time", Entry::Called, BIAS, time)?;
    text.function("__vdso_clock_getres", Entry::Called, BIAS, clock_getres)?;
    text.function("__vdso_getcpu", Entry::Called, BIAS, getcpu)
}

/// Where a signal handler returns to. Debuggers and unwinders know exactly these two instructions in exactly this form,
/// with a sign-extended 32-bit 15.
fn sigreturn(f: &mut Function) -> Result {
    f.frame(Frame::SIGNAL);
    f.asm.add_instruction(load_number(SYS_RT_SIGRETURN)?)?;
    f.asm.syscall()
}

/// Where a function with a return probe returns to. The three registers the system call destroys or that carry a
/// result are saved; `rax` lies where the return address lay, and there the system call puts the true one.
///
/// The stack is let go in one step, not popped piece by piece: an IA-64 table counts a frame's size in units of 16
/// bytes, and so every instruction has a frame that both tables can describe.
fn uretprobe(f: &mut Function) -> Result {
    // Up to the system call only the kernel knows who the caller is.
    f.frame(Frame::outermost(0));
    f.asm.push(rax)?;
    f.frame(Frame::outermost(8));
    f.asm.push(rcx)?;
    f.frame(Frame::outermost(16));
    f.asm.push(r11)?;
    f.frame(Frame::outermost(24));
    f.asm.add_instruction(load_number(SYS_URETPROBE)?)?;
    f.asm.nops_with_size(3)?;
    f.asm.syscall()?;
    f.frame(Frame::plain(16));
    f.asm.mov(r11, qword_ptr(rsp))?;
    f.asm.mov(rcx, qword_ptr(rsp + 8))?;
    f.asm.nops_with_size(2)?;
    f.asm.lea(rsp, qword_ptr(rsp + 16))?;
    f.frame(Frame::plain(0));
    f.asm.ret()
}

/// `mov $number, %rax` in the form with a sign-extended 32-bit number.
fn load_number(number: i32) -> std::result::Result<Instruction, IcedError> {
    Instruction::with2(Code::Mov_rm64_imm32, Register::RAX, number)
}

/// `int clock_gettime(clockid_t clock, struct timespec *time)`
fn clock_gettime(f: &mut Function) -> Result {
    f.frame(Frame::plain(0));
    let mut call = f.asm.create_label();
    f.asm.cmp(edi, CLOCKS as i32)?;
    f.asm.jae(call)?;
    vvar_to_r8(f)?;
    f.asm.mov(eax, ptr(r8 + KNOWN))?;
    f.asm.bt(eax, edi)?;
    f.asm.jae(call)?;
    f.asm.mov(r10d, edi)?;
    f.asm.shl(r10d, size_of::<Start>().ilog2())?;
    let wait = read_clock(f)?;
    f.asm.mov(qword_ptr(rsi), r11)?;
    f.asm.mov(qword_ptr(rsi + 8), rcx)?;
    f.asm.xor(eax, eax)?;
    f.asm.ret()?;
    spin(f, wait)?;
    pass_on(f, &mut call, SYS_CLOCK_GETTIME)
}

/// `int gettimeofday(struct timeval *time, struct timezone *zone)`
fn gettimeofday(f: &mut Function) -> Result {
    f.frame(Frame::plain(0));
    let (mut call, mut done) = (f.asm.create_label(), f.asm.create_label());
    f.asm.test(rsi, rsi)?;
    f.asm.jne(call)?;
    f.asm.test(rdi, rdi)?;
    f.asm.je(done)?;
    vvar_to_r8(f)?;
    f.asm.test(byte_ptr(r8 + KNOWN), 1 << CLOCK_REALTIME)?;
    f.asm.je(call)?;
    f.asm.mov(r10d, CLOCK_REALTIME * size_of::<Start>() as i32)?;
    let wait = read_clock(f)?;
    // Microseconds: division by 1000 as a multiplication, right for all 32-bit numbers.
    f.asm.mov(eax, 0x1062_4dd3u32)?;
    f.asm.imul_2(rax, rcx)?;
    f.asm.shr(rax, 38)?;
    f.asm.mov(qword_ptr(rdi), r11)?;
    f.asm.mov(qword_ptr(rdi + 8), rax)?;
    f.asm.set_label(&mut done)?;
    f.asm.xor(eax, eax)?;
    f.asm.ret()?;
    spin(f, wait)?;
    pass_on(f, &mut call, SYS_GETTIMEOFDAY)
}

/// `time_t time(time_t *time)`
fn time(f: &mut Function) -> Result {
    f.frame(Frame::plain(0));
    let (mut call, mut done) = (f.asm.create_label(), f.asm.create_label());
    vvar_to_r8(f)?;
    f.asm.test(byte_ptr(r8 + KNOWN), 1 << CLOCK_REALTIME)?;
    f.asm.je(call)?;
    f.asm.mov(r10d, CLOCK_REALTIME * size_of::<Start>() as i32)?;
    let wait = read_clock(f)?;
    f.asm.mov(rax, r11)?;
    f.asm.test(rdi, rdi)?;
    f.asm.je(done)?;
    f.asm.mov(qword_ptr(rdi), rax)?;
    f.asm.set_label(&mut done)?;
    f.asm.ret()?;
    spin(f, wait)?;
    pass_on(f, &mut call, SYS_TIME)
}

/// `int clock_getres(clockid_t clock, struct timespec *resolution)`
fn clock_getres(f: &mut Function) -> Result {
    f.frame(Frame::plain(0));
    let (mut call, mut done) = (f.asm.create_label(), f.asm.create_label());
    f.asm.cmp(edi, CLOCKS as i32)?;
    f.asm.jae(call)?;
    vvar_to_r8(f)?;
    f.asm.mov(eax, ptr(r8 + KNOWN))?;
    f.asm.bt(eax, edi)?;
    f.asm.jae(call)?;
    f.asm.xor(eax, eax)?;
    f.asm.test(rsi, rsi)?;
    f.asm.je(done)?;
    f.asm.mov(qword_ptr(rsi), 0)?;
    f.asm.mov(qword_ptr(rsi + 8), 1)?;
    f.asm.set_label(&mut done)?;
    f.asm.ret()?;
    pass_on(f, &mut call, SYS_CLOCK_GETRES)
}

/// `int getcpu(unsigned *cpu, unsigned *node, void *unused)`
fn getcpu(f: &mut Function) -> Result {
    f.frame(Frame::plain(0));
    let [mut call, mut no_cpu, mut no_node] = [(); 3].map(|()| f.asm.create_label());
    vvar_to_r8(f)?;
    f.asm.cmp(dword_ptr(r8 + offset_of!(Vvar, cpu_known)), 0)?;
    f.asm.je(call)?;
    f.asm.rdtscp()?; // TSC_AUX to ecx
    f.asm.mov(eax, ecx)?;
    f.asm.and(eax, 0xfff)?;
    f.asm.shr(ecx, 12)?;
    f.asm.test(rdi, rdi)?;
    f.asm.je(no_cpu)?;
    f.asm.mov(ptr(rdi), eax)?;
    f.asm.set_label(&mut no_cpu)?;
    f.asm.test(rsi, rsi)?;
    f.asm.je(no_node)?;
    f.asm.mov(ptr(rsi), ecx)?;
    f.asm.set_label(&mut no_node)?;
    f.asm.xor(eax, eax)?;
    f.asm.ret()?;
    pass_on(f, &mut call, SYS_GETCPU)
}

/// Reads the clock whose entry in the data page is `r10` bytes into the starts, with the page's address in `r8`:
/// seconds to `r11`, nanoseconds to `rcx`. Keeps `rdi` and `rsi`.
fn read_clock(f: &mut Function) -> std::result::Result<Spin, IcedError> {
    let (mut retry, wait) = (f.asm.create_label(), f.asm.create_label());
    f.asm.set_label(&mut retry)?;
    f.asm.mov(r9d, ptr(r8 + SEQUENCE))?;
    f.asm.test(r9b, 1)?;
    f.asm.jne(wait)?;
    f.asm.lfence()?;
    f.asm.rdtsc()?;
    f.asm.shl(rdx, 32)?;
    f.asm.or(rax, rdx)?;
    // A counter behind the base (on another CPU, by a hair) counts as no time passed.
    f.asm.xor(edx, edx)?;
    f.asm.sub(rax, qword_ptr(r8 + offset_of!(Vvar, tsc_base)))?;
    f.asm.cmovb(rax, rdx)?;
    f.asm.mul(qword_ptr(r8 + offset_of!(Vvar, multiplier)))?;
    f.asm.mov(ecx, ptr(r8 + offset_of!(Vvar, shift)))?;
    f.asm.shrd(rax, rdx, cl)?;
    f.asm.add(rax, qword_ptr(r8 + r10 + (STARTS + offset_of!(Start, nanoseconds))))?;
    f.asm.mov(r11, qword_ptr(r8 + r10 + (STARTS + offset_of!(Start, seconds))))?;
    f.asm.cmp(ptr(r8 + SEQUENCE), r9d)?;
    f.asm.jne(retry)?;
    // Division by 10^9 = 2^9 * 5^9 as a multiplication: right for all 64-bit numbers.
    f.asm.mov(rcx, rax)?;
    f.asm.shr(rax, 9)?;
    f.asm.mov(rdx, 0x0044_b82f_a09b_5a53u64)?;
    f.asm.mul(rdx)?;
    f.asm.shr(rdx, 11)?;
    f.asm.add(r11, rdx)?;
    f.asm.imul_3(rdx, rdx, NANOS_PER_SEC as i32)?;
    f.asm.sub(rcx, rdx)?;
    Ok(Spin { retry, wait })
}

/// Labels of the loop that waits for the kernel to finish a change: out of the way, behind the function's end.
struct Spin {
    retry: CodeLabel,
    wait: CodeLabel,
}

/// Writes that loop.
fn spin(f: &mut Function, mut spin: Spin) -> Result {
    f.asm.set_label(&mut spin.wait)?;
    f.asm.pause()?;
    f.asm.jmp(spin.retry)
}

/// The data page's address, relative to the code.
fn vvar_to_r8(f: &mut Function) -> Result {
    let vvar = MemoryOperand::with_base_displ(Register::RIP, VVAR);
    f.asm.add_instruction(Instruction::with2(Code::Lea_r64_m, Register::R8, vvar)?)
}

/// The end of a function: the system call with the same arguments.
fn pass_on(f: &mut Function, call: &mut CodeLabel, number: i32) -> Result {
    f.asm.set_label(call)?;
    f.asm.mov(eax, number)?;
    f.asm.syscall()?;
    f.asm.ret()
}
