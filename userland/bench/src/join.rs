//! One table of several runs.

use std::process::ExitCode;

/// A column to show: its heading, the file and which of the file's columns.
struct Column {
    heading: String,
    rows: Vec<(String, String)>,
}

impl Column {
    /// Reads `HEADING=FILE:COLUMN`; column 1 is ticks, 2 nanoseconds.
    fn parse(argument: &str) -> Result<Column, String> {
        let usage = || format!("{argument}: not HEADING=FILE:COLUMN");
        let (heading, source) = argument.split_once('=').ok_or_else(usage)?;
        let (path, number) = source.rsplit_once(':').ok_or_else(usage)?;
        let number: usize = number.parse().map_err(|_| usage())?;
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let row = |line: &str| {
            let fields: Vec<&str> = line.trim().split(',').collect();
            Some((fields.first()?.to_string(), fields.get(number)?.to_string()))
        };
        Ok(Column { heading: heading.to_owned(), rows: text.lines().filter_map(row).collect() })
    }

    fn value(&self, name: &str) -> &str {
        self.rows.iter().find(|row| row.0 == name).map_or("", |row| &row.1)
    }
}

/// Prints the table; the rows are those of the first column.
pub(crate) fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let columns: Result<Vec<Column>, String> = arguments.map(|argument| Column::parse(&argument)).collect();
    let columns = match columns {
        Ok(columns) if !columns.is_empty() => columns,
        Ok(_) => return ExitCode::from(2),
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::from(2);
        }
    };
    print!("| operation |");
    columns.iter().for_each(|column| print!(" {} |", column.heading));
    println!("\n|---|{}", "---:|".repeat(columns.len()));
    for (name, _) in &columns[0].rows {
        print!("| {name} |");
        columns.iter().for_each(|column| print!(" {} |", column.value(name)));
        println!();
    }
    ExitCode::SUCCESS
}
