//! The chart: nanoseconds an operation over entries, both on logarithmic scales, a panel an operation.

use std::fmt::Write;

use crate::measure::Row;

const PANELS: [&str; 12] = [
    "map get ns",
    "map scan ns",
    "map build ns",
    "map commit ns",
    "sorted seek ns",
    "sorted scan ns",
    "sorted build ns",
    "sorted commit ns",
    "bytes get ns",
    "bytes seek ns",
    "bytes scan ns",
    "bytes commit ns",
];
const ACROSS: usize = 4;
const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 180.0;
const MARGIN: f64 = 40.0;
/// Decades of a panel: 1 ns to 100 µs, 10 k to 10 M entries.
const NANOS: (f64, f64) = (0.0, 5.0);
const ENTRIES: (f64, f64) = (4.0, 7.0);

/// The figures of every table in a document that looks as this program prints it.
pub(crate) fn quoted(document: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in document.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, size, what, ours, theirs, ..] = cells[..] else { continue };
        let (Ok(size), Some(what)) = (size.parse(), PANELS.iter().find(|panel| **panel == what))
        else {
            continue;
        };
        for (peer, value) in [("eve", ours), ("LMDB", theirs)] {
            rows.extend(value.parse().ok().map(|value| Row { what, peer, size, value }));
        }
    }
    rows
}

/// Along an axis, from 0 to 1.
fn scale(value: f64, (from, to): (f64, f64)) -> f64 {
    ((value.log10() - from) / (to - from)).clamp(0.0, 1.0)
}

/// An SVG document.
pub(crate) fn chart(rows: &[Row]) -> String {
    let (width, height) = (WIDTH * ACROSS as f64, HEIGHT * (PANELS.len() / ACROSS) as f64 + 24.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"10\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (i, what) in PANELS.iter().enumerate() {
        let (x, y) = ((i % ACROSS) as f64 * WIDTH, (i / ACROSS) as f64 * HEIGHT);
        panel(&mut svg, what, rows, x, y);
    }
    let y = height - 8.0;
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"{y}\" fill=\"#1b5e9e\">eve</text>\
         <text x=\"80\" y=\"{y}\" fill=\"#b5541c\">LMDB (dashed)</text>\n</svg>"
    );
    svg
}

fn panel(svg: &mut String, what: &str, rows: &[Row], x: f64, y: f64) {
    let (left, top) = (x + MARGIN, y + 24.0);
    let (inner_width, inner_height) = (WIDTH - MARGIN - 12.0, HEIGHT - 48.0);
    let _ =
        writeln!(svg, "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{what}</text>", y + 16.0);
    for decade in NANOS.0 as i32..=NANOS.1 as i32 {
        let at = top + inner_height * (1.0 - scale(10_f64.powi(decade), NANOS));
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {at:.1}h{inner_width}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 4.0,
            at + 3.0,
            10_i64.pow(decade as u32)
        );
    }
    for (decade, name) in [(4, "10 k"), (5, "100 k"), (6, "1 M"), (7, "10 M")] {
        let at = left + inner_width * scale(10_f64.powi(decade), ENTRIES);
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
            top + inner_height + 14.0
        );
    }
    for (peer, style) in
        [("eve", "stroke=\"#1b5e9e\""), ("LMDB", "stroke=\"#b5541c\" stroke-dasharray=\"4 3\"")]
    {
        let points: Vec<String> = rows
            .iter()
            .filter(|row| row.what == what && row.peer == peer)
            .map(|row| {
                let at = left + inner_width * scale(row.size as f64, ENTRIES);
                let value = top + inner_height * (1.0 - scale(row.value, NANOS));
                format!("{at:.1},{value:.1}")
            })
            .collect();
        let points = points.join(" ");
        let _ = writeln!(
            svg,
            "<polyline points=\"{points}\" fill=\"none\" stroke-width=\"2\" {style}/>"
        );
    }
}
