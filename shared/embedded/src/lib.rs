//! dermalia-embedded
