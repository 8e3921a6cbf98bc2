//! dermalia-scan
