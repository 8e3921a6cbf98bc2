//! dermalia-report
