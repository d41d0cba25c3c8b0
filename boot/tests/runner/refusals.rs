//! What cannot work is refused with status 125 and a word on how to mend it.

use crate::{Test, assert_status, linux, run, scratch, test, tollgate};

pub(crate) const TESTS: &[Test] = &[
    test!(unknown_option),
    test!(command_without_dashes),
    test!(missing_file),
    test!(missing_program),
    test!(missing_linux),
    test!(missing_qemu),
    test!(icount_with_kvm),
    test!(impossible_numbers),
];

fn refused(arguments: &[&str], said: &str) {
    let output = run(tollgate("refused").args(arguments), b"");
    assert_status(&output, 125);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(said), "{said:?} is not in:\n{error}");
    assert_eq!(output.stdout, b"");
}

fn unknown_option() {
    refused(&["--smpp", "4"], "a similar argument exists: '--smp'");
}

fn command_without_dashes() {
    refused(&["ls"], "a command goes after two dashes: -- ls");
}

fn missing_file() {
    refused(&["--add", "/no/such/file", "--", "true"], "there is no /no/such/file on this machine");
}

fn missing_program() {
    refused(&["--add-bin", "no-such-program", "--", "true"], "there is no no-such-program on this machine");
}

fn missing_linux() {
    refused(&["--linux", "/no/such/kernel"], "there is no Linux kernel /no/such/kernel");
}

fn missing_qemu() {
    let output = run(tollgate("refused").env("PATH", scratch("")).args(["--", "true"]), b"");
    assert_status(&output, 125);
    assert!(String::from_utf8_lossy(&output.stderr).contains("apt-get install qemu-system-x86"));
}

fn icount_with_kvm() {
    // The accelerator is given twice: say so by hand, without the helper's.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"));
    let kernel = linux().map_or("/bin/sh", |linux| linux.to_str().expect("the path is UTF-8"));
    let output = run(command.args(["--linux", kernel, "--icount", "--accel", "kvm", "--", "true"]), b"");
    assert_status(&output, 125);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot go with --accel kvm"));
}

fn impossible_numbers() {
    refused(&["--smp", "0"], "0 is not in 1..");
    refused(&["--memory", "1"], "1 is not in 32..");
}
