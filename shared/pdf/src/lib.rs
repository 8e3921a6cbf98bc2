//! The report on paper: A4, PDF/A-3a and PDF/UA-1, set by typst in this process.
