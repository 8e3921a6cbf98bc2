//! dermalia-analysis
