//! The exit status is the command's.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::{Test, guest, linux_options, run, scratch, test, tollgate};

pub(crate) const TESTS: &[Test] = &[
    test!(release_kernel_boots),
    test!(status_is_passed_on),
    test!(signal_is_128_and_its_number),
    test!(missing_command_is_127),
    test!(timeout_is_124),
    test!(panic_is_123),
    test!(linux_status_is_passed_on, linux),
    test!(linux_panic_is_123, linux),
    test!(icount_runs),
    test!(gdb_is_waited_for),
];

/// The kernel as users get it; the other tests boot the one with debug assertions.
fn release_kernel_boots() {
    let output = run(tollgate("release").args(["--timeout", "150", "--", "echo", "hello"]), b"");
    crate::assert_status(&output, 0);
    assert_eq!(output.stdout, b"hello\n");
}

fn status_is_passed_on() {
    guest("status", &[], &["sh", "-c", "exit 42"], b"", 42);
    let log = fs::read_to_string(scratch("status")).expect("--log writes a file");
    assert!(log.contains("tollgate: exit-status 42"), "{log}");
}

fn signal_is_128_and_its_number() {
    guest("signal", &[], &["sh", "-c", "kill -KILL $$"], b"", 137);
}

fn missing_command_is_127() {
    guest("missing", &[], &["no-such-command"], b"", 127);
}

fn timeout_is_124() {
    let output = guest("timeout", &["--timeout", "8"], &["sleep", "1000"], b"", 124);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no end after 8 s"));
}

/// Options that put a process 1 into the guest that ends at once, which no kernel survives.
fn mortal_init(name: &str) -> String {
    let file = scratch(name);
    fs::write(&file, "#!/bin/busybox true\n").expect("the scratch folder is writable");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    format!("{}:/init", file.display())
}

fn panic_is_123() {
    let output = guest("panic", &["--add", &mortal_init("mortal")], &["true"], b"", 123);
    let error = String::from_utf8_lossy(&output.stderr);
    // The log's tail is shown.
    assert!(error.contains("KERNEL PANIC") && error.contains("backtrace"), "{error}");
}

fn linux_status_is_passed_on() {
    guest("linux-status", &linux_options(), &["sh", "-c", "exit 42"], b"", 42);
}

fn linux_panic_is_123() {
    let [linux, kernel] = linux_options();
    guest("linux-panic", &[linux, kernel, "--add", &mortal_init("mortal-linux")], &["true"], b"", 123);
}

fn icount_runs() {
    guest("icount", &["--icount", "--smp", "1"], &["true"], b"", 0);
}

fn gdb_is_waited_for() {
    // A port that is free now.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let output = guest("gdb", &[&format!("--gdb={port}"), "--timeout", "2"], &["true"], b"", 124);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(&format!("target remote :{port}")), "{error}");
}
