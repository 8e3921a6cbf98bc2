//! dermalia-link
