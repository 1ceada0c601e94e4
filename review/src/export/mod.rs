//! Requests for other programs: OCSF for security tooling, CSV for spreadsheets.
//!
//! An export is for finding and counting. It is made from the index and proves nothing; the number
//! of the record that each line has leads back to the log, which does.

mod csv;
mod ocsf;

pub use csv::neutral;

use std::io::{self, Write};

use crate::error::ReviewError;
use crate::index::Index;
use crate::query::{Filter, Order, Page, Request};

/// A form of export.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Open Cybersecurity Schema Framework 1.9.0: one API Activity event (class 6003) per line.
    Ocsf,
    /// RFC 4180 with a header line.
    Csv,
}

impl Index {
    /// Writes the requests that are meant, the oldest first, and says how many there were.
    /// `progress` is told how many are written.
    ///
    /// # Errors
    /// When the index does not answer or `out` takes nothing more.
    pub fn export(
        &self,
        filter: &Filter,
        format: Format,
        out: &mut dyn Write,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, ReviewError> {
        let log = self.log_name()?;
        let mut page = Page { order: Order::OldestFirst, behind: None, limit: PAGE_REQUESTS };
        let mut written = 0;
        if format == Format::Csv {
            csv::header(out).map_err(ReviewError::Export)?;
        }
        loop {
            let requests = self.requests(filter, &page)?;
            write(&requests, format, &log, out).map_err(ReviewError::Export)?;
            written += requests.len() as u64;
            progress(written);
            let Some(last) = requests.last().filter(|_| requests.len() == page.limit as usize)
            else {
                out.flush().map_err(ReviewError::Export)?;
                return Ok(written);
            };
            page.behind = Some(last.n);
        }
    }
}

fn write(requests: &[Request], format: Format, log: &str, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Csv => csv::rows(requests, out),
        Format::Ocsf => ocsf::lines(requests, log, out),
    }
}

const PAGE_REQUESTS: u32 = 1_000;
