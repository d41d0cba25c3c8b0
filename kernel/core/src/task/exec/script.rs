//! `#!` scripts.
use tollgate_abi::{Errno, Result};

use super::HEAD;

/// What the first line of a script says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Path of the interpreter.
    pub(super) interpreter: &'a [u8],
    /// The rest of the line, if any: one argument, spaces and all.
    pub(super) argument: Option<&'a [u8]>,
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Reads the first line if the file is a script: `None` when it is none, an error when the line names no interpreter,
/// or its path may be cut off.
pub(super) fn parse(head: &[u8; HEAD]) -> Option<Result<Line<'_>>> {
    let line = head.strip_prefix(b"#!")?;
    // The last byte never counts: it stands for the NUL that ends the text.
    let line = &line[..line.len() - 1];
    let (line, complete) = match line.iter().position(|&b| b == b'\n') {
        Some(end) => (&line[..end], true),
        None => (line, false),
    };
    let start = line.iter().position(|b| !is_blank(b)).unwrap_or(line.len());
    let line = &line[start..];
    let name_end = line.iter().position(|b| is_blank(b) || *b == 0);
    if !complete && name_end.is_none() {
        return Some(Err(Errno::ENOEXEC));
    }
    let (interpreter, rest) = line.split_at(name_end.unwrap_or(line.len()));
    if interpreter.is_empty() {
        return Some(Err(Errno::ENOEXEC));
    }
    let rest = &rest[..rest.iter().position(|&b| b == 0).unwrap_or(rest.len())];
    let start = rest.iter().position(|b| !is_blank(b)).unwrap_or(rest.len());
    let end = rest.iter().rposition(|b| !is_blank(b)).map_or(start, |last| last + 1);
    let argument = &rest[start..end];
    Some(Ok(Line { interpreter, argument: (!argument.is_empty()).then_some(argument) }))
}
