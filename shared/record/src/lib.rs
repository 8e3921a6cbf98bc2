//! dermalia-record
