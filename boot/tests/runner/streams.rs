//! Standard input, standard output, and files that are brought along.

use std::fs;

use crate::{Test, guest, linux_options, scratch, test};

pub(crate) const TESTS: &[Test] = &[
    test!(bytes_pass_unchanged),
    test!(linux_bytes_pass_unchanged, linux),
    test!(output_is_the_commands_alone),
    test!(add_brings_files_and_folders),
    test!(add_bin_brings_libraries, linux),
];

/// Every byte value, many lines, long lines, no newline at the end.
fn data() -> Vec<u8> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut data: Vec<u8> = (0..=255).collect();
    data.extend((0..6000).map(|_| noise()));
    data.extend([b'x'; 5000]);
    data
}

fn bytes_pass_unchanged() {
    let data = data();
    let output = guest("bytes", &[], &["cat"], &data, 0);
    assert!(output.stdout == data, "{} bytes went in, {} came out", data.len(), output.stdout.len());
}

fn linux_bytes_pass_unchanged() {
    let data = data();
    let output = guest("linux-bytes", &linux_options(), &["cat"], &data, 0);
    assert!(output.stdout == data, "{} bytes went in, {} came out", data.len(), output.stdout.len());
}

fn output_is_the_commands_alone() {
    let output = guest("output", &["--append", "log=debug"], &["printf", r"a\nb\r\n\001"], b"", 0);
    assert_eq!(output.stdout, b"a\nb\r\n\x01");
}

fn add_brings_files_and_folders() {
    let folder = scratch("added");
    fs::create_dir_all(folder.join("inner")).expect("the scratch folder is writable");
    fs::write(folder.join("inner/file"), "inside").expect("the scratch folder is writable");
    let folder = folder.to_str().expect("the path is UTF-8");
    let moved = format!("{folder}:/opt/elsewhere");
    let command = ["sh", "-c", "cat /added/inner/file /opt/elsewhere/inner/file"];
    let output = guest("add", &["--add", folder, "--add", &moved], &command, b"", 0);
    assert_eq!(output.stdout, b"insideinside");
}

fn add_bin_brings_libraries() {
    let [linux, kernel] = linux_options();
    // A dynamic program that every Debian machine has.
    let options = [linux, kernel, "--add-bin", "grep:/bin/host-grep"];
    let output = guest("add-bin", &options, &["host-grep", "--version"], b"", 0);
    assert!(output.stdout.starts_with(b"host-grep (GNU grep)"), "{}", String::from_utf8_lossy(&output.stdout));
}
