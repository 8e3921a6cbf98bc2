//! dermalia-report-function
