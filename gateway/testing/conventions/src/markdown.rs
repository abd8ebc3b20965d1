//! Reads tables in Markdown. The rules check the same tables that people read.

/// A table, and the heading above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Text of the nearest heading above the table.
    pub heading: String,
    /// Line of the table's header, from 1.
    pub line: usize,
    /// The rows without the header.
    pub rows: Vec<Row>,
}

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Line of the row, from 1.
    pub line: usize,
    /// The cells, without leading and trailing spaces.
    pub cells: Vec<String>,
}

/// All tables of a page, in the order of the page.
#[must_use]
pub fn tables(text: &str) -> Vec<Table> {
    let mut found: Vec<Table> = Vec::new();
    let (mut heading, mut inside) = (String::new(), false);
    for (line, content) in (1..).zip(text.lines()) {
        if content.starts_with('#') {
            content.trim_start_matches('#').trim().clone_into(&mut heading);
        }
        let Some(cells) = cells(content) else {
            inside = false;
            continue;
        };
        if !inside {
            found.push(Table { heading: heading.clone(), line, rows: Vec::new() });
        } else if let Some(table) = found.last_mut()
            && !cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':' | ' ')) && !cell.is_empty())
        {
            table.rows.push(Row { line, cells });
        }
        inside = true;
    }
    found
}

fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(|cell| cell.trim().to_owned()).collect())
}

/// The texts in backticks.
#[must_use]
pub fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

impl Row {
    /// The texts in backticks in a cell. Empty if the row has no such cell.
    #[must_use]
    pub fn code(&self, cell: usize) -> Vec<String> {
        self.cells.get(cell).map(|cell| code(cell)).unwrap_or_default()
    }
}
