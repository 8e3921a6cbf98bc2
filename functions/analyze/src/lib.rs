//! dermalia-analyze
