//! Rows below a heading, in columns that are as wide as their widest cell.

use super::terminal::printable;

/// What stands where a server says nothing.
pub(super) const MISSING: &str = "-";

/// Where a cell stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Lays out rows of as many cells as there are headings; no line ends in spaces.
pub(super) fn laid_out<const N: usize>(
    headings: [(&str, Side); N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let titles = headings.map(|(title, _)| title.to_owned());
    let rows = rows.into_iter().map(|row| row.map(|cell| printable(&cell)));
    let rows: Vec<[String; N]> = std::iter::once(titles).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(headings).zip(widths);
        let cells = cells.map(|((cell, (_, side)), width)| match side {
            Side::Left => format!("{cell:<width$}"),
            Side::Right => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let headings = [
            ("id", Side::Left),
            ("size", Side::Right),
            ("url", Side::Left),
        ];
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [
            row(["abcd", "7", "http://a/\u{1b}"]),
            row(["é", "12345", ""]),
        ];
        let expected = "id     size  url\nabcd      7  http://a/?\né     12345";
        assert_eq!(laid_out(headings, rows), expected);
        assert_eq!(laid_out(headings, []), "id  size  url");
    }
}
