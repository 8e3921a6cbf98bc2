//! dermalia-landmarks
