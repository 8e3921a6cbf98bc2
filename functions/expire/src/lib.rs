//! dermalia-expire
