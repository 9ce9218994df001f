//! What came of each peer, feature and direction.

use std::time::Instant;

use super::support::table;

/// The cells, in the order they were filled.
pub struct Matrix {
    begun: Instant,
    rows: Vec<(String, String, Result<String, String>)>,
}

impl Default for Matrix {
    fn default() -> Self {
        Self { begun: Instant::now(), rows: Vec::new() }
    }
}

impl Matrix {
    /// Fills a cell.
    pub fn set(&mut self, row: &str, feature: &str, result: Result<String, String>) {
        println!("{:.1} s: {row}: {feature}: {result:?}", self.begun.elapsed().as_secs_f32());
        self.rows.push((row.into(), feature.into(), result));
    }

    /// Prints the matrix; panics if a cell failed.
    pub fn finish(self) {
        let mut failed = Vec::new();
        let mut text = String::from("interop: peer and direction, zone, result\n");
        for (row, feature, result) in &self.rows {
            let cell = match result {
                Ok(cell) => cell.clone(),
                Err(fault) => {
                    failed.push(format!("{row}: {feature}: {fault}"));
                    format!("FAILED: {fault}")
                }
            };
            text.push_str(&format!("  {row:<20} {feature:<12} {cell}\n"));
        }
        table::tell(text.trim_end());
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }
}
